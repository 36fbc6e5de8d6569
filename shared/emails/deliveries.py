"""The mails that were sent, as app.email_deliveries keeps them, whichever job sent them."""

from __future__ import annotations

from uuid import UUID

from shared.database import Connection

# The mail's webhook may have been quicker; what that wrote stays.
_RECORD = b"""
INSERT INTO app.email_deliveries AS mail (provider_id, recipient, template, job_id, status, sent_at)
VALUES (%(provider_id)s, %(recipient)s, %(template)s, %(job_id)s, 'sent', now())
ON CONFLICT (provider_id) DO UPDATE SET
    template = excluded.template, job_id = excluded.job_id, sent_at = coalesce(mail.sent_at, excluded.sent_at)
"""


def record_delivery(
    connection: Connection, *, provider_id: str, recipient: str, template: str, job_id: UUID
) -> None:
    """Note that Resend has a mail, by Resend's id; once more changes nothing."""
    values = {"provider_id": provider_id, "recipient": recipient, "template": template, "job_id": job_id}
    connection.execute(_RECORD, values)
