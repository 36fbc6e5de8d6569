"""A report without an organization: a job for each of them."""

from __future__ import annotations

from functions.generate_report.snapshot import Row, statement
from shared.dispatcher import JobRequest
from shared.envelope import WireModel
from shared.job import Job
from shared.jobs.generate_report import GenerateReport
from shared.outcomes import Complete

_PER_RUN = 500  # organizations; then another job carries on


class FannedOut(WireModel):
    """The result of a job for all organizations: how many reports it set off, and whether another job goes on after it."""

    started: int
    goes_on: bool


def fan_out(job: Job[GenerateReport]) -> Complete:
    """Queue a report for each organization, for its owner, in the transaction that ends this job."""
    after = {"after": job.payload.after_organization_id, "limit": _PER_RUN}
    with job.transaction() as connection:
        organizations = connection.execute(statement("list_organizations"), after).fetchall()
    goes_on = len(organizations) == _PER_RUN
    then = [_report(job, organization) for organization in organizations]
    if goes_on:
        rest = job.payload.model_copy(update={"after_organization_id": organizations[-1]["id"]})
        then.append(JobRequest(rest, user_id=job.user_id))
    return Complete(FannedOut(started=len(organizations), goes_on=goes_on), then=then)


def _report(job: Job[GenerateReport], organization: Row) -> JobRequest:
    payload = job.payload.model_copy(update={"after_organization_id": None})
    return JobRequest(payload, user_id=organization["owner_id"], organization_id=organization["id"])
