"""`list`: jobs by any filters, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from functions.jobs_api.shapes import JobPage, JobSummary
from functions.jobs_api.wording import ago, clock
from infra.cli.api import Api
from infra.cli.columns import Column
from infra.cli.options import connected, filtered
from infra.cli.session import Session

PAGE = 200  # jobs, the most that the API gives at once
_MOST_PAGES = 25  # that are searched for a few jobs, unless all are wanted
COLUMNS = (
    Column("JOB"),
    Column("TYPE", 1),
    Column("STATUS", coloured=True),
    Column("TRY", 5, right=True),
    Column("AGE", 2, right=True),
    Column("ORG", 6, right=True),
    Column("USER", 7, right=True),
    Column("ERROR", 3, cut=True),
)


@click.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All that fit.")
@click.option("--cursor", metavar="CURSOR", help="Go on where another list ended.")
@click.option("--ids", is_flag=True, help="Job ids alone, one a line.")
@connected
def list_jobs(
    session: Session,
    /,
    *,
    filters: dict[str, Any],
    limit: int,
    everything: bool,
    cursor: str | None,
    ids: bool,
) -> None:
    """List jobs, newest first, by any filters together.

    An id in the list is whole also where the terminal is narrow; other columns go first.
    """
    if ids and session.as_json:
        raise click.UsageError("--ids and --json are two forms: give one of them")
    kept: list[JobSummary] = []
    found, last = 0, JobPage(jobs=[], next=cursor, searched_to=None)
    with session.knowing_types(filters.get("type")):
        for last in pages(session.api, filters, None if everything else limit, cursor):
            if session.as_json:
                kept += last.jobs
            elif ids:
                show_ids(session, last.jobs)
            else:
                show_jobs(session, last.jobs, titled=not found)
            found += len(last.jobs)
    if session.as_json:
        session.screen.emit(JobPage(jobs=kept, next=last.next, searched_to=last.searched_to))
    _say_the_rest(session, found, last)


def pages(
    api: Api, filters: dict[str, Any], limit: int | None, cursor: str | None = None
) -> Iterator[JobPage]:
    """Pages until `limit` jobs were found; None for all that fit."""
    found = looked_at = 0
    while True:
        size = PAGE if limit is None else min(limit - found, PAGE)
        page = api.get("/v1/jobs", JobPage, **filters, limit=size, cursor=cursor)
        found, looked_at, cursor = found + len(page.jobs), looked_at + 1, page.next
        yield page
        if cursor is None or (limit is not None and (found >= limit or looked_at >= _MOST_PAGES)):
            return


def show_ids(session: Session, jobs: list[JobSummary]) -> None:
    """Their ids, one a line."""
    for job in jobs:
        session.screen.show(str(job.job_id))


def show_jobs(session: Session, jobs: list[JobSummary], *, titled: bool = True) -> None:
    """Jobs as a table."""
    if jobs:
        session.screen.table(COLUMNS, [_row(job) for job in jobs], titled=titled)


def _row(job: JobSummary) -> tuple[str, ...]:
    return (
        str(job.job_id),
        job.type,
        job.status,
        tries(job),
        ago(job.created_at).removesuffix(" ago"),
        "" if job.organization_id is None else str(job.organization_id),
        "" if job.user_id is None else str(job.user_id),
        job.error or "",
    )


def tries(job: JobSummary) -> str:
    """How many attempts of how many."""
    return f"{job.attempt}/{job.max_attempts}"


def _say_the_rest(session: Session, found: int, last: JobPage) -> None:
    if last.next is None:
        if found == 0:
            session.screen.say("no job fits")
        return
    searched = f", searched back to {clock(last.searched_to)}" if last.searched_to else ""
    how = f"--limit, --all, or --cursor {last.next}"
    session.screen.say(f"the newest {found} that fit{searched}; there may be more: {how}", "dim")
