"""`replay` and `cancel`: jobs by their ids, or all that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click

from functions.jobs_api.shapes import MOST_AT_ONCE, Count, Done
from infra.cli.api import part
from infra.cli.bulk import Outcome, Sweep, each_of, jobs_of
from infra.cli.commands.retrying import retry
from infra.cli.errors import NotDone, Wrong
from infra.cli.options import connected, described, filtered
from infra.cli.session import Session
from infra.cli.values import JobIds, job_ids_of


@dataclass(frozen=True, slots=True)
class _How:
    """How many jobs, and whether to ask."""

    yes: bool
    dry_run: bool
    limit: int | None
    at_once: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class _Action:
    """What is done to jobs: to one of them, and to all that fit, which have one of these statuses."""

    verb: str
    past: str
    one: Callable[[str], None]
    path: str
    statuses: tuple[str, ...]
    body: dict[str, Any] = field(default_factory=dict)


def _many(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of what acts on many jobs."""
    for option in (
        click.option("--cursor", metavar="CURSOR", help="Go on where one that broke off came to."),
        click.option("--at-once", type=click.IntRange(1, MOST_AT_ONCE), default=50, show_default=True, help="Jobs a request."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="The newest so many at most."),
        click.option("--dry-run", is_flag=True, help="Only tell how many fit."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("replay")
@click.argument("job_ids", metavar="[JOB_ID|-]...", nargs=-1, type=JobIds())
@filtered
@_many
@connected
def replay_jobs(
    session: Session, /, *, job_ids: tuple[str, ...], filters: dict[str, Any], **how: Any
) -> None:
    r"""Run many jobs again: those of these ids (- reads them from stdin), or all dead letters that fit.

    By filter it asks first, with their number, unless --yes. --status cancelled takes cancelled jobs.

    \b
    replay --type send-email --error "timed out" --since 2h
    list --status failed --ids | grep … | replay -
    """
    action = _Action(
        "replay",
        "replayed",
        lambda job_id: retry(session, job_id),
        "/v1/jobs/replay",
        ("failed", "cancelled"),
    )
    _act(session, action, job_ids_of(job_ids), filters, _How(**how))


@click.command("cancel")
@click.argument("job_ids", metavar="[JOB_ID|-]...", nargs=-1, type=JobIds())
@filtered
@_many
@click.option("--reason", help="Why; the jobs keep it.")
@connected
def cancel_jobs(
    session: Session,
    /,
    *,
    job_ids: tuple[str, ...],
    filters: dict[str, Any],
    reason: str | None,
    **how: Any,
) -> None:
    """Cancel jobs that have not ended: those of these ids (- reads them from stdin), or all pending ones that fit.

    By filter it asks first, with their number, unless --yes. --status takes retrying or processing ones too.
    """
    why = {} if reason is None else {"reason": reason}

    def cancel(job_id: str) -> None:
        session.api.post(f"/v1/jobs/{part(job_id)}/cancel", Done, why)

    statuses = ("pending", "retrying", "processing")
    action = _Action("cancel", "cancelled", cancel, "/v1/jobs/cancel", statuses, why)
    _act(session, action, job_ids_of(job_ids), filters, _How(**how))


def _act(session: Session, action: _Action, job_ids: list[str], filters: dict[str, Any], how: _How) -> None:
    if job_ids and filters:
        raise Wrong(f"{action.verb} takes job ids or filters, not both")
    if not (job_ids or filters):
        hint = f"their ids, or at least one filter, as --status {action.statuses[0]}"
        raise Wrong(f"say which jobs to {action.verb}: {hint}")
    outcome = _those(session, action, job_ids, how) if job_ids else _fitting(session, action, filters, how)
    if outcome is not None:
        _tell(session, action, outcome)


def _those(session: Session, action: _Action, job_ids: list[str], how: _How) -> Outcome | None:
    if how.dry_run:
        _preview(session, action, Count(count=len(job_ids), complete=True), jobs_of(len(job_ids)))
        return None
    return each_of(session, job_ids, action.one, action.verb)


def _fitting(session: Session, action: _Action, filters: dict[str, Any], how: _How) -> Outcome | None:
    status = filters.get("status", action.statuses[0])
    if status not in action.statuses:
        raise Wrong(f"{action.verb} takes jobs that are {' or '.join(action.statuses)}, not {status}")
    filters = {**filters, "status": status}
    with session.knowing_types(filters.get("type")):
        fitting = session.api.get("/v1/jobs/count", Count, **filters)
    expected = fitting.count if how.limit is None else min(fitting.count, how.limit)
    jobs = _in_words(filters, fitting, how)
    if how.dry_run:
        _preview(session, action, fitting, jobs)
        return None
    if fitting.count == 0 and fitting.complete:
        return Outcome()
    session.confirm(f"{action.verb.capitalize()} {jobs} at {session.api.target.name}?", yes=how.yes)
    sweep = Sweep(action.path, {**action.body, "filter": filters}, how.limit, how.at_once, how.cursor)
    return sweep.run(session, expected, action.verb)


def _in_words(filters: dict[str, Any], fitting: Count, how: _How) -> str:
    which = f" ({described(filters)})" if described(filters) else ""
    more = "" if fitting.complete else " or more"
    newest = f"the newest {how.limit} of " if how.limit is not None and how.limit < fitting.count else ""
    return (
        f"{newest}{fitting.count}{more} {filters['status']} {'job' if fitting.count == 1 else 'jobs'}{which}"
    )


def _preview(session: Session, action: _Action, fitting: Count, jobs: str) -> None:
    if session.as_json:
        session.screen.emit(fitting)
    else:
        session.screen.show(f"would {action.verb} {jobs}")


def _tell(session: Session, action: _Action, outcome: Outcome) -> None:
    """What was done. Raises NotDone if a job that was named refused."""
    done, refused = len(outcome.job_ids), len(outcome.failures)
    if session.as_json:
        session.screen.emit(outcome.as_json)
    else:
        skipped = f"; {outcome.skipped} had changed meanwhile" if outcome.skipped else ""
        session.screen.show(f"{action.past} {jobs_of(done)}{skipped}")
    for job_id, why in outcome.failures.items():
        session.screen.say(f"✗ {why}" if job_id in why else f"✗ {job_id}: {why}", "red")
    if refused:
        were = "was" if refused == 1 else "were"
        raise NotDone(f"{refused} of {jobs_of(refused + done)} {were} not {action.past}")
