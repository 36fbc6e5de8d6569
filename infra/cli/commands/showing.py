"""`show`: one job whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from functions.jobs_api.pages.timeline import Moment, timeline
from functions.jobs_api.shapes import AttemptError, Job
from functions.jobs_api.wording import ago, clock, pretty, span
from infra.cli.api import part
from infra.cli.options import connected
from infra.cli.screen import COLOURS, Screen, one_line, safe
from infra.cli.session import Session
from infra.cli.values import JobId


@click.command("show")
@click.argument("job_id", type=JobId())
@click.option("--tracebacks", is_flag=True, help="Where each error was raised, too.")
@connected
def show_job(session: Session, job_id: str, tracebacks: bool) -> None:
    """Show one job: its attempts and their errors, payload, result, progress, and where else to look."""
    job = session.api.get(f"/v1/jobs/{part(job_id)}", Job)
    if session.as_json:
        session.screen.emit(job)
        return
    for name, value in _facts(job, f"{session.api.target.url}/jobs/{job.job_id}"):
        session.screen.fact(name, value, COLOURS.get(str(value), "") if name == "status" else "")
    session.screen.show()
    for moment in timeline(job):
        _moment(session.screen, moment, tracebacks=tracebacks)
    if job.more_children:
        session.screen.show(Text(f"    and more: list --parent {job.job_id}", "dim"))
    for title, value in (("payload", job.payload), ("result", job.result), ("progress", job.progress)):
        _document(session.screen, title, value)


def _facts(job: Job, page: str) -> Iterator[tuple[str, Any]]:
    yield "job", job.job_id
    yield "type", job.type
    yield "status", job.status
    yield "attempt", f"{job.attempt} of {job.max_attempts}" + (f", run {job.run}" if job.run > 1 else "")
    yield "user", job.user_id
    yield "organization", job.organization_id
    yield "key", job.idempotency_key
    yield "schedule", job.schedule_id
    yield "batch", job.batch_id
    yield "then of", job.completes_batch
    for name, at in (
        ("accepted", job.created_at),
        ("not before", job.not_before),
        ("started", job.started_at),
        ("ended", job.completed_at),
        ("lease until", job.lease_expires_at),
    ):
        yield name, None if at is None else f"{clock(at)} ({ago(at)})"
    yield "message", job.qstash_message_id
    yield "page", page


def _moment(screen: Screen, moment: Moment, *, tracebacks: bool) -> None:
    line = Text.assemble((f"{clock(moment.at)}  ", "dim"), (moment.title, COLOURS.get(moment.kind, "")))
    if moment.seconds is not None:
        line.append(f"  {span(moment.seconds)} {'long' if moment.kind == 'completed' else 'later'}", "dim")
    screen.show(line)
    for each in _chain(moment):
        screen.show(Text(f"    {one_line(each)}"))
    if moment.error is not None:
        _error(screen, moment.error, tracebacks=tracebacks)


def _chain(moment: Moment) -> Iterator[str]:
    if moment.parent is not None:
        yield f"put there by {moment.parent.type} {moment.parent.job_id}, {moment.parent.status}"
    if moment.batch is not None:
        yield f"when batch {moment.batch} had ended"
    for child in moment.children:
        yield f"{child.type} {child.job_id}, {child.status}"


def _error(screen: Screen, error: AttemptError, *, tracebacks: bool) -> None:
    text = f"{error.type or 'error'}: {error.message or ''}"
    if tracebacks and error.traceback:
        text += "\n" + error.traceback.rstrip()
    for line in safe(text).splitlines():
        screen.show(Text(f"    {line}", "red"))


def _document(screen: Screen, title: str, value: Any) -> None:
    if value is None:
        return
    screen.show()
    screen.show(Text(title, "bold"))
    screen.show(pretty(value))
