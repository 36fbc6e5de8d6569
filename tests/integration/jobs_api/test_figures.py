"""Health, statistics, batches, schedules and job types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from qstash import QStash

from functions.jobs_api.reading import figures
from infra.local.qstash import QStashServer
from shared import executions
from shared.database import Connection
from shared.envelope import Envelope
from shared.jobs.crm_match import CrmMatch
from shared.registry import JobType
from shared.schedules import schedule
from tests.integration.jobs_api.client import Client
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import batch, failed
from tests.integration.test_executions import put


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


def completed(connection: Connection, **columns: Any) -> None:
    put(connection, **{"status": "completed", "attempt": 1, "completed_at": datetime.now(UTC)} | columns)


def health(client: Client) -> tuple[int, Any]:
    figures.forget()
    answer = client.get("/health")
    return answer.status, answer.json


# --- health --------------------------------------------------------------------------------------------------


def test_an_empty_queue_is_healthy(keys: Keys) -> None:
    status, told = health(keys.ops)
    assert (status, told["health"], told["totalJobs"], told["failureRate"], told["reasons"]) == (
        200,
        "healthy",
        0,
        0.0,
        [],
    )
    assert told["counts"] == dict.fromkeys(
        ["pending", "processing", "retrying", "completed", "failed", "cancelled"], 0
    )


def test_without_a_key_only_the_verdict_is_told(keys: Keys, connection: Connection) -> None:
    failed(connection)
    assert health(keys.nobody) == (503, {"health": "unhealthy", **dict.fromkeys(
        ["reasons", "counts", "totalJobs", "failureRate", "complete", "depth", "oldestPending", "stuck", "deadLetters",
         "unpublished"])})  # fmt: skip
    assert Client("ph_wrong").get("/health").status == 401


def test_it_counts_the_last_hour(keys: Keys, connection: Connection) -> None:
    for _number in range(19):
        completed(connection)
    failed(connection)
    completed(connection, created_at=ago(hours=2))
    failed(connection, created_at=ago(hours=2))
    status, told = health(keys.ops)
    assert (told["totalJobs"], told["failureRate"], told["counts"]["completed"], told["deadLetters"]) == (
        20,
        0.05,
        19,
        2,
    )
    assert (status, told["health"]) == (200, "degraded")  # 5 % are not more than 5 %
    failed(connection)
    status, told = health(keys.ops)
    assert (status, told["health"], told["failureRate"]) == (503, "unhealthy", 0.0952)
    assert told["reasons"][0].startswith("9.5% of the last hour's ended jobs have failed")


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"created_at": {"seconds": 290}}, "healthy"),
        ({"created_at": {"seconds": 310}}, "unhealthy"),
        ({"created_at": {"days": 9}, "not_before": {"seconds": 10}}, "healthy"),
        ({"created_at": {"days": 9}, "not_before": {"seconds": 310}}, "unhealthy"),
        ({"created_at": {"days": 9}, "not_before": {"seconds": -600}}, "healthy"),
        # A job that runs again is as old as its replay.
        ({"created_at": {"days": 9}, "run": 2, "attempt": 1, "updated_at": {"seconds": 3}}, "healthy"),
        (
            {"status": "processing", "started_at": {"minutes": 11}, "lease_expires_at": {"seconds": 9}},
            "unhealthy",
        ),
        (
            {"status": "processing", "started_at": {"minutes": 11}, "lease_expires_at": {"seconds": -9}},
            "healthy",
        ),
        (
            {"status": "processing", "started_at": {"minutes": 9}, "lease_expires_at": {"seconds": 9}},
            "healthy",
        ),
    ],
)
def test_its_terms_are_the_alarms(
    keys: Keys, connection: Connection, columns: dict[str, Any], verdict: str
) -> None:
    moments = {name: ago(**value) if isinstance(value, dict) else value for name, value in columns.items()}
    put(connection, organization_id=OWN, **moments)
    for client in (keys.ops, keys.own):
        status, told = health(client)
        assert (status, told["health"]) == (503 if verdict == "unhealthy" else 200, verdict), told
    assert health(keys.foreign)[1]["health"] == "healthy"


def test_an_organizations_gauges_are_its_own(keys: Keys, connection: Connection) -> None:
    for organization in (OWN, OWN, FOREIGN, None):
        put(connection, organization_id=organization)
        failed(connection, organization_id=organization)
        put(connection, organization_id=organization, status="retrying", attempt=1)
    told = {name: health(client)[1] for name, client in (("ops", keys.ops), ("own", keys.own))}
    assert [(each["depth"], each["deadLetters"], each["totalJobs"]) for each in told.values()] == [
        (8, 4, 12),
        (4, 2, 6),
    ]
    assert told["ops"]["depth"] == executions.measure_queue(connection).depth


def test_many_callers_cost_one_look(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    real = figures._rows

    def look(name: str, values: Any) -> Any:
        looks.append(name)
        return real(name, values)

    monkeypatch.setattr(figures, "_rows", look)
    for _time in range(5):
        keys.nobody.get("/health")
    assert looks == ["count_statuses"]


# --- statistics ----------------------------------------------------------------------------------------------


def test_a_window_is_counted_by_type_and_status_and_in_steps(keys: Keys, connection: Connection) -> None:
    for seconds in range(1, 22):
        now = datetime.now(UTC)
        completed(connection, started_at=now - timedelta(seconds=seconds), completed_at=now, attempt=2)
    failed(
        connection,
        created_at=ago(minutes=30),
        completed_at=ago(minutes=20),
        job_type="send-email",
        organization_id=OWN,
    )
    failed(connection, created_at=ago(hours=2))
    told = keys.ops.get("/v1/statistics", window=3600).json
    assert [(each["type"], each["status"], each["jobs"], each["retries"]) for each in told["types"]] == [
        ("crm-match", "completed", 21, 21), ("send-email", "failed", 1, 0),
    ]  # fmt: skip
    durations = told["types"][0]
    assert [
        round(durations[name], 6)
        for name in ("averageDuration", "p50Duration", "p95Duration", "longestDuration")
    ] == [11, 11, 20, 21]
    assert (told["step"], len(told["steps"]) in {60, 61, 62}, told["complete"]) == (60, True, True)
    for name, jobs in (("accepted", 22), ("completed", 21), ("failed", 1)):
        assert sum(step[name] for step in told["steps"]) == jobs
    own = keys.own.get("/v1/statistics", window=86_400).json
    assert [(each["type"], each["jobs"]) for each in own["types"]] == [("send-email", 1)]
    assert sum(step["accepted"] for step in own["steps"]) == 1


def test_a_window_with_too_many_says_so(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_COUNTED", 2)
    for _number in range(3):
        completed(connection)
    told = keys.ops.get("/v1/statistics").json
    assert (told["complete"], sum(each["jobs"] for each in told["types"])) == (False, 2)


@pytest.mark.parametrize("window", [0, 59, -1, 31 * 86_400 + 1, "x", "1e3"])
def test_a_window_that_is_none_is_refused(keys: Keys, window: object) -> None:
    answer = keys.ops.get("/v1/statistics", window=window)
    assert (answer.status, answer.json["problems"][0]["field"]) == (400, "window")


# --- batches -------------------------------------------------------------------------------------------------


def test_batches_are_listed_with_their_jobs(keys: Keys, connection: Connection) -> None:
    first, second = batch(connection, OWN), batch(connection, None, members=3)
    page = keys.ops.get("/v1/batches", limit=1).json
    assert ([each["id"] for each in page["batches"]], page["next"]) == ([str(second)], str(second))
    older = keys.ops.get("/v1/batches", limit=1, before=page["next"]).json
    assert ([each["id"] for each in older["batches"]], older["next"]) == ([str(first)], None)
    shown = keys.ops.get(f"/v1/batches/{second}").json
    assert (shown["total"], shown["remaining"], shown["thenType"], shown["firedAt"]) == (
        3,
        3,
        "crm-match",
        None,
    )
    assert len(keys.ops.get(f"/v1/batches/{second}/jobs").json["jobs"]) == 3
    assert [each["id"] for each in keys.own.get("/v1/batches").json["batches"]] == [str(first)]


# --- schedules -----------------------------------------------------------------------------------------------


def test_schedules_are_listed_paused_resumed_and_run_now(
    keys: Keys, client: QStash, connection: Connection, qstash: QStashServer
) -> None:
    schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", time_zone="Europe/Paris", schedule_id="nightly",
             organization_id=OWN, user_id=5, overlap="skip", retries=1)  # fmt: skip
    client.schedule.create(destination="https://elsewhere.example.com", cron="* * * * *")
    put(connection, schedule_id="nightly", status="completed", attempt=1, created_at=ago(days=1))
    (shown,) = keys.ops.get("/v1/schedules").json["schedules"]
    assert {name: shown[name] for name in ("id", "type", "cron", "timeZone", "paused", "organizationId", "userId", "overlap")} == {
        "id": "nightly", "type": "crm-match", "cron": "0 3 * * *", "timeZone": "Europe/Paris", "paused": False,
        "organizationId": OWN, "userId": 5, "overlap": "skip",
    }  # fmt: skip
    assert datetime.fromisoformat(shown["nextRunAt"]) > datetime.now(UTC)
    assert shown["lastRun"]["status"] == "completed"
    assert keys.ops.post("/v1/schedules/nightly/pause").json == {"done": True}
    assert keys.ops.get("/v1/schedules").json["schedules"][0]["paused"] is True
    assert keys.own.post("/v1/schedules/nightly/resume").json == {"done": True}
    assert keys.ops.get("/v1/schedules").json["schedules"][0]["paused"] is False
    run = keys.own.post("/v1/schedules/nightly/run")
    assert run.status == 202
    noted = keys.ops.get("/v1/actions", target="nightly").json["actions"]
    assert [each["action"] for each in noted] == ["run schedule", "resume schedule", "pause schedule"]
    assert noted[0]["details"] == {"job_id": run.json["jobId"]}


def test_a_run_by_hand_is_one_of_the_schedules(keys: Keys, client: QStash, connection: Connection) -> None:
    """What QStash is given is a scheduled delivery, whose worker makes the row that was promised."""
    from shared.envelope import scheduled_job_id
    from tests.integration.delivering import event
    from tests.integration.jobs import Note
    from tests.integration.test_schedules import deliver

    schedule(Note(text="daily"), "0 3 * * *", schedule_id="nightly", organization_id=OWN, retries=1)
    promised = keys.own.post("/v1/schedules/nightly/run").json["jobId"]
    logged = client.http.request(path="/v2/logs", method="GET")["events"]
    message = client.message.get(logged[0]["messageId"])
    assert str(scheduled_job_id(message.message_id)) == promised
    envelope = Envelope.model_validate_json(message.body or "")
    assert (envelope.job_id, envelope.publication) == (None, 0)
    assert (
        deliver(event((message.body or "").encode(), headers={"upstash-message-id": message.message_id}))[0]
        == 200
    )
    row = connection.execute("SELECT * FROM job_executions").fetchone() or {}
    assert (str(row["job_id"]), row["schedule_id"], row["organization_id"], row["max_attempts"]) == (
        promised,
        "nightly",
        OWN,
        2,
    )


@pytest.mark.parametrize("action", ["pause", "resume", "run"])
def test_a_schedule_that_is_not_there_is_not_found(keys: Keys, qstash: QStashServer, action: str) -> None:
    assert keys.ops.post(f"/v1/schedules/nothing/{action}").status == 404


def test_qstash_out_of_reach_is_said(keys: Keys) -> None:
    answer = keys.ops.get("/v1/schedules")
    assert (answer.status, answer.json["error"], "retry-after" in answer.headers) == (
        503, "QStash cannot be asked now: try again", True,
    )  # fmt: skip


# --- types ---------------------------------------------------------------------------------------------------


def test_types_say_what_they_take(keys: Keys) -> None:
    told = {each["type"]: each for each in keys.ops.get("/v1/types").json["types"]}
    assert set(told) == {each.value for each in JobType}
    assert set(told["crm-match"]["payloadSchema"]["required"]) == {"listingId", "agentId"}
    assert (
        told["crm-match"]["withinOrganization"],
        told["process-stripe-webhook"]["withinOrganization"],
    ) == (True, False)
