"""Rows worth knowing by id, among all that were seeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Seeded:
    """What the data is, and where to begin: ids of the first organization's rows, and of another's."""

    created: bool  # False: it was there already
    now: datetime  # that all times are relative to
    organization_id: int  # has everything there is
    owner_id: int  # its owner's user
    member_id: int  # another member's
    agent_id: int
    subscription_id: int  # the current one
    listing_id: int  # the agent's: on the market, on no platform yet, with leads and no matches yet
    fitting_lead_id: int  # of the agent; the listing is all they wish for
    unfitting_lead_id: int  # of the agent; it is too small, too dear and in the wrong city
    application_id: int  # submitted; two of four documents are missing, and no reminder was sent
    applicant_id: int  # its applicant's user
    day_old_application_id: int  # started 25 hours ago; no reminder was sent
    overdue_application_id: int  # started, past its time, not expired yet
    expired_application_id: int
    withdrawn_application_id: int
    expired_export_id: int  # whose file should be deleted by now
    bounced_email: str  # is suppressed
    other_organization_id: int  # is past due
    past_due_subscription_id: int  # its subscription
