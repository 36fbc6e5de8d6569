"""`make demo`: the whole system on this machine, from `enqueue` to what the jobs make, once.

Eight mails, one of each other job on seeded data, and what other systems send over HTTP. Exit code 0 when everything that it claims is where it says.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import fields
from uuid import UUID

import psycopg
from rich.live import Live
from rich.table import Table

from infra.local.cloud import LocalCloud, LocalCloudError
from infra.local.console import end_on_sigterm, fail, out, up
from infra.local.demonstration.mails import mails
from infra.local.demonstration.rows import Rows
from infra.local.demonstration.scene import DemoError, Received, Scene, Shown, require, shown
from infra.local.demonstration.webhooks import send, webhooks
from infra.local.demonstration.workers import workers
from infra.seed import Seeded, SeedError, seed
from infra.template import ROOT
from shared import database, executions
from shared.dispatcher import enqueue
from shared.errors import PosthasteError
from shared.job_request import JobRequest
from shared.rows import Execution

FOLDER = ROOT / ".local" / "demo"
_BACKOFF_SCALE = 0.02  # 12 s and 148 s between deliveries become 0.24 s and 3 s
_PATIENCE = 120.0  # seconds
_MADE_ANEW = ("mails", "files", "rows")
_WRITTEN = {
    "activity_logs",
    "email_suppressions",
    "subscriptions",
    "listing_syndications",
    "lead_matches",
    "notifications",
}
_UNFINISHED = "SELECT count(*) FROM job_executions WHERE completed_at IS NULL AND (not_before IS NULL OR not_before < now())"
_COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "red",
    "retrying": "yellow",
    "processing": "cyan",
}


def main() -> int:
    """Run the demonstration; the exit code."""
    end_on_sigterm()
    started = time.monotonic()
    logs = FOLDER / "functions.log"
    for name in _MADE_ANEW:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    out.print("[bold]Posthaste[/]: starting the local cloud")
    try:
        with logs.open("w", buffering=1) as log:
            cloud = LocalCloud(
                FOLDER,
                fresh=True,
                backoff_scale=_BACKOFF_SCALE,
                log=lambda line: print(line, file=log),
                announce=up,
            )
            with cloud:
                _demonstrate(_set(cloud))
    except KeyboardInterrupt:
        return fail("interrupted; everything was stopped")
    except (LocalCloudError, PosthasteError, SeedError, DemoError, psycopg.Error) as error:
        return fail(f"{error} (the functions' log is {logs.relative_to(ROOT)})")
    out.print(
        f"[green]✓[/] done in {time.monotonic() - started:.1f} s; [bold]make dev[/] keeps the same cloud up"
    )
    return 0


def _set(cloud: LocalCloud) -> Scene:
    """The cloud with data in it, and this process as an application that enqueues."""
    os.environ.update(cloud.environment)
    with psycopg.connect(cloud.database_url) as connection:
        seeded = seed(connection)
        _store_expired_export(cloud, connection, seeded)
    up("data of twenty letting agencies (make seed)")
    return Scene(cloud, seeded, FOLDER)


def _store_expired_export(cloud: LocalCloud, connection: psycopg.Connection, seeded: Seeded) -> None:
    """Make the seeded record's file, which the seed cannot, for cleanup-old-data to find."""
    row = connection.execute(
        "UPDATE app.exports SET bucket = %s WHERE id = %s RETURNING key",
        [cloud.files_bucket, seeded.expired_export_id],
    ).fetchone()
    if row is None:
        raise DemoError("the seeded export is not there")
    cloud.aws.write(cloud.files_bucket, row[0], b"id\n")


def _demonstrate(scene: Scene) -> None:
    rows = Rows.from_now_on(scene.cloud.database_url)
    out.print(
        "Enqueueing eight mails and one of each other job (the last mail is made to fail twice), and sending webhooks",
        soft_wrap=True,
    )
    acts = [
        Shown(act, _begin(scene, act.request)) for act in [*mails(scene), *workers(scene), *webhooks(scene)]
    ]
    try:
        _watch(scene, acts)
    finally:
        out.print()  # where there is no terminal, the table ends without one
        database.discard()
    scene.save_mails()
    saved = rows.save(scene.folder / "rows")
    require(saved >= _WRITTEN, f"no job wrote to {', '.join(sorted(_WRITTEN - saved))}")
    _tell(scene, acts)


def _begin(scene: Scene, request: JobRequest | Received) -> UUID:
    if isinstance(request, Received):
        return send(scene, request)
    return enqueue(**{field.name: getattr(request, field.name) for field in fields(request)})


def _watch(scene: Scene, acts: list[Shown]) -> None:
    """Show the jobs as they stand until all have ended, and those that they set off. Raises DemoError."""
    deadline = time.monotonic() + _PATIENCE
    with Live(console=out, refresh_per_second=12) as live:
        while True:
            jobs = _read(acts)
            live.update(_table(acts, jobs))
            if all(job.completed_at for job in jobs) and not scene.rows(_UNFINISHED)[0]["count"]:
                break
            if time.monotonic() > deadline:
                raise DemoError(f"not all jobs were completed within {_PATIENCE:.0f} s")
            time.sleep(0.05)
    _require_success(scene, acts, jobs)


def _require_success(scene: Scene, acts: list[Shown], jobs: list[Execution]) -> None:
    for each in scene.rows(
        "SELECT job_id, job_type, status, error FROM job_executions WHERE status IN ('failed', 'cancelled')"
    ):
        raise DemoError(f"{each['job_type']} {each['job_id']} ended as {each['status']}: {each['error']}")
    for act, job in zip((each.act for each in acts), jobs, strict=True):
        if job.attempt < act.attempts:  # more only says that this machine is busy
            raise DemoError(f"{act.title} was to take {act.attempts} attempts and took {job.attempt}")


def _read(acts: list[Shown]) -> list[Execution]:
    def find(connection: database.Connection) -> list[Execution | None]:
        return [executions.find(connection, each.job_id) for each in acts]

    return [job for job in database.run(find) if job is not None]


def _table(acts: list[Shown], jobs: list[Execution]) -> Table:
    table = Table(
        "type", "what", "status", "attempt", "duration", title="job_executions", title_justify="left"
    )
    for each, job in zip(acts, jobs, strict=True):
        colour = _COLOURS.get(job.status, "white")
        attempt = f"{job.attempt} of {job.max_attempts}"
        table.add_row(job.job_type, each.act.title, f"[{colour}]{job.status}[/]", attempt, _duration(job))
    return table


def _duration(job: Execution) -> str:
    if job.completed_at is None:
        return ""
    return f"{(job.completed_at - job.created_at).total_seconds():.2f} s"


def _tell(scene: Scene, acts: list[Shown]) -> None:
    """Where to see what each job made. Raises DemoError if one of them did not."""
    table = Table(title="What they made", title_justify="left")
    table.add_column("type")
    table.add_column("what, and where", overflow="fold")
    for each, job in zip(acts, _read(acts), strict=True):
        table.add_row(job.job_type, each.act.made(scene, job))
    out.print(table)
    out.print(f"All rows that were written, a file a table: {shown(scene.folder / 'rows')}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
