"""The local mailbox: it accepts the Resend SDK's calls, keeps the mails in memory and shows them on a page."""

from __future__ import annotations

from infra.local.mailbox.mails import Mail
from infra.local.mailbox.server import Mailbox

__all__ = ["Mail", "Mailbox"]
