"""Events of the two senders that the local cloud knows: `accounting`, and `scanner`, which only knows HMAC."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any


def invoice_imported(number: str = "2026-17", **changes: Any) -> dict[str, Any]:
    """As the Standard Webhooks specification proposes: type, timestamp, data."""
    data = {
        "number": number,
        "supplier": "Bäckerei Schöller & Söhne",
        "total": {"cents": 4_990, "currency": "EUR"},
    }
    return {"type": "invoice.imported", "timestamp": datetime.now(UTC).isoformat(), "data": data} | changes


def document_scanned(**changes: Any) -> dict[str, Any]:
    """As somebody would make it up."""
    return {"scan_id": uuid.uuid4().hex, "pages": 3, "file": "scan-0001.pdf"} | changes
