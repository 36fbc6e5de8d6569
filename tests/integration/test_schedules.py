"""Schedules: made, changed, paused and removed at QStash, and their runs."""

from __future__ import annotations

import base64
import importlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qstash import QStash
from qstash.http import HttpClient

from infra.local.background import Background
from infra.local.qstash import QStashServer
from infra.local.qstash.cron import parse_cron
from shared import database, relay, schedules
from shared.database import Connection
from shared.dispatcher import cancel, retry
from shared.envelope import scheduled_job_id
from shared.errors import InvalidJob, MissingSettings, PublishFailed, PublishRejected, ScheduleNotFound
from shared.executions import statements
from shared.outcomes import Fail
from shared.rows import Execution
from shared.schedules import pause, resume, schedule, unschedule
from shared.worker import Job, job_worker
from tests.integration.conftest import Read
from tests.integration.delivering import URL, Context, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment")

DAILY = "0 3 * * *"
Fire = Callable[[str], dict[str, Any]]


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


@pytest.fixture
def fire(background: Background, qstash: QStashServer, client: QStash) -> Fire:
    """Let a schedule's time come; its delivery, as a function URL gets it."""

    def make(schedule_id: str) -> dict[str, Any]:
        message_id = background.call(qstash.trigger(schedule_id))
        body = client.message.get(message_id).body
        assert body is not None
        headers = {"upstash-message-id": message_id, "upstash-schedule-id": schedule_id}
        return event(body.encode(), headers=headers)

    return make


def deliver(delivery: dict[str, Any], run: Any = lambda _job: None) -> tuple[int, dict[str, Any]]:
    answer = job_worker(Note)(run)(delivery, Context())
    database.discard()
    return answer["statusCode"], json.loads(answer["body"])


def id_of(delivery: dict[str, Any]) -> UUID:
    return scheduled_job_id(delivery["headers"]["upstash-message-id"])


def jobs(connection: Connection) -> list[UUID]:
    return [row["job_id"] for row in connection.execute("SELECT job_id FROM job_executions ORDER BY id")]


# --- making them -------------------------------------------------------------------------------------------


def test_a_schedule_is_at_qstash_with_all_it_takes_to_deliver_a_job(client: QStash) -> None:
    made = schedule(
        Note(text="daily"),
        DAILY,
        time_zone="Europe/Paris",
        schedule_id="nightly_1.x",
        user_id=7,
        organization_id=9,
        retries=1,
        headers={"X-Trace": "abc"},
        callback="https://app.example.com/after",
        failure_callback="https://app.example.com/failed",
    )
    kept = client.schedule.get("nightly_1.x")
    assert made == kept.schedule_id == "nightly_1.x"
    assert (kept.cron, kept.destination, kept.method) == ("CRON_TZ=Europe/Paris 0 3 * * *", URL, "POST")
    assert (kept.retries, kept.timeout, kept.label, kept.paused) == (3, 80, "crm-match", False)
    assert kept.headers == {"Content-Type": ["application/json"], "X-Trace": ["abc"]}
    assert (kept.callback, kept.failure_callback) == ("https://app.example.com/after", URL)
    assert kept.flow_control is not None
    assert kept.flow_control.parallelism == 4
    body = json.loads(kept.body or "")
    assert (body["type"], body["payload"]) == ("crm-match", {"text": "daily"})
    assert (body["metadata"]["userId"], body["metadata"]["organizationId"]) == (7, 9)
    assert (body.get("jobId"), body["publication"]) == (None, 0)


def test_the_failure_callback_has_its_own_retries(client: QStash, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("QSTASH_MAX_RETRIES", "2")
    sent: list[dict[str, str]] = []
    real = HttpClient.request

    def request(http: HttpClient, **asked: Any) -> Any:
        sent.append(asked["headers"])
        return real(http, **asked)

    environment.setattr(HttpClient, "request", request)
    schedule(Note(), DAILY)
    assert (sent[0]["Upstash-Failure-Callback-Retries"], sent[0]["Upstash-Retries"]) == ("2", "2")


def test_the_type_decides_what_the_call_does_not_say(client: QStash) -> None:
    kept = client.schedule.get(schedule(Note(), DAILY))
    assert (kept.cron, kept.retries, kept.timeout) == (DAILY, 5, 80)
    assert (kept.callback, kept.headers) == (None, {"Content-Type": ["application/json"]})
    assert "overlap" not in (kept.body or "")


def test_scheduling_twice_changes_nothing(client: QStash) -> None:
    first = schedule(Note(), DAILY, organization_id=9)
    before = client.schedule.get(first)
    assert schedule(Note(), DAILY, organization_id=9) == first
    (after,) = client.schedule.list()
    before.created_at = after.created_at
    assert after == before


def test_scheduling_anew_replaces_cron_payload_and_options(client: QStash) -> None:
    first = schedule(Note(text="a"), DAILY, headers={"X-Old": "1"}, overlap="skip", time_zone="Europe/Paris")
    assert schedule(Note(text="b"), "*/5 * * * *", retries=0) == first
    (kept,) = client.schedule.list()
    body = json.loads(kept.body or "")
    assert (kept.cron, body["payload"], kept.retries) == ("*/5 * * * *", {"text": "b"}, 2)
    assert "X-Old" not in (kept.headers or {})
    assert "overlap" not in body["metadata"]["schedule"]


def test_each_organization_and_each_stack_has_its_own(
    client: QStash, environment: pytest.MonkeyPatch
) -> None:
    plain, ours, theirs = (schedule(Note(), DAILY, organization_id=owner) for owner in (None, 8, 9))
    assert (plain, ours) == ("crm-match", "crm-match-organization-8")
    found = {plain, ours, theirs}
    for stack in ("/staging/job-endpoints", "/production/job-endpoints"):
        environment.setenv("JOB_ENDPOINTS_PARAMETER", stack)
        assert schedule(Note(), DAILY) == schedule(Note(), "0 4 * * *")
        found.add(schedule(Note(), DAILY))
    assert len(found) == len(client.schedule.list()) == 5


def test_space_and_capitals_in_a_cron_do_not_matter(client: QStash) -> None:
    assert client.schedule.get(schedule(Note(), "  0 3\t* JAN  Mon-FRI ")).cron == "0 3 * jan mon-fri"


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"cron": "0 3 * *"}, "cron", "five fields .*4 are given"),
        ({"cron": "0 0 3 * * *"}, "cron", "five fields .*6 are given"),
        ({"cron": "CRON_TZ=Europe/Paris 0 3 * * *"}, "cron", "no time zone"),
        ({"cron": "@daily"}, "cron", "five fields"),
        ({"cron": ""}, "cron", "0 are given"),
        ({"cron": "60 * * * *"}, "cron", "minute: '60' is not within 0 to 59"),
        ({"cron": "* 24 * * *"}, "cron", "hour: '24' is not within 0 to 23"),
        ({"cron": "* * 0 * *"}, "cron", "day of the month: '0' is not within 1 to 31"),
        ({"cron": "* * * 13 *"}, "cron", "month: '13' is not within 1 to 12 or jan to dec"),
        ({"cron": "* * * * 7"}, "cron", "day of the week: '7' is not within 0 to 6 or sun to sat"),
        ({"cron": "mon * * * *"}, "cron", "minute: 'mon' is not within"),
        ({"cron": "* * * mon *"}, "cron", "month: 'mon' is not within"),
        ({"cron": "* * * monday *"}, "cron", "month: 'monday' is not"),
        ({"cron": "*/0 * * * *"}, "cron", "minute: '\\*/0' is not within"),
        ({"cron": "*/60 * * * *"}, "cron", "steps: 1 to 59"),
        ({"cron": "5-1 * * * *"}, "cron", "'5-1' runs backwards"),
        ({"cron": "* * * * sat-sun"}, "cron", "'sat-sun' runs backwards"),
        ({"cron": "1,,2 * * * *"}, "cron", "minute: '' is not"),
        ({"cron": "1-2-3 * * * *"}, "cron", "minute: '1-2-3' is not"),
        ({"cron": "-1 * * * *"}, "cron", "minute: '-1' is not"),
        ({"cron": "? * * * *"}, "cron", "minute: '\\?' is not"),
        ({"cron": "* * L * *"}, "cron", "day of the month: 'l' is not"),
        ({"cron": "٣ * * * *"}, "cron", "minute: '.u0663' is not"),
        ({"cron": "0 0 30 2 *"}, "cron", "never comes"),
        ({"cron": "0 0 31 4,jun */2"}, "cron", "never comes"),
        ({"cron": 5}, "cron", "string"),
        ({"cron": None}, "cron", "required"),
        ({"time_zone": "Europe/Pari"}, "time_zone", "'Europe/Pari' is not a known IANA time zone"),
        ({"time_zone": "europe/paris"}, "time_zone", "not a known"),
        ({"time_zone": "localtime"}, "time_zone", "not a known"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "not a known"),
        ({"time_zone": "+02:00"}, "time_zone", "not a known"),
        ({"time_zone": ""}, "time_zone", "not a known"),
        ({"time_zone": "UTC\r\nX: y"}, "time_zone", "not a known"),
        ({"schedule_id": "a b"}, "schedule_id", "letters, digits"),
        ({"schedule_id": "a/b"}, "schedule_id", "letters, digits"),
        ({"schedule_id": ".."}, "schedule_id", "the first a letter"),
        ({"schedule_id": "é"}, "schedule_id", "letters, digits"),
        ({"schedule_id": ""}, "schedule_id", "1 to 128"),
        ({"schedule_id": "x" * 129}, "schedule_id", "1 to 128"),
        ({"overlap": "queue"}, "overlap", "'allow' or 'skip'"),
        ({"retries": -1}, "retries", "greater than or equal to 0"),
        ({"organization_id": 0}, "organization_id", "greater than or equal to 1"),
        ({"headers": {"Upstash-Delay": "1s"}}, "headers", "cannot be set"),
        ({"callback": "app.example.com"}, "callback", "absolute http"),
        ({"failure_callback": "ftp://x"}, "failure_callback", "absolute http"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_sent(
    client: QStash, options: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(InvalidJob, match=said) as caught:
        schedule(Note(), **({"cron": DAILY} | options))
    assert caught.value.field == field
    assert client.schedule.list() == []


def test_all_that_is_wrong_is_named_at_once(client: QStash) -> None:
    with pytest.raises(InvalidJob) as caught:
        schedule(Note(), "* * * *", time_zone="Mars/Olympus", retries=99)
    assert {field for field, _what in caught.value.problems} == {"cron", "time_zone", "retries"}


def test_a_payload_that_cannot_be_sent_is_refused(client: QStash) -> None:
    with pytest.raises(InvalidJob, match="NUL"):
        schedule(Note(text="a\0b"), DAILY)
    assert client.schedule.list() == []


def test_without_time_zone_data_qstash_decides(client: QStash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "available_timezones", set)
    made = schedule(Note(), DAILY, time_zone="Asia/Tokyo")
    assert client.schedule.get(made).cron == "CRON_TZ=Asia/Tokyo 0 3 * * *"
    with pytest.raises(PublishRejected, match="Mars/Olympus"):
        schedule(Note(), DAILY, time_zone="Mars/Olympus")
    with pytest.raises(InvalidJob, match="not a known"):
        schedule(Note(), DAILY, time_zone="UTC */5")


def item(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.lists(numbers, min_size=2, max_size=2).map(lambda ab: f"{min(ab)}-{max(ab)}")
    steps = st.one_of(st.just(""), st.integers(1, high).map(lambda step: f"/{step}"))
    return st.tuples(st.one_of(st.just("*"), numbers.map(str), ranges), steps).map("".join)


CRONS = st.tuples(
    *(
        st.lists(item(low, high), min_size=1, max_size=3).map(",".join)
        for low, high in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    )
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(CRONS)
def test_what_is_taken_comes_when_another_reader_of_crons_says_so(text: str) -> None:
    assert schedules._cron(text) == text
    moment = datetime.fromtimestamp(parse_cron(text).next_after(1_800_000_000.0), ZoneInfo("UTC"))
    shown = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    fields = zip(text.split(), schedules._FIELDS, shown, strict=True)
    minute, hour, day, month, weekday = (
        value in schedules._values(each, *field) for each, field, value in fields
    )
    assert (minute, hour, month, day or weekday) == (True, True, True, True)


# --- QStash's word -----------------------------------------------------------------------------------------


def test_what_qstash_refuses_is_told_in_its_words(client: QStash, environment: pytest.MonkeyPatch) -> None:
    environment.setenv(
        "JOB_ENDPOINTS", '{"crm-match": "http:%2F%2Fx", "record-failure": "https://x.example.com"}'
    )
    with pytest.raises(PublishRejected, match="invalid destination url"):
        schedule(Note(), DAILY)
    assert client.schedule.list() == []


@pytest.mark.parametrize("act", [unschedule, pause, resume, lambda made: schedule(Note(), DAILY)])
def test_qstash_down_is_told(environment: pytest.MonkeyPatch, act: Callable[[str], object]) -> None:
    with pytest.raises(PublishFailed, match=r"127\.0\.0\.1:1: .*refused"):
        act("crm-match")


@pytest.mark.parametrize("act", [unschedule, pause, resume, lambda made: schedule(Note(), DAILY)])
def test_a_token_that_is_not_known_is_told(
    qstash: QStashServer, environment: pytest.MonkeyPatch, act: Callable[[str], object]
) -> None:
    environment.setenv("QSTASH_TOKEN", "wrong")
    with pytest.raises(PublishFailed, match="401"):
        act("crm-match")


def test_a_function_without_a_url_is_told(client: QStash, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JOB_ENDPOINTS", '{"record-failure": "https://x.example.com"}')
    with pytest.raises(PublishFailed, match="names no URL for 'crm-match'"):
        schedule(Note(), DAILY)


def test_missing_settings_are_told(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("QSTASH_TOKEN")
    with pytest.raises(MissingSettings):
        schedule(Note(), DAILY)


def test_a_schedule_is_paused_resumed_and_removed(client: QStash) -> None:
    made, other = schedule(Note(), DAILY), schedule(Note(), DAILY, schedule_id="other")
    pause(made)
    assert [client.schedule.get(each).paused for each in (made, other)] == [True, False]
    resume(made)
    assert client.schedule.get(made).paused is False
    unschedule(made)
    assert [each.schedule_id for each in client.schedule.list()] == [other]


@pytest.mark.parametrize("act", [unschedule, pause, resume])
@pytest.mark.parametrize("unknown", ["nightly", "", "..", "a/pause", "a b", "crm-match?x=1"])
def test_an_unknown_schedule_is_told(client: QStash, act: Callable[[str], None], unknown: str) -> None:
    made = schedule(Note(), DAILY)
    with pytest.raises(ScheduleNotFound) as caught:
        act(unknown)
    assert repr(unknown) in str(caught.value)
    assert client.schedule.get(made).paused is False


# --- its runs ----------------------------------------------------------------------------------------------


def test_a_run_is_a_job_with_the_schedules_options(fire: Fire, read: Read, connection: Connection) -> None:
    made = schedule(
        Note(text="daily"),
        DAILY,
        user_id=7,
        organization_id=9,
        retries=0,
        headers={"X-Trace": "abc"},
        failure_callback="https://app.example.com/failed",
    )
    first, second = fire(made), fire(made)
    assert deliver(first, lambda job: job.payload.text)[0] == 200
    row = read(id_of(first))
    assert (row.status, row.result, row.schedule_id, row.publication) == ("completed", "daily", made, 0)
    assert (row.user_id, row.organization_id, row.max_attempts) == (7, 9, 1)
    kept = connection.execute("SELECT publish_options, failure_callback FROM job_executions").fetchone()
    assert kept is not None
    assert kept["failure_callback"] == "https://app.example.com/failed"
    assert kept["publish_options"]["headers"] == {"X-Trace": "abc"}
    assert kept["publish_options"]["retries"] == 2
    assert deliver(second, lambda job: 1 / 0)[0] == 489  # no retries
    assert read(id_of(second)).status == "failed"


def test_a_run_that_is_lost_is_published_as_it_was(
    fire: Fire, client: QStash, read: Read, connection: Connection
) -> None:
    made = schedule(Note(), DAILY, retries=0, headers={"X-Trace": "abc"})
    delivery = fire(made)
    deliver(delivery, lambda _job: Fail("no luck"))
    retry(id_of(delivery))
    row = read(id_of(delivery))
    assert (row.status, row.max_attempts, row.publication) == ("pending", 2, 1)
    message = client.message.get(row.qstash_message_id or "")
    assert (message.max_retries, (message.headers or {})["X-Trace"]) == (2, ["abc"])


def test_the_signed_id_counts_and_not_the_headers(fire: Fire, read: Read) -> None:
    made = schedule(Note(), DAILY)
    delivery = fire(made)
    delivery["headers"]["upstash-schedule-id"] = "forged"
    deliver(delivery)
    assert read(id_of(delivery)).schedule_id == made


def test_terms_of_a_newer_version_are_no_hindrance(connection: Connection) -> None:
    terms = {"id": "x", "overlap": "queue", "other": 1}
    message = {"type": "crm-match", "payload": {}, "metadata": {"schedule": terms, "more": 2}, "also": 3}
    body = json.dumps(message).encode()
    assert [deliver(event(body), lambda _job: None)[0] for _each in range(2)] == [200, 200]
    assert len(jobs(connection)) == 2


# --- overlap -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_a_run_is_skipped_while_the_last_one_is_running(
    fire: Fire, connection: Connection, read: Read, overlap: Any
) -> None:
    made = schedule(Note(), DAILY, overlap=overlap)
    first, second = fire(made), fire(made)
    seen: list[tuple[int, dict[str, Any]]] = []

    def run(_job: Job[Note]) -> None:
        thread = threading.Thread(target=lambda: seen.append(deliver(second)))
        thread.start()
        thread.join()

    assert deliver(first, run)[0] == 200
    expected = {"ok": True} | ({"skipped": True} if overlap == "skip" else {})
    assert seen == [(200, expected)]
    assert jobs(connection).count(id_of(second)) == (0 if overlap == "skip" else 1)
    assert deliver(fire(made))[1] == {"ok": True}  # the last one is over


@pytest.mark.parametrize(
    ("run", "skipped"),
    [
        (lambda _job: None, False),
        (lambda _job: Fail("no luck"), False),
        (lambda _job: 1 / 0, True),  # it will be tried again
    ],
    ids=["completed", "failed", "retrying"],
)
def test_whether_the_last_run_is_over(fire: Fire, run: Any, skipped: bool) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    deliver(fire(made), run)
    assert deliver(fire(made))[1].get("skipped", False) is skipped


def test_a_cancelled_run_is_over(fire: Fire) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    first = fire(made)
    deliver(first, lambda _job: 1 / 0)
    cancel(id_of(first))
    assert deliver(fire(made))[1] == {"ok": True}


def test_a_run_that_is_run_again_is_not_over(fire: Fire, read: Read) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    first = fire(made)
    deliver(first, lambda _job: Fail("no luck"))
    retry(id_of(first))
    assert deliver(fire(made))[1].get("skipped") is True


def test_other_schedules_do_not_matter(fire: Fire) -> None:
    one, other = (schedule(Note(), DAILY, schedule_id=each, overlap="skip") for each in ("one", "other"))
    deliver(fire(one), lambda _job: 1 / 0)
    assert deliver(fire(other))[1] == {"ok": True}


def test_the_run_in_progress_finds_its_own_row(fire: Fire, read: Read, connection: Connection) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    first = fire(made)
    assert deliver(first, lambda _job: 1 / 0)[0] == 500
    assert deliver(first, lambda job: job.attempt) == (200, {"ok": True})
    assert (read(id_of(first)).status, read(id_of(first)).result) == ("completed", 2)
    assert deliver(first)[1] == {"ok": True, "duplicate": True}
    deliver(fire(made), lambda _job: 1 / 0)
    assert deliver(first)[1] == {"ok": True, "duplicate": True}  # also while the next one is in progress
    assert len(jobs(connection)) == 2


def lock(connection: psycopg.Connection[Any], schedule_id: str) -> None:
    connection.execute(statements.sql("lock_schedule"), {"schedule_id": schedule_id})


def test_of_two_that_arrive_at_once_one_runs(fire: Fire, connection: Connection) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    deliveries = [fire(made), fire(made)]
    answers: list[dict[str, Any]] = []
    one_was_skipped = threading.Event()

    def arrive(delivery: dict[str, Any]) -> None:
        _status, body = deliver(delivery, lambda _job: one_was_skipped.wait(10) and None)
        answers.append(body)
        if body.get("skipped"):
            one_was_skipped.set()

    threads = [threading.Thread(target=arrive, args=[delivery]) for delivery in deliveries]
    with connection.transaction():  # both have begun, and read nothing yet, when the way is free
        lock(connection, made)
        for thread in threads:
            thread.start()
        wait_for_waiting(connection, 2)
    for thread in threads:
        thread.join()
    assert sorted(answers, key=len) == [{"ok": True}, {"ok": True, "skipped": True}]
    assert len(jobs(connection)) == 1


def wait_for_waiting(connection: Connection, count: int) -> None:
    """Until so many wait for an advisory lock of this database."""
    query = (
        "SELECT count(*) AS waiting FROM pg_locks JOIN pg_database ON pg_database.oid = database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        row = connection.execute(query).fetchone()
        assert row is not None
        if row["waiting"] == count:
            return
    raise TimeoutError("not so many wait for the lock")


def test_a_run_that_waits_in_vain_is_delivered_again(
    fire: Fire, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    delivery = fire(made)
    with connection.transaction():
        lock(connection, made)
        answer = job_worker(Note)(lambda _job: None)(delivery, Context(3.5))
    assert (answer["statusCode"], jobs(connection)) == (503, [])
    assert deliver(delivery)[0] == 200


def test_a_process_that_dies_under_the_lock_does_not_keep_it(connection: Connection) -> None:
    def timeout() -> str:
        row = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()
        assert row is not None
        return str(row["idle_in_transaction_session_timeout"])

    before = timeout()
    with connection.transaction():
        lock(connection, "x")
        assert timeout() == "10s"
    assert timeout() == before


# --- runs that never reached Postgres ----------------------------------------------------------------------


@pytest.fixture
def give_up(environment: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """QStash's failure callback for a delivery, at record_failure; its answer."""
    handler = importlib.import_module("functions.record_failure.handler").handler

    def call(delivery: dict[str, Any], **changes: Any) -> tuple[int, dict[str, Any]]:
        body = {
            "status": 503,
            "body": base64.b64encode(b"Postgres is unreachable").decode(),
            "retried": 5,
            "dlqId": "1725323658779-0",
            "sourceMessageId": delivery["headers"]["upstash-message-id"],
            "sourceBody": base64.b64encode(delivery["body"].encode()).decode(),
            "scheduleId": delivery["headers"].get("upstash-schedule-id"),
        }
        answer = handler(event(json.dumps(body | changes).encode()), Context())
        return answer["statusCode"], json.loads(answer["body"])

    return call


def test_a_run_that_never_reached_postgres_is_given_back_and_runs(
    fire: Fire, give_up: Any, client: QStash, read: Read, connection: Connection
) -> None:
    made = schedule(
        Note(text="daily"), DAILY, user_id=7, organization_id=9, retries=1, headers={"X-Trace": "a"}
    )
    delivery = fire(made)
    assert give_up(delivery) == (200, {"ok": True, "settled": True})
    job_id = id_of(delivery)
    row: Execution = read(job_id)
    assert (row.status, row.publication, row.published_at, row.attempt) == ("pending", 1, None, 0)
    assert (row.schedule_id, row.user_id, row.organization_id, row.max_attempts) == (made, 7, 9, 2)
    assert (row.payload, row.dlq_id) == ({"text": "daily"}, "1725323658779-0")
    assert row.error == "QStash gave up after 6 deliveries; the last got HTTP 503: Postgres is unreachable"
    wait = connection.execute(
        "SELECT extract(epoch FROM publish_after - now())::float AS seconds FROM job_executions"
    ).fetchone()
    assert wait is not None
    assert 50 < wait["seconds"] <= 60
    assert give_up(delivery) == (200, {"ok": True, "settled": False})  # the callback, delivered again
    assert deliver(delivery, lambda _job: 1 / 0)[1] == {"ok": True, "duplicate": True}  # a late delivery
    connection.execute("UPDATE job_executions SET publish_after = now()")
    assert relay.publish_unpublished(10, ends_at=1e18) == (1, 1)
    message = client.message.get(read(job_id).qstash_message_id or "")
    assert (message.max_retries, (message.headers or {})["X-Trace"]) == (3, ["a"])
    assert deliver(event((message.body or "").encode()), lambda job: job.payload.text)[0] == 200
    assert (read(job_id).status, read(job_id).result, jobs(connection)) == ("completed", "daily", [job_id])


def test_a_message_written_by_hand_is_given_back_too(give_up: Any, read: Read) -> None:
    headers = {"upstash-message-id": "msg_1", "upstash-schedule-id": "daily"}
    delivery = event(b'{"type": "crm-match", "payload": {"text": "daily"}}', headers=headers)
    assert give_up(delivery)[1]["settled"] is True
    row = read(id_of(delivery))
    assert (row.status, row.publication, row.schedule_id, row.max_attempts) == ("pending", 1, "daily", 4)


@pytest.mark.parametrize(
    "run", [lambda _job: None, lambda _job: Fail("no luck")], ids=["completed", "failed"]
)
def test_a_run_that_has_ended_is_left_alone(
    fire: Fire, give_up: Any, read: Read, connection: Connection, run: Any
) -> None:
    delivery = fire(schedule(Note(), DAILY))
    deliver(delivery, run)
    before = read(id_of(delivery))
    assert give_up(delivery)[1] == {"ok": True, "settled": False}
    after = read(id_of(delivery))
    assert (after.status, after.publication, after.error) == (before.status, 0, before.error)
    assert jobs(connection) == [id_of(delivery)]


def test_an_enqueued_job_without_its_row_is_not_made_up(give_up: Any, connection: Connection) -> None:
    body = {"jobId": str(UUID(int=1)), "publication": 1, "type": "crm-match", "payload": {}}
    assert give_up(event(json.dumps(body).encode()))[1] == {"ok": True, "settled": False}
    assert jobs(connection) == []


def test_a_lost_run_is_skipped_while_another_is_not_over(
    fire: Fire, give_up: Any, connection: Connection
) -> None:
    made = schedule(Note(), DAILY, overlap="skip")
    first, second = fire(made), fire(made)
    deliver(first, lambda _job: 1 / 0)
    assert give_up(second) == (200, {"ok": True, "skipped": True})
    assert jobs(connection) == [id_of(first)]
    deliver(first)
    assert give_up(second)[1] == {"ok": True, "settled": True}


@pytest.mark.parametrize(
    "body",
    [b'{"type": "crm-match", "payload": {"text": "a\\u0000b"}}', b'{"type": "retired", "payload": {}}'],
    ids=["cannot be stored", "no such type"],
)
def test_a_run_that_can_never_be_recorded_is_a_dead_letter(
    give_up: Any, connection: Connection, body: bytes
) -> None:
    assert give_up(event(body))[0] == 489
    assert jobs(connection) == []
