"""`batches`: which there are, and one with its jobs."""

from __future__ import annotations

from uuid import UUID

import click

from functions.jobs_api.shapes import Batch, BatchPage, JobPage
from functions.jobs_api.wording import ago
from infra.cli.api import part
from infra.cli.columns import Column
from infra.cli.commands.listing import show_jobs
from infra.cli.options import STATUSES, connected
from infra.cli.session import Session
from infra.cli.values import JobId

_COLUMNS = (
    Column("BATCH"), Column("ENDED", right=True), Column("THEN", 2), Column("THEN JOB", 4), Column("AGE", 1, right=True),
    Column("ORG", 3, right=True),
)  # fmt: skip


@click.command("batches")
@click.argument("batch_id", metavar="[BATCH_ID]", type=JobId(), required=False)
@click.option("--status", type=click.Choice(STATUSES), help="Of one: its jobs of this status.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="At most so many.")
@click.option("--before", type=click.UUID, metavar="BATCH_ID", help="Go on before this batch.")
@click.option("--cursor", metavar="CURSOR", help="Of one: go on in its jobs.")
@connected
def batches(
    session: Session,
    /,
    *,
    batch_id: str | None,
    status: str | None,
    limit: int,
    before: UUID | None,
    cursor: str | None,
) -> None:
    """List batches, newest first; of one, its jobs."""
    if batch_id is not None:
        _show(session, batch_id, status, limit, cursor)
        return
    found = session.api.get("/v1/batches", BatchPage, limit=limit, before=before)
    if session.as_json:
        session.screen.emit(found)
        return
    if found.batches:
        session.screen.table(_COLUMNS, [_row(each) for each in found.batches])
    else:
        session.screen.say("there are no batches")
    if found.next is not None:
        session.screen.say(f"there are more: --before {found.next}", "dim")


def _show(session: Session, batch_id: str, status: str | None, limit: int, cursor: str | None) -> None:
    batch = session.api.get(f"/v1/batches/{part(batch_id)}", Batch)
    jobs = session.api.get(
        f"/v1/batches/{part(batch_id)}/jobs", JobPage, status=status, limit=limit, cursor=cursor
    )
    if session.as_json:
        session.screen.emit({"batch": batch.model_dump(mode="json"), **jobs.model_dump(mode="json")})
        return
    session.screen.table(_COLUMNS, [_row(batch)])
    session.screen.show()
    show_jobs(session, jobs.jobs)
    if jobs.next is not None:
        session.screen.say(f"there are more: --cursor {jobs.next}", "dim")


def _row(each: Batch) -> tuple[str, ...]:
    ended = f"{each.total - each.remaining}/{each.total}"
    organization = "" if each.organization_id is None else str(each.organization_id)
    return str(each.id), ended, each.then_type, str(each.then_job_id), ago(each.created_at), organization
