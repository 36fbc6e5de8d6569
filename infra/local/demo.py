"""`make demo`: the whole system on this machine, from `enqueue` to a mail, once.

Eight mails, one of each template and one whose first two deliveries fail. Exit code 0 when all of them have arrived.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from rich.live import Live
from rich.table import Table

from infra.local.cloud import LocalCloud, LocalCloudError
from infra.local.console import end_on_sigterm, fail, out, up
from infra.template import ROOT
from shared import database, executions
from shared.dispatcher import enqueue
from shared.errors import PosthasteError
from shared.jobs.send_email import (
    EmailChangeData,
    PasswordChangedData,
    PasswordResetData,
    PaymentFailedData,
    SendEmail,
    SubscriptionCreatedData,
    TeamInvitationData,
    WelcomeData,
)
from shared.rows import Execution

FOLDER = ROOT / ".local" / "demo"
_BACKOFF_SCALE = 0.02  # 12 s and 148 s between deliveries become 0.24 s and 3 s
_PATIENCE = 60.0  # seconds
_APP = "http://localhost:3000"
_COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "red",
    "retrying": "yellow",
    "processing": "cyan",
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail of the demonstration."""

    job_id: UUID
    title: str
    to: str


def main() -> int:
    """Run the demonstration; the exit code."""
    end_on_sigterm()
    started = time.monotonic()
    logs = FOLDER / "functions.log"
    shutil.rmtree(FOLDER / "mails", ignore_errors=True)
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
                _demonstrate(cloud)
    except KeyboardInterrupt:
        return fail("interrupted; everything was stopped")
    except (LocalCloudError, PosthasteError, DemoError) as error:
        return fail(f"{error} (the functions' log is {logs.relative_to(ROOT)})")
    out.print(
        f"[green]✓[/] done in {time.monotonic() - started:.1f} s; [bold]make dev[/] keeps the same cloud up"
    )
    return 0


class DemoError(Exception):
    """The system did not do what it should have."""


def _demonstrate(cloud: LocalCloud) -> None:
    os.environ.update(cloud.environment)
    out.print(
        "Enqueueing eight mails; the first two deliveries of the last one are made to fail", soft_wrap=True
    )
    cloud.mailbox.fail_next(2, status=503, to="unlucky@example.com")
    sent = [_enqueue(title, email) for title, email in _emails().items()]
    try:
        _watch(sent)
    finally:
        out.print()  # where there is no terminal, the table ends without one
        database.discard()
    _save(cloud, sent)


def _enqueue(title: str, email: SendEmail) -> Sent:
    return Sent(enqueue(email, user_id=1, organization_id=1), title, email.to)


def _emails() -> dict[str, SendEmail]:
    now = datetime.now(UTC)
    data = {
        "welcome": WelcomeData(name="Ada Lovelace", get_started_url=f"{_APP}/start"),
        "passwordReset": PasswordResetData(
            name="Ada Lovelace", reset_url=f"{_APP}/reset?token=demo", expires_at=now + timedelta(hours=1)
        ),
        "passwordChanged": PasswordChangedData(
            name="Ada Lovelace", changed_at=now, reset_url=f"{_APP}/reset?token=demo"
        ),
        "emailChange": EmailChangeData(
            name="Ada Lovelace",
            old_email="ada@example.com",
            new_email="lovelace@example.com",
            confirm_url=f"{_APP}/confirm?token=demo",
            expires_at=now + timedelta(days=1),
        ),
        "teamInvitation": TeamInvitationData(
            inviter_name="Grace Hopper",
            inviter_email="grace@example.com",
            team_name="Compilers",
            accept_url=f"{_APP}/join?token=demo",
            expires_at=now + timedelta(days=7),
        ),
        "subscriptionCreated": SubscriptionCreatedData(
            name="Ada Lovelace",
            plan_name="Team",
            amount=2900,
            currency="EUR",
            interval="month",
            renews_at=now + timedelta(days=30),
            billing_url=f"{_APP}/billing",
        ),
        "paymentFailed": PaymentFailedData(
            name="Ada Lovelace",
            plan_name="Team",
            amount=2900,
            currency="EUR",
            update_payment_url=f"{_APP}/billing/card",
            failed_at=now,
        ),
    }
    emails = {title: SendEmail(to="ada@example.com", data=each) for title, each in data.items()}
    unlucky = SendEmail(to="unlucky@example.com", data=WelcomeData(name="Charles Babbage"))
    return {**emails, "welcome (fails twice)": unlucky}


def _watch(sent: list[Sent]) -> None:
    """Show the jobs as they stand until all have ended. Raises DemoError if one failed or time is up."""
    deadline = time.monotonic() + _PATIENCE
    with Live(console=out, refresh_per_second=12) as live:
        while True:
            jobs = _read(sent)
            live.update(_table(sent, jobs))
            if all(job.completed_at for job in jobs):
                break
            if time.monotonic() > deadline:
                raise DemoError(f"not all jobs were completed within {_PATIENCE:.0f} s")
            time.sleep(0.05)
    if unhappy := [job for job in jobs if job.status != "completed"]:
        raise DemoError(f"job {unhappy[0].job_id} ended as {unhappy[0].status}: {unhappy[0].error}")
    if jobs[-1].attempt != 3:
        raise DemoError(f"the last job was to fail twice and took {jobs[-1].attempt} attempts")


def _read(sent: list[Sent]) -> list[Execution]:
    def find(connection: database.Connection) -> list[Execution | None]:
        return [executions.find(connection, each.job_id) for each in sent]

    return [job for job in database.run(find) if job is not None]


def _table(sent: list[Sent], jobs: list[Execution]) -> Table:
    table = Table(
        "type", "mail", "status", "attempt", "duration", title="job_executions", title_justify="left"
    )
    for each, job in zip(sent, jobs, strict=True):
        colour = _COLOURS.get(job.status, "white")
        attempt = f"{job.attempt} of {job.max_attempts}"
        table.add_row(job.job_type, each.title, f"[{colour}]{job.status}[/]", attempt, _duration(job))
    return table


def _duration(job: Execution) -> str:
    if job.completed_at is None:
        return ""
    return f"{(job.completed_at - job.created_at).total_seconds():.2f} s"


def _save(cloud: LocalCloud, sent: list[Sent]) -> None:
    """Keep the mails beyond the mailbox's life, and say where they are. Raises DemoError if one is missing."""
    if len(cloud.mailbox.mails) != len(sent):
        raise DemoError(f"{len(sent)} mails were sent and the mailbox has {len(cloud.mailbox.mails)}")
    folder = FOLDER / "mails"
    folder.mkdir(parents=True)
    out.print("The mails, as the mailbox got them:")
    for number, mail in enumerate(cloud.mailbox.mails, 1):
        path = folder / f"{number}-{_slug(mail.subject)}.html"
        path.write_text(mail.html or "", "utf-8")
        path.with_suffix(".txt").write_text(mail.text or "", "utf-8")
        out.print(f"  {mail.subject:<52} {_shown(path)}", soft_wrap=True)


def _slug(subject: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in subject.lower()).split())[:50]


def _shown(path: Path) -> str:
    return f"[link={path.as_uri()}]{path.relative_to(ROOT)}[/link]"


if __name__ == "__main__":
    sys.exit(main())
