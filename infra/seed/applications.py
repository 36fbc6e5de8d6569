"""Applications of every age and status, with their documents and the reminders sent so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.seed.people import add_user
from infra.seed.tables import Row
from infra.seed.tenant import Application, Home, Tenant

_DOCUMENTS = ("photo_id", "pay_stub", "bank_statement", "landlord_reference")
_LIFETIME = timedelta(days=14)
_REMINDERS = {"day1": 1, "day3": 3, "day7": 7}  # sent so many days after the start


@dataclass(frozen=True, slots=True)
class _Case:
    """A status, how many hours ago it was started, and how many of four documents are there."""

    status: str
    hours: float
    documents: int = 0


_CASES = {
    "just started": _Case("started", 2),
    "a day old": _Case("started", 25),  # day1 is due and was not sent
    "three days old": _Case("started", 75, 1),
    "a week old": _Case("started", 170, 1),
    "documents missing": _Case("documents_pending", 30, 2),
    "documents missing for long": _Case("documents_pending", 200, 3),
    "submitted": _Case("submitted", 40),
    "complete": _Case("complete", 100, 4),
    "approved": _Case("approved", 400, 4),
    "denied": _Case("denied", 420, 4),
    "withdrawn": _Case("withdrawn", 250, 1),
    "expired": _Case("expired", 500, 1),
    "over its time": _Case("started", 340),  # still open: nobody has expired it yet
}


def add_applications(tenant: Tenant) -> None:
    """One of each case."""
    homes = tenant.on_market
    for place, (name, case) in enumerate(_CASES.items()):
        tenant.applications[name] = _add_application(tenant, homes[place % len(homes)], case)


def _add_application(tenant: Tenant, home: Home, case: _Case) -> Application:
    applicant = add_user(tenant, "example.org", newest=case.hours / 24, oldest=case.hours / 24 + 30)
    started = tenant.ago(hours=case.hours)
    times = _times(case, started)
    number = tenant.tables.add(
        "applications",
        organization_id=tenant.id,
        listing_id=home.id,
        applicant_id=applicant.id,
        status=case.status,
        required_documents=list(_DOCUMENTS),
        created_at=started,
        expires_at=started + _LIFETIME,
        **times,
    )
    _add_documents(tenant, number, case, started)
    _add_reminders(tenant, number, case, started)
    return Application(number, applicant, home, case.status, started)


def _times(case: _Case, started: datetime) -> Row:
    submitted = (
        started + timedelta(hours=1) if case.status not in {"started", "withdrawn", "expired"} else None
    )
    decided = started + timedelta(days=4) if case.status in {"approved", "denied"} else None
    ended = None
    if case.status in {"complete", "approved", "denied", "withdrawn"}:
        ended = started + timedelta(days=3)
    elif case.status == "expired":
        ended = started + _LIFETIME
    return {
        "submitted_at": submitted,
        "decided_at": decided,
        "reminders_started_at": started,
        "reminders_ended_at": ended,
        "updated_at": max(each for each in (started, submitted, decided, ended) if each),
    }


def _add_documents(tenant: Tenant, application_id: int, case: _Case, started: datetime) -> None:
    """Those that are there, the next one rejected where it has been long, the rest asked for."""
    if case.status == "submitted":
        return
    for place, kind in enumerate(_DOCUMENTS):
        there = place < case.documents
        rejected = place == case.documents == 3
        received = started + timedelta(minutes=20 * (place + 1)) if there or rejected else None
        reviewed = received is not None and (
            rejected or case.status not in {"started", "withdrawn", "expired"}
        )
        tenant.tables.add(
            "application_documents",
            organization_id=tenant.id,
            application_id=application_id,
            kind=kind,
            status=("rejected" if rejected else "verified" if reviewed else "received")
            if received
            else "requested",
            file_key=f"applications/{application_id}/{kind}.pdf" if received else None,
            rejection_reason="The scan cannot be read." if rejected else None,
            requested_at=started,
            received_at=received,
            reviewed_at=started + timedelta(hours=3) if reviewed else None,
        )


def _add_reminders(tenant: Tenant, application_id: int, case: _Case, started: datetime) -> None:
    """What has been sent; what fell due less than two hours ago has not."""
    waits = {"missingDocs": 1} if case.status == "documents_pending" else _REMINDERS
    if case.status not in {"started", "documents_pending", "expired"}:
        return
    for reminder_type, days in waits.items():
        sent = started + timedelta(days=days)
        if case.hours > days * 24 + 2 and not (reminder_type == "missingDocs" and case.documents < 3):
            tenant.tables.add(
                "application_reminders",
                organization_id=tenant.id,
                application_id=application_id,
                reminder_type=reminder_type,
                job_id=tenant.job_id(sent),
                sent_at=sent,
            )
