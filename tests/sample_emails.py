"""One complete mail per template, as it travels; `data` holds every field, optional ones too."""

from __future__ import annotations

import copy
from typing import Any

TOKEN_URL = "https://app.example.com/account/confirm?token=eyJhbGciOiJIUzI1NiJ9.c29tZQ.3q2-7w&next=%2Fhome"
DATA: dict[str, dict[str, Any]] = {
    "welcome": {"name": "Ada Lovelace", "getStartedUrl": "https://app.example.com/start"},
    "passwordReset": {
        "name": "Ada",
        "resetUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
        "requestedFrom": "Chrome on macOS, Berlin",
    },
    "passwordChanged": {
        "name": "Ada",
        "changedAt": "2026-05-01T11:30:00+02:00",
        "resetUrl": TOKEN_URL,
        "changedFrom": "Firefox on Linux, Lyon",
    },
    "emailChange": {
        "name": "Ada",
        "oldEmail": "ada@example.com",
        "newEmail": "lovelace@example.com",
        "confirmUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
    },
    "teamInvitation": {
        "inviterName": "Grace Hopper",
        "inviterEmail": "grace@example.com",
        "teamName": "Compilers",
        "acceptUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
        "role": "Editor",
    },
    "subscriptionCreated": {
        "name": "Ada",
        "planName": "Team",
        "amount": 2900,
        "currency": "EUR",
        "interval": "month",
        "renewsAt": "2026-05-01T00:00:00Z",
        "billingUrl": "https://app.example.com/billing",
        "trialEndsAt": "2026-05-01T00:00:00Z",
        "invoiceUrl": "https://app.example.com/invoices/1",
    },
    "paymentFailed": {
        "name": "Ada",
        "planName": "Team",
        "amount": 2900,
        "currency": "USD",
        "updatePaymentUrl": TOKEN_URL,
        "failedAt": "2026-05-01T09:30:00Z",
        "cardBrand": "Visa",
        "cardLastFour": "4242",
        "reason": "The card has expired",
        "nextAttemptAt": "2026-05-04T09:30:00Z",
        "accessEndsAt": "2026-05-11T09:30:00Z",
    },
}
TEMPLATES = list(DATA)
# The fields that hold text a person typed: names, plans, places, reasons.
TEXTS = {
    "welcome": ["name"],
    "passwordReset": ["name", "requestedFrom"],
    "passwordChanged": ["name", "changedFrom"],
    "emailChange": ["name"],
    "teamInvitation": ["inviterName", "teamName", "role"],
    "subscriptionCreated": ["name", "planName"],
    "paymentFailed": ["name", "planName", "cardBrand", "reason"],
}
URLS = {template: [field for field in data if field.endswith("Url")] for template, data in DATA.items()}


def wire(template: str, **changes: Any) -> dict[str, Any]:
    """A payload as it travels, some fields of its data changed."""
    return {"to": "ada@example.com", "template": template, "data": copy.deepcopy(DATA[template]) | changes}
