"""Scores an agent's leads against a listing, and tells the agent of the best."""

from __future__ import annotations

from functions.crm_match.mail import tell
from functions.crm_match.matching import find_agent, find_listing, key_of, match
from shared.envelope import WireModel
from shared.jobs.crm_match import CrmMatch
from shared.outcomes import Cancel, Complete, Fail
from shared.settings import AppSettings
from shared.worker import Job, job_worker


class Matched(WireModel):
    """The result: how many leads were looked at, how many the listing suits, and what of that is new.

    `told` is how many of them the agent's mail shows; 0 where there was nothing new to tell.
    """

    leads: int
    matches: int
    changed: int
    removed: int
    told: int


@job_worker(CrmMatch, needs=[AppSettings])
def handler(job: Job[CrmMatch]) -> Complete | Cancel | Fail:
    """Match; what is found, and the mail about it, commit with the job."""
    if job.organization_id is None:
        return Fail("leads are an organization's: enqueue with organization_id")
    key = key_of(job)
    with job.transaction() as connection:
        listing, agent = find_listing(connection, key), find_agent(connection, key)
        if listing is None or agent is None:
            return Fail("the organization has no such listing or no such agent")
        if not agent.active:
            return Cancel("the agent has left")
        found = match(connection, key, listing)
    mail = tell(agent, job.payload.listing_id, listing, found) if found.news else None
    result = Matched(
        leads=found.leads,
        matches=len(found.lead_ids),
        changed=found.changed,
        removed=found.removed,
        told=0 if mail is None else len(found.best),
    )
    return Complete(result, then=[] if mail is None else [mail])
