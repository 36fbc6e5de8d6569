"""`tail`: jobs as they come, run and end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.text import Text

from functions.jobs_api.shapes import JobSummary
from functions.jobs_api.wording import between
from infra.cli.commands.listing import tries
from infra.cli.errors import Unreachable
from infra.cli.following import Follower
from infra.cli.options import ID, STATUSES, connected
from infra.cli.screen import COLOURS, one_line
from infra.cli.session import Session

_TYPE_WIDTH = 22
_LONGEST_PAUSE = 15.0  # seconds between two tries where nobody answers


@click.command("tail")
@click.argument("job_type", metavar="[TYPE]", required=False)
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES),
    help="Only what becomes this; may be repeated.",
)
@click.option("--user", type=ID, metavar="ID", help="Only for this user.")
@click.option("--organization", type=ID, metavar="ID", help="Only for this organization.")
@click.option(
    "--last",
    type=click.IntRange(0, 200),
    default=10,
    show_default=True,
    help="Begin with the latest so many.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@connected
def tail_jobs(
    session: Session,
    /,
    *,
    job_type: str | None,
    statuses: tuple[str, ...],
    user: int | None,
    organization: int | None,
    last: int,
    interval: float,
) -> None:
    """Follow jobs of a type, or all, as they come, run and end. Ctrl-C ends it, with exit code 0.

    With --json a line for each change. It goes on where the API is out of reach for a while.
    """
    given = {"type": job_type, "userId": user, "organizationId": organization}
    follower = Follower(session.api, {name: value for name, value in given.items() if value is not None})
    with session.knowing_types(job_type):
        begun = follower.begin(last)
    with suppressed_interrupt():
        _show(session, begun, statuses)
        _follow(session, follower, statuses, interval)


@contextmanager
def suppressed_interrupt() -> Iterator[None]:
    """Ctrl-C is how this ends."""
    try:
        yield
    except KeyboardInterrupt:
        return


def _follow(session: Session, follower: Follower, statuses: tuple[str, ...], interval: float) -> None:
    pause, is_lost = interval, False
    while True:
        session.sleep(pause)
        try:
            changed = follower.look()
        except Unreachable as error:
            if not is_lost:
                session.screen.say(f"{error}. Trying again", "yellow")
            pause, is_lost = min(pause * 2, max(interval, _LONGEST_PAUSE)), True
            continue
        if is_lost:
            session.screen.say("it answers again", "green")
        pause, is_lost = interval, False
        _show(session, changed, statuses)


def _show(session: Session, jobs: list[JobSummary], statuses: tuple[str, ...]) -> None:
    for job in jobs:
        if statuses and job.status not in statuses:
            continue
        if session.as_json:
            session.screen.emit(job, lines=True)
        else:
            session.screen.show(_line(session, job))
    sys.stdout.flush()  # a pipe would wait for more


def _line(session: Session, job: JobSummary) -> Text:
    line = Text.assemble(
        (f"{job.updated_at:%H:%M:%S}  ", "dim"),
        (f"{job.status:<10}", COLOURS.get(job.status, "")),
        f"  {job.job_id}  ",
    )
    line.append(f"{one_line(job.type):<{_TYPE_WIDTH}}  {tries(job)}")
    if job.completed_at is not None:
        line.append(f"  {between(job.started_at, job.completed_at)}", "dim")
    if job.error and job.status != "completed":
        room = max(session.screen.out.width - line.cell_len - 2, 0)
        error = Text(f"  {one_line(job.error)}", "red")
        error.truncate(room if room > 20 else session.screen.out.width, overflow="ellipsis")
        line.append_text(error)
    return line
