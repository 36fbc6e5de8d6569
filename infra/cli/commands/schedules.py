"""`schedules`: list, pause, resume, run."""

from __future__ import annotations

import click

from functions.jobs_api.shapes import Done, RunNow, Schedule, Schedules
from functions.jobs_api.wording import ago
from infra.cli.api import part
from infra.cli.columns import Column
from infra.cli.errors import NotDone
from infra.cli.options import connected, waiting
from infra.cli.session import Session, nearest
from infra.cli.waiting import wait_for_end

_COLUMNS = (
    Column("SCHEDULE"), Column("TYPE", 4), Column("CRON", 3), Column("ZONE", 6), Column("NEXT", 1, right=True),
    Column("LAST", 2, coloured=True), Column("RAN", 5, right=True), Column("ORG", 7, right=True), Column("ERROR", 8, cut=True),
)  # fmt: skip
_named = click.argument("name", metavar="SCHEDULE")


@click.group("schedules", invoke_without_command=True)
@connected
@click.pass_context
def schedules(ctx: click.Context, session: Session) -> None:
    """List the schedules, or pause, resume or run one.

    SCHEDULE is its id, or the part after the last dot where no other has it.
    """
    if ctx.invoked_subcommand is None:
        _list(session)


@schedules.command("list")
@connected
def list_schedules(session: Session) -> None:
    """List them, with each one's next and latest run."""
    _list(session)


@schedules.command("pause")
@_named
@connected
def pause_schedule(session: Session, name: str) -> None:
    """Let its times pass, until it is resumed."""
    _act(session, name, "pause", "is paused")


@schedules.command("resume")
@_named
@connected
def resume_schedule(session: Session, name: str) -> None:
    """Go on from its next time."""
    _act(session, name, "resume", "goes on")


@schedules.command("run")
@_named
@waiting
@connected
def run_schedule(session: Session, name: str, wait: bool, timeout: float) -> None:
    """Run its job once, now, and print the job's id."""
    schedule = _find(session, name)
    run = session.api.post(f"/v1/schedules/{part(schedule.id)}/run", RunNow)
    if wait:
        wait_for_end(session, str(run.job_id), timeout, expected=True)
    elif session.as_json:
        session.screen.emit(run)
    else:
        session.screen.show(str(run.job_id))


def _list(session: Session) -> None:
    found = session.api.get("/v1/schedules", Schedules)
    if session.as_json:
        session.screen.emit(found)
    elif found.schedules:
        session.screen.table(_COLUMNS, [_row(each) for each in found.schedules])
    else:
        session.screen.say("there are no schedules")


def _row(each: Schedule) -> tuple[str, ...]:
    run = each.last_run
    return (
        each.id,
        each.type,
        each.cron,
        each.time_zone,
        "paused" if each.paused else ago(each.next_run_at),
        run.status if run else "",
        ago(run.created_at) if run else "",
        "" if each.organization_id is None else str(each.organization_id),
        (run.error or "") if run else "",
    )


def _act(session: Session, name: str, verb: str, result: str) -> None:
    schedule = _find(session, name)
    session.api.post(f"/v1/schedules/{part(schedule.id)}/{verb}", Done)
    if session.as_json:
        session.screen.emit({"scheduleId": schedule.id})
    else:
        session.screen.show(f"{schedule.id} {result}")


def _find(session: Session, name: str) -> Schedule:
    """The schedule of that id, or the only one with that last part. Raises NotDone."""
    known = session.api.get("/v1/schedules", Schedules).schedules
    exact = [each for each in known if each.id == name]
    alike = exact or [each for each in known if each.id.rpartition(".")[2].lower() == name.lower()]
    match alike:
        case [one]:
            return one
        case []:
            names = {each.id.rpartition(".")[2] for each in known}
            raise NotDone(f"there is no schedule {name!r}: {nearest(name, names)}")
        case _:
            raise NotDone(f"{name!r} is more than one: {', '.join(each.id for each in alike)}")
