"""Mails and what became of them, webhooks received, and what people were told."""

from __future__ import annotations

from datetime import datetime, timedelta

from infra.seed.tables import Row
from infra.seed.tenant import Application, Tenant

_FATES = (
    "delivered",
    "opened",
    "bounced",
    "delivered",
    "clicked",
    "complained",
    "delivered",
    "sent",
    "delayed",
    "failed",
)
_STEPS = {
    "sent": ("sent",),
    "delayed": ("sent", "delayed"),
    "delivered": ("sent", "delivered"),
    "opened": ("sent", "delivered", "opened"),
    "clicked": ("sent", "delivered", "opened", "clicked"),
    "bounced": ("sent", "bounced"),
    "complained": ("sent", "delivered", "complained"),
    "failed": ("failed",),
}
_TIMES = ("sent", "delayed", "delivered", "opened", "clicked", "bounced", "complained", "failed")
_TEMPLATES = ("welcome", "teamInvitation", "passwordReset", "subscriptionCreated")
_DETAILS = {
    "bounced": "550 5.1.1 the mailbox does not exist",
    "complained": "marked as spam by the recipient",
    "failed": "the address is suppressed",
}
_EVENT_OF = {"delayed": "email.delivery_delayed"}
_STRIPE_EVENTS = {
    "customer.subscription.created": "processed",
    "invoice.paid": "processed",
    "customer.updated": "ignored",
}
_USER_AGENTS = {"stripe": "Stripe/1.0", "github": "GitHub-Hookshot/044aadd"}
_NOTICES = {
    "denied": ("adverse_action", "Your application was not approved"),
    "approved": ("confirmation", "Your application was approved"),
    "submitted": ("confirmation", "We have your application"),
    "documents_pending": ("reminder", "Documents are missing"),
}


def add_mails(tenant: Tenant) -> None:
    """Ten mails, one of each fate or more, with Resend's events about them."""
    for fate in _FATES:
        _name, recipient, _phone = tenant.person("example.org")
        at = tenant.some_time(0.1, 30)
        provider_id = str(tenant.job_id(at)) if fate != "failed" else None
        times = _times(tenant, fate, at)
        tenant.tables.add(
            "email_deliveries",
            provider_id=provider_id,
            recipient=recipient,
            template=tenant.dice.choice(_TEMPLATES),
            job_id=tenant.job_id(at),
            status=fate,
            detail=_DETAILS.get(fate),
            queued_at=at,
            **times,
        )
        if fate in {"bounced", "complained"}:
            _suppress(tenant, recipient, fate, times[f"{fate}_at"])
        if fate == "bounced":
            tenant.bounced_email = recipient
        if provider_id:
            _add_event(
                tenant,
                "resend",
                _EVENT_OF.get(fate, f"email.{fate}"),
                times[f"{fate}_at"],
                {"email_id": provider_id},
            )
    if tenant.chance(0.3):
        _suppress(tenant, tenant.person("example.org")[1], "manual", tenant.some_time(1, 300))


def _times(tenant: Tenant, fate: str, at: datetime) -> Row:
    times: Row = {f"{step}_at": None for step in _TIMES}
    moment = at
    for step in _STEPS[fate]:
        moment += timedelta(seconds=tenant.dice.randint(1, 900))
        times[f"{step}_at"] = moment
    return times | {"last_event_at": moment}


def _suppress(tenant: Tenant, email: str, reason: str, at: datetime) -> None:
    tenant.tables.add(
        "email_suppressions", email=email, reason=reason, detail=_DETAILS.get(reason), created_at=at
    )


def add_webhooks(tenant: Tenant) -> None:
    """Events of Stripe, GitHub and a sender of their own: applied, ignored, failed, and one not looked at yet."""
    for kind, status in _STRIPE_EVENTS.items():
        _add_event(tenant, "stripe", kind, tenant.some_time(0.2, 60), {"object": "event"}, status=status)
    _add_event(tenant, "github", "push", tenant.some_time(0.2, 60), {"ref": "refs/heads/main"})
    lead = {"email": "lead@example.org"}
    _add_event(tenant, "custom", "lead.created", tenant.some_time(0.2, 60), lead, status="failed")
    _add_event(tenant, "custom", "lead.created", tenant.ago(hours=0.5), lead, status="received")


def _add_event(
    tenant: Tenant, source: str, kind: str, at: datetime, data: Row, *, status: str = "processed"
) -> None:
    event_id = tenant.code("evt_")
    received = at + timedelta(seconds=tenant.dice.randint(1, 5))
    seen = status != "received"
    tenant.tables.add(
        "webhook_events",
        source=source,
        name="crm" if source == "custom" else "",
        event_id=event_id,
        event_type=kind,
        status=status,
        payload={"id": event_id, "type": kind, "created": int(at.timestamp()), "data": data},
        ip=f"203.0.113.{tenant.dice.randint(1, 254)}",
        user_agent=_USER_AGENTS.get(source, "Webhooks/1.0"),
        job_id=tenant.job_id(received) if seen else None,
        error="the lead's agent is not known" if status == "failed" else None,
        occurred_at=at,
        received_at=received,
        processed_at=received + timedelta(seconds=1) if seen else None,
    )


def add_notifications(tenant: Tenant) -> None:
    """What the applicants were told of their applications, by mail and in the application."""
    for application in tenant.applications.values():
        if application.status in _NOTICES:
            _add_notices(tenant, application)


def _add_notices(tenant: Tenant, application: Application) -> None:
    kind, subject = _NOTICES[application.status]
    at = application.created_at + timedelta(hours=28)
    job_id = tenant.job_id(at)
    for channel, status in (("email", "delivered"), ("in_app", "delivered"), ("sms", "skipped")):
        told = status == "delivered"
        tenant.tables.add(
            "notifications",
            organization_id=tenant.id,
            recipient_id=application.applicant.id,
            type=kind,
            template_id=f"application_{application.status}",
            channel=channel,
            status=status,
            subject=subject,
            body=f"{subject}: {application.home.city.name}, {application.home.zip}.",
            data={"applicationId": application.id},
            provider_id=str(tenant.job_id(at)) if channel == "email" else None,
            error=None if told else "the recipient does not want this channel",
            job_id=job_id,
            created_at=at,
            sent_at=at + timedelta(seconds=2) if told else None,
            delivered_at=at + timedelta(seconds=9) if told else None,
            read_at=at + timedelta(hours=1) if channel == "in_app" and tenant.chance(0.5) else None,
        )
