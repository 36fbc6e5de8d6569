"""Mails: `send_*` sends one now, `enqueue_*` sends it as a job, with retries.

    from shared.emails import WelcomeData, enqueue_welcome

    enqueue_welcome("ada@example.com", WelcomeData(name="Ada"), user_id=7)

Names are loaded when first used: an application that only enqueues never imports jinja2 or the Resend SDK, one
that only sends never the dispatcher.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.emails.data import (
        ApplicationReminderData,
        EmailChangeData,
        EmailTemplate,
        ExportReadyData,
        LeadMatch,
        LeadMatchesData,
        NotificationData,
        PasswordChangedData,
        PasswordResetData,
        PaymentFailedData,
        ReportReadyData,
        SubscriptionCreatedData,
        TeamInvitationData,
        WelcomeData,
    )
    from shared.emails.enqueueing import (
        enqueue_application_reminder,
        enqueue_email_change,
        enqueue_export_ready,
        enqueue_lead_matches,
        enqueue_notification,
        enqueue_password_changed,
        enqueue_password_reset,
        enqueue_payment_failed,
        enqueue_report_ready,
        enqueue_subscription_created,
        enqueue_team_invitation,
        enqueue_welcome,
    )
    from shared.emails.immediate import (
        send_application_reminder,
        send_email_change,
        send_export_ready,
        send_lead_matches,
        send_notification,
        send_password_changed,
        send_password_reset,
        send_payment_failed,
        send_report_ready,
        send_subscription_created,
        send_team_invitation,
        send_welcome,
    )
    from shared.emails.rendering import RenderedEmail, render
    from shared.emails.sending import EmailDeferred, EmailRefused, SentEmail, send

__all__ = [
    "ApplicationReminderData",
    "EmailChangeData",
    "EmailDeferred",
    "EmailRefused",
    "EmailTemplate",
    "ExportReadyData",
    "LeadMatch",
    "LeadMatchesData",
    "NotificationData",
    "PasswordChangedData",
    "PasswordResetData",
    "PaymentFailedData",
    "RenderedEmail",
    "ReportReadyData",
    "SentEmail",
    "SubscriptionCreatedData",
    "TeamInvitationData",
    "WelcomeData",
    "enqueue_application_reminder",
    "enqueue_email_change",
    "enqueue_export_ready",
    "enqueue_lead_matches",
    "enqueue_notification",
    "enqueue_password_changed",
    "enqueue_password_reset",
    "enqueue_payment_failed",
    "enqueue_report_ready",
    "enqueue_subscription_created",
    "enqueue_team_invitation",
    "enqueue_welcome",
    "render",
    "send",
    "send_application_reminder",
    "send_email_change",
    "send_export_ready",
    "send_lead_matches",
    "send_notification",
    "send_password_changed",
    "send_password_reset",
    "send_payment_failed",
    "send_report_ready",
    "send_subscription_created",
    "send_team_invitation",
    "send_welcome",
]

_MODULE_OF = {
    "EmailDeferred": "sending",
    "EmailRefused": "sending",
    "RenderedEmail": "rendering",
    "SentEmail": "sending",
    "render": "rendering",
    "send": "sending",
}


def __getattr__(name: str) -> Any:
    """Load an exported name from its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_module_of(name)}"), name)


def _module_of(name: str) -> str:
    if name.startswith("enqueue_"):
        return "enqueueing"
    if name.startswith("send_"):
        return "immediate"
    return _MODULE_OF.get(name, "data")
