"""process-webhook with GitHub's events: the activity of an organization."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.seed import Seeded
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.process_webhook import ProcessWebhook
from shared.registry import JobType
from tests.integration.workers.conftest import Runner

AT = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
REPOSITORY = {"id": 1, "full_name": "acme/website", "private": True}
SENDER = {"login": "ada", "id": 7}
PUSH = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": "a" * 40,
    "compare": "https://github.example.com/acme/website/compare/0...a",
    "commits": [{"id": "a" * 40, "message": "Mend the footer"}],
    "repository": REPOSITORY,
    "sender": SENDER,
}
PULL_REQUEST = {
    "action": "closed",
    "number": 12,
    "pull_request": {"title": "Mend the footer", "html_url": "https://github.example.com/12", "merged": True},
    "repository": REPOSITORY,
    "sender": SENDER,
}
RELEASE = {
    "action": "published",
    "release": {"tag_name": "v1.2.0", "name": None, "html_url": "https://github.example.com/v1.2.0"},
    "repository": REPOSITORY,
    "sender": SENDER,
}
INSTALLATION = {
    "action": "created",
    "installation": {"id": 4711, "account": {"login": "acme"}},
    "sender": SENDER,
}


def github_event(event: str, data: dict[str, Any], **changes: Any) -> ProcessWebhook:
    fields = {"source": "github", "event": event, "data": data, "event_id": "delivery-1", "occurred_at": AT}
    return ProcessWebhook(**fields | changes)


# As GitHub's schema also has it: not known yet whether it is merged; installed for an enterprise, which has no login.
UNKNOWN_MERGE = PULL_REQUEST | {"pull_request": PULL_REQUEST["pull_request"] | {"merged": None}}  # type: ignore[operator]
ENTERPRISE = INSTALLATION | {"installation": {"id": 4711, "account": {"slug": "acme-inc", "name": "Acme"}}}


@pytest.fixture
def handler(environment: pytest.MonkeyPatch) -> Any:
    return importlib.import_module("functions.process_webhook.handler").handler


def activities(connection: Connection, source: str) -> list[dict[str, Any]]:
    return connection.execute(
        "SELECT * FROM app.activity_logs WHERE source = %s ORDER BY id", [source]
    ).fetchall()


@pytest.fixture(autouse=True)
def no_other_activity(connection: Connection) -> None:
    connection.execute("DELETE FROM app.activity_logs WHERE source = 'github'")


def events(connection: Connection, event_id: str) -> list[dict[str, Any]]:
    return connection.execute("SELECT * FROM app.webhook_events WHERE event_id = %s", [event_id]).fetchall()


@pytest.mark.parametrize(
    ("event", "data", "action", "subject", "details"),
    [
        (
            "push",
            PUSH,
            "github.push",
            ("repository", "acme/website"),
            {"commits": 1, "ref": "refs/heads/main"},
        ),
        (
            "pull_request",
            PULL_REQUEST,
            "github.pull_request.closed",
            ("pull_request", "acme/website#12"),
            {"merged": True, "title": "Mend the footer"},
        ),
        (
            "release",
            RELEASE,
            "github.release.published",
            ("release", "acme/website@v1.2.0"),
            {"name": None},
        ),
        (
            "installation",
            INSTALLATION,
            "github.installation.created",
            ("installation", "4711"),
            {"account": "acme"},
        ),
        (
            "pull_request",
            UNKNOWN_MERGE,
            "github.pull_request.closed",
            ("pull_request", "acme/website#12"),
            {"merged": None},
        ),
        (
            "installation",
            ENTERPRISE,
            "github.installation.created",
            ("installation", "4711"),
            {"account": "acme-inc"},
        ),
    ],
    ids=["push", "pull_request", "release", "installation", "unknown merge", "enterprise"],
)
def test_githubs_events_become_activity(
    run: Runner,
    handler: Any,
    connection: Connection,
    seeded: Seeded,
    event: str,
    data: dict[str, Any],
    action: str,
    subject: tuple[str, str],
    details: dict[str, Any],
) -> None:
    job = run(handler, github_event(event, data), organization_id=seeded.organization_id)
    assert job.result == {"eventId": "delivery-1", "status": "processed", "reason": None}
    (activity,) = activities(connection, "github")
    assert (activity["action"], activity["subject_type"], activity["subject_id"]) == (action, *subject)
    assert (activity["organization_id"], activity["external_id"]) == (seeded.organization_id, "delivery-1")
    assert (activity["occurred_at"], activity["data"]["sender"]) == (AT, "ada")
    assert activity["data"].items() >= details.items()
    (row,) = events(connection, "delivery-1")
    assert (row["status"], row["event_type"], row["payload"]) == ("processed", event, data)


def test_a_delivery_is_written_once(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    """Also where retention has deleted the event's row in between."""
    for status in ("processed", "duplicate"):
        job = run(handler, github_event("push", PUSH), organization_id=seeded.organization_id)
        assert job.result["status"] == status
    connection.execute("DELETE FROM app.webhook_events")
    run(handler, github_event("push", PUSH), organization_id=seeded.organization_id)
    assert len(activities(connection, "github")) == 1


@pytest.mark.parametrize(
    ("organization_id", "reason"),
    [
        (None, "nobody knows whose event this is: it names no account, and was enqueued without one"),
        (999_999, "there is no such organization"),
    ],
)
def test_an_event_of_nobody_is_ignored(
    run: Runner, handler: Any, connection: Connection, organization_id: int | None, reason: str
) -> None:
    job = run(handler, github_event("push", PUSH), organization_id=organization_id)
    assert job.result == {"eventId": "delivery-1", "status": "ignored", "reason": reason}
    assert activities(connection, "github") == []
    (row,) = events(connection, "delivery-1")
    assert (row["status"], row["error"]) == ("ignored", reason)


def test_githubs_other_events_are_ignored(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded
) -> None:
    job = run(handler, github_event("ping", {"zen": "…"}), organization_id=seeded.organization_id)
    assert (job.status, job.result["reason"]) == ("completed", "ping is no activity")


@pytest.mark.parametrize(
    ("event", "data", "words"),
    [
        ("push", {"ref": "refs/heads/main"}, "after: Field required"),
        ("release", RELEASE | {"action": "Drop Table"}, "action: String should match pattern"),
        ("installation", INSTALLATION | {"installation": {"id": 0}}, "installation.id: Input should be"),
    ],
    ids=["push", "action", "installation"],
)
def test_an_event_of_another_shape_is_a_dead_letter(
    run: Runner,
    handler: Any,
    connection: Connection,
    seeded: Seeded,
    event: str,
    data: dict[str, Any],
    words: str,
) -> None:
    job = run(handler, github_event(event, data), organization_id=seeded.organization_id)
    assert (job.status, job.attempt) == ("failed", 1)
    assert words in (job.error or "")
    (row,) = events(connection, "delivery-1")
    assert (row["status"], row["error"]) == ("failed", job.error)
    assert activities(connection, "github") == []


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_leaves_nothing_half_made(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, point: FaultPoint
) -> None:
    with armed(point), pytest.raises(Crash):
        run(handler, github_event("push", PUSH), organization_id=seeded.organization_id)
    assert (activities(connection, "github"), events(connection, "delivery-1")) == ([], [])
    (job,) = run.accepted(JobType.PROCESS_WEBHOOK)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    for _time in range(2):
        assert run.deliver(handler, job.job_id) == 200
    assert len(activities(connection, "github")) == 1


# --- whose it is --------------------------------------------------------------------------------------------

ACME = {"login": "acme", "id": 9_919}


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ("push", PUSH | {"repository": REPOSITORY | {"owner": ACME}}),
        ("pull_request", PULL_REQUEST | {"organization": ACME}),
        ("release", RELEASE | {"repository": REPOSITORY | {"owner": ACME}, "installation": {"id": 1}}),
        ("installation", INSTALLATION | {"installation": {"id": 4711, "account": ACME}}),
        (
            "push",
            PUSH | {"organization": ACME, "repository": REPOSITORY | {"owner": {"login": "x", "id": 5}}},
        ),
    ],
    ids=["owner", "organization", "owner, of an app", "installation", "organization before owner"],
)
def test_without_an_organization_it_is_the_accounts(
    run: Runner, handler: Any, connection: Connection, seeded: Seeded, event: str, data: dict[str, Any]
) -> None:
    connection.execute(
        "UPDATE app.organizations SET github_account_id = %s WHERE id = %s",
        [ACME["id"], seeded.other_organization_id],
    )
    assert run(handler, github_event(event, data)).result["status"] == "processed"
    (activity,) = activities(connection, "github")
    assert activity["organization_id"] == seeded.other_organization_id


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PUSH | {"organization": ACME}, "no organization is the GitHub account acme (id 9919)"),
        (PUSH, "nobody knows whose event this is"),
        (PUSH | {"organization": {"login": "acme"}}, "nobody knows whose event this is"),
        (PUSH | {"organization": {"login": "acme", "id": 2**63}}, "nobody knows whose event this is"),
        (PUSH | {"organization": "acme"}, "nobody knows whose event this is"),
    ],
)
def test_an_account_that_is_nobodys_is_ignored(
    run: Runner, handler: Any, data: dict[str, Any], reason: str
) -> None:
    job = run(handler, github_event("push", data))
    assert (job.result["status"], reason in job.result["reason"]) == ("ignored", True)
