"""`stats`, `health`, `dead-letters`, `types` and `activity`: what there is to know of all jobs together."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import click
from rich.text import Text

from functions.jobs_api.shapes import (
    ActionNote,
    ActionPage,
    DeadLetterGroups,
    Health,
    Statistics,
    TypeDescription,
    Types,
    TypeStatistics,
)
from functions.jobs_api.wording import ago, clock, pretty, span, thousands
from infra.cli.columns import Column
from infra.cli.errors import NotDone, Wrong
from infra.cli.options import ID, connected
from infra.cli.screen import COLOURS
from infra.cli.session import Session, nearest
from infra.cli.values import Span

_BARS = " ▁▂▃▄▅▆▇█"
_STATISTICS = (
    Column("TYPE"), Column("JOBS", right=True), Column("COMPLETED", 2, right=True), Column("FAILED", 1, right=True),
    Column("CANCELLED", 7, right=True), Column("OPEN", 4, right=True), Column("RETRIES", 6, right=True),
    Column("FAILED %", 3, right=True), Column("P50", 5, right=True), Column("P95", 5, right=True), Column("LONGEST", 8, right=True),
)  # fmt: skip
_GROUPS = (
    Column("JOBS", right=True), Column("TYPE", 1), Column("GROUP"), Column("LATEST", 2, right=True),
    Column("JOB", 4), Column("ERROR", 3, cut=True),
)  # fmt: skip
_TYPES = (
    Column("TYPE"), Column("RETRIES", 2, right=True), Column("TIMEOUT", 3, right=True), Column("SENSITIVE", 4),
    Column("WHAT IT DOES", 1, cut=True),
)  # fmt: skip
_ACTIONS = (
    Column("AT"), Column("KEY"), Column("VIA", 4), Column("ACTION"), Column("TARGET", 2), Column("FROM", 5),
    Column("OUTCOME", 1, cut=True), Column("ID", 6, right=True),
)  # fmt: skip


@click.command("stats")
@click.option(
    "--window",
    type=Span(),
    default="24h",
    show_default=True,
    help="Of jobs accepted so long ago at most: 1m to 31d.",
)
@click.option("--organization", type=ID, metavar="ID", help="Of this organization alone.")
@connected
def show_statistics(session: Session, window: float, organization: int | None) -> None:
    """Show counts and durations by type, of the jobs accepted within a window."""
    found = session.api.get("/v1/statistics", Statistics, window=int(window), organizationId=organization)
    if session.as_json:
        session.screen.emit(found)
        return
    by_type: dict[str, list[TypeStatistics]] = defaultdict(list)
    for each in found.types:
        by_type[each.type].append(each)
    if not by_type:
        session.screen.say(f"no job was accepted within the last {span(window)}")
        return
    session.screen.table(_STATISTICS, [_of_type(name, rows) for name, rows in sorted(by_type.items())])
    if session.screen.out.is_terminal:
        _show_steps(session, found)
    if not found.complete:
        session.screen.say("there were so many that only the newest were counted", "yellow")


def _of_type(name: str, rows: list[TypeStatistics]) -> tuple[str, ...]:
    jobs = {row.status: row.jobs for row in rows}
    completed = next((row for row in rows if row.status == "completed"), None)
    total, failed = sum(jobs.values()), jobs.get("failed", 0)
    ended = failed + jobs.get("completed", 0)
    times = (
        (completed.p50_duration, completed.p95_duration, completed.longest_duration)
        if completed
        else (None,) * 3
    )
    return (
        name,
        thousands(total),
        thousands(jobs.get("completed", 0)),
        thousands(failed),
        thousands(jobs.get("cancelled", 0)),
        thousands(sum(jobs.get(status, 0) for status in ("pending", "processing", "retrying"))),
        thousands(sum(row.retries for row in rows)),
        f"{failed / ended:.1%}" if ended else "–",
        *map(span, times),
    )  # fmt: skip


def _show_steps(session: Session, found: Statistics) -> None:
    """A line of bars for what was accepted, and one for what failed."""
    session.screen.show()
    for name, counts in (
        ("accepted", [step.accepted for step in found.steps]),
        ("failed", [step.failed for step in found.steps]),
    ):
        most = max(counts, default=0)
        bars = "".join(_BARS[-(-count * (len(_BARS) - 1) // most) if most else 0] for count in counts)
        colour = COLOURS["failed" if name == "failed" else "completed"]
        scale = f"  at most {thousands(most)} in {span(found.step)}"
        session.screen.show(Text.assemble((f"{name:<9} ", "dim"), (bars, colour), (scale, "dim")))


@click.command("health")
@connected
def show_health(session: Session) -> None:
    """Show how the queue does. Exit code 1 where it is unhealthy: an alarm would ring."""
    session.keyless = True
    health = session.api.health()
    if session.as_json:
        session.screen.emit(health)
    else:
        _show_health(session, health)
    if health.health == "unhealthy":
        raise NotDone("; ".join(health.reasons or ["it is unhealthy (with a key it says why)"]))


def _show_health(session: Session, health: Health) -> None:
    session.screen.show(Text(health.health, COLOURS[health.health]))
    if health.health != "unhealthy":
        for reason in health.reasons or []:
            session.screen.show(f"  {reason}")
    if health.counts is None:
        session.screen.say("with a key (JOBS_API_KEY) it tells the figures too", "dim")
        return
    counts = ", ".join(f"{jobs} {status}" for status, jobs in health.counts.items() if jobs)
    facts: dict[str, Any] = {
        "last hour": f"{health.total_jobs} jobs" + (f": {counts}" if counts else ""),
        "failed": f"{health.failure_rate or 0:.1%} of those that ended",
        "waiting": _waiting(health),
        "stuck": health.stuck,
        "dead letters": health.dead_letters,
        "unpublished": health.unpublished,
    }
    for name, value in facts.items():
        session.screen.fact(name, value)


def _waiting(health: Health) -> str:
    due = f", the oldest due one for {span(health.oldest_pending)}" if health.oldest_pending else ""
    return f"{health.depth}{due}"


@click.command("dead-letters")
@click.option("--organization", type=ID, metavar="ID", help="Of this organization alone.")
@connected
def list_dead_letters(session: Session, organization: int | None) -> None:
    """List dead letters by what went wrong. Run a group again: replay --error-group GROUP."""
    found = session.api.get("/v1/dead-letters", DeadLetterGroups, organizationId=organization)
    if session.as_json:
        session.screen.emit(found)
        return
    if not found.groups:
        session.screen.say("there are no dead letters")
        return
    rows = [
        (thousands(each.jobs), each.type, each.error_group, ago(each.last_at), str(each.job_id), each.error)
        for each in found.groups
    ]
    session.screen.table(_GROUPS, rows)
    if not found.complete:
        session.screen.say(f"of the newest {thousands(found.looked_at)}; there are older ones", "yellow")


@click.command("types")
@click.argument("job_type", metavar="[TYPE]", required=False)
@connected
def list_types(session: Session, job_type: str | None) -> None:
    """List the job types; of one, what its payload takes, as JSON Schema."""
    found = session.api.get("/v1/types", Types)
    if job_type is not None:
        _show_type(session, found.types, job_type)
    elif session.as_json:
        session.screen.emit(found)
    else:
        rows = [
            (
                each.type,
                str(each.retries),
                span(each.timeout),
                "yes" if each.sensitive else "",
                each.description,
            )
            for each in found.types
        ]
        session.screen.table(_TYPES, rows)


def _show_type(session: Session, known: list[TypeDescription], wanted: str) -> None:
    one = next((each for each in known if each.type == wanted), None)
    if one is None:
        raise Wrong(f"there is no job type {wanted!r}: {nearest(wanted, [str(each.type) for each in known])}")
    if session.as_json:
        session.screen.emit(one)
        return
    session.screen.show(f"{one.type}: {one.description}")
    session.screen.show(pretty(one.payload_schema))


@click.command("activity")
@click.option("--target", metavar="ID", help="Of this job or schedule alone.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="At most so many.")
@click.option("--before", type=ID, metavar="ID", help="Go on before this one.")
@connected
def list_actions(session: Session, target: str | None, limit: int, before: int | None) -> None:
    """List who did what, latest first."""
    found = session.api.get("/v1/actions", ActionPage, target=target, limit=limit, before=before)
    if session.as_json:
        session.screen.emit(found)
    elif found.actions:
        session.screen.table(_ACTIONS, [_action(each) for each in found.actions])
    else:
        session.screen.say("nothing was done")
    if found.next is not None and not session.as_json:
        session.screen.say(f"there is more: --before {found.next}", "dim")


def _action(note: ActionNote) -> tuple[str, ...]:
    outcome = note.outcome or "under way, or broken off"
    return (
        clock(note.at),
        note.key_name,
        note.via,
        note.action,
        note.target or "",
        note.source_ip,
        outcome,
        str(note.id),
    )
