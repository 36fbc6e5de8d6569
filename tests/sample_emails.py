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
    "exportReady": {
        "name": "Ada",
        "what": "Activity log",
        "rows": 1_234_567,
        "size": 98_765_432,
        "downloadUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
    },
    "reportReady": {
        "name": "Ada",
        "title": "Revenue report",
        "period": "April 2026",
        "downloadUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
        "highlights": [
            "Monthly recurring revenue is $48,200, 4.1% more than in March.",
            "Three subscriptions are past due.",
        ],
    },
    "leadMatches": {
        "name": "Ada",
        "listingTitle": "Two bedrooms on Elm Street",
        "listingUrl": "https://app.example.com/listings/1",
        "matches": [
            {"leadName": "Grace Hopper", "score": 96, "reason": "Within budget, moves in June"},
            {"leadName": "Alan Turing", "score": 81, "reason": "One bedroom more than asked for"},
        ],
        "total": 12,
    },
    "applicationReminder": {
        "name": "Ada",
        "listingTitle": "Two bedrooms on Elm Street",
        "missing": ["Proof of income", "Photo ID"],
        "continueUrl": TOKEN_URL,
        "expiresAt": "2026-05-01T09:30:00Z",
    },
    "notification": {
        "title": "Your viewing is confirmed",
        "paragraphs": [
            "We look forward to meeting you on 1 May 2026 at 09:30.",
            "12 Elm Street\nSpringfield, IL 62701",
        ],
        "actionLabel": "See the viewing",
        "actionUrl": "https://app.example.com/viewings/1",
    },
}
TEMPLATES = list(DATA)
# The fields that hold one line a person typed: names, plans, places, reasons. "matches.0.reason" lies deeper.
TEXTS = {
    "welcome": ["name"],
    "passwordReset": ["name", "requestedFrom"],
    "passwordChanged": ["name", "changedFrom"],
    "emailChange": ["name"],
    "teamInvitation": ["inviterName", "teamName", "role"],
    "subscriptionCreated": ["name", "planName"],
    "paymentFailed": ["name", "planName", "cardBrand", "reason"],
    "exportReady": ["name", "what"],
    "reportReady": ["name", "title", "period", "highlights.0", "highlights.1"],
    "leadMatches": ["name", "listingTitle", "matches.0.leadName", "matches.1.reason"],
    "applicationReminder": ["name", "listingTitle", "missing.0", "missing.1"],
    "notification": ["title", "actionLabel"],
}
URLS = {template: [field for field in data if field.endswith("Url")] for template, data in DATA.items()}


def wire(template: str, **changes: Any) -> dict[str, Any]:
    """A payload as it travels, some fields of its data changed."""
    data = copy.deepcopy(DATA[template])
    for path, value in changes.items():
        *way, last = path.split(".")
        holder = _follow(data, way)
        holder[int(last) if isinstance(holder, list) else last] = value
    return {"to": "ada@example.com", "template": template, "data": data}


def sample(template: str, path: str) -> Any:
    """One field of a template's data."""
    return _follow(DATA[template], path.split("."))


def _follow(data: Any, way: list[str]) -> Any:
    for step in way:
        data = data[int(step) if isinstance(data, list) else step]
    return data
