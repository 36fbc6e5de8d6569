"""Nothing reaches QStash, and what it would have been given can be looked at; nor is a real database taken for a test's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import dispatcher, schedules
from shared.dispatcher import enqueue, enqueue_many
from shared.errors import PublishFailed, ScheduleNotFound
from shared.testing import Jobs
from shared.testing.environment import prepare
from tests.conftest import with_database
from tests.integration.kit.conftest import Connection
from tests.integration.kit.notes import Bell, Note, Secret

ROOT = Path(__file__).parents[3]


def test_what_is_published_is_kept_as_qstash_would_get_it(jobs: Jobs) -> None:
    job_id = enqueue(Note(text="hi"), delay=60, headers={"X-Trace": "1"})
    (message,) = jobs.qstash.messages
    assert (message.url, message.headers) == ("https://crm-match.posthaste.invalid/", {"x-trace": "1"})
    assert (message.body["jobId"], message.body["payload"]["text"]) == (str(job_id), "hi")
    assert message.options["retries"] == "5"
    assert message.options["failure-callback"] == "https://record-failure.posthaste.invalid/"
    enqueue_many([Note(), Bell()])
    assert [each.url.split("/")[2].split(".")[0] for each in jobs.qstash.messages[1:]] == [
        "crm-match",
        "ping",
    ]


def test_a_cancelled_jobs_message_is_withdrawn(jobs: Jobs) -> None:
    dispatcher.cancel(enqueue(Note(), delay=60))
    assert [message.is_cancelled for message in jobs.qstash.messages] == [True]
    assert jobs.drain().attempts == []


def test_with_qstash_down_a_job_is_accepted_and_a_schedule_is_not(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    with jobs.qstash.down():
        enqueue(Note())
        with pytest.raises(PublishFailed, match="QStash is down, by the test's wish"):
            schedules.schedule(Note(), "0 3 * * *")
    assert "not published" in caplog.text
    jobs.use(Note, lambda _job: None)
    assert (jobs.qstash.messages, jobs.drain().completed) == ([], 1)


def test_a_schedule_is_kept_paused_and_removed(jobs: Jobs) -> None:
    name = schedules.schedule(
        Note(text="nightly"), "0 3 * * mon-fri", time_zone="Europe/Paris", organization_id=3
    )
    schedule = jobs.qstash.schedules[name]
    assert (schedule.cron, schedule.time_zone, schedule.job_type) == (
        "0 3 * * mon-fri",
        "Europe/Paris",
        "crm-match",
    )
    assert schedule.payload["text"] == "nightly"
    stands = []
    for act in (schedules.pause, schedules.resume):
        act(name)
        stands.append(schedule.is_paused)
    assert stands == [True, False]
    schedules.unschedule(name)
    assert jobs.qstash.schedules == {}
    with pytest.raises(ScheduleNotFound):
        schedules.pause(name)
    with pytest.raises(LookupError, match="there is no schedule 'nightly'; there are none"):
        jobs.run_schedule("nightly")


def test_a_schedules_run_is_a_job(jobs: Jobs) -> None:
    jobs.use(Note, lambda job: [job.payload.text, job.organization_id, job.schedule_id])
    schedules.schedule(Note(text="nightly"), "0 3 * * *", schedule_id="n", overlap="skip", organization_id=3)
    assert jobs.run_schedule("n").result == ["nightly", 3, "n"]

    def broken(_job: object) -> None:
        raise ConnectionError("down")

    jobs.use(Note, broken)
    with pytest.raises(ConnectionError, match="down"):
        jobs.run_schedule("n")
    assert jobs.run_schedule("n").status == "skipped"  # the one before is not over
    jobs.assert_enqueued(Note, schedule_id="n", count=2)


def test_a_sensitive_schedules_run_is_given_its_payload(jobs: Jobs) -> None:
    jobs.use(Secret, lambda job: job.payload.ssn)
    schedules.schedule(Secret(), "0 3 * * *", schedule_id="s")
    assert jobs.qstash.schedules["s"].payload == {}
    assert jobs.run_schedule("s").result == "078-05-1120"


# --- where it may run --------------------------------------------------------------------------------------


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QSTASH_TOKEN", "the real one")
    monkeypatch.setenv("JOB_ENDPOINTS_PARAMETER", "/posthaste/job-endpoints")
    monkeypatch.setenv("JOB_DELIVERY", "inline")
    before = dict(os.environ)
    with Jobs() as jobs:
        assert os.environ["QSTASH_TOKEN"] == "captured"
        enqueue(Note())
        assert len(jobs.qstash.messages) == 1
        monkeypatch.setenv("APP_URL", "https://app.example.com")  # the test's own affair
    assert dict(os.environ) == before | {"APP_URL": "https://app.example.com"}


def test_without_a_database_of_its_own_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db")
    with pytest.raises(RuntimeError, match="set DATABASE_URL to the tests' own database"), Jobs():
        pass


def test_a_database_that_is_not_migrated_says_so(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", with_database(server_url, "postgres"))
    with (
        pytest.raises(
            RuntimeError, match=r"has no job_executions: apply the migrations to it \(make migrate\)"
        ),
        Jobs(),
    ):
        pass
    assert "QSTASH_TOKEN" not in os.environ


def test_a_database_that_a_qstash_delivers_to_is_refused(connection: Connection) -> None:
    with Jobs(keep=True):
        job_id = enqueue(Note())
    connection.execute("UPDATE job_executions SET endpoint = 'https://abc.lambda-url.eu-central-1.on.aws/'")
    try:
        with (
            pytest.raises(RuntimeError, match=r"delivered to https://abc\.lambda-url.*any_database=True"),
            Jobs(),
        ):
            pass
        with Jobs(any_database=True) as jobs:
            jobs.refute_enqueued()
    finally:
        connection.execute("DELETE FROM job_executions WHERE job_id = %s", [job_id])


def test_variables_that_are_missing_are_set_for_imports() -> None:
    given = {"QSTASH_TOKEN": "mine"}
    prepare(given)
    assert given["QSTASH_TOKEN"] == "mine"
    assert {"QSTASH_CURRENT_SIGNING_KEY", "PAYLOAD_KEYS", "JOB_ENDPOINTS", "QSTASH_URL"} < set(given)
    assert "DATABASE_URL" not in given


def test_without_pytest_it_works_too(database_url: str) -> None:
    program = (
        "import sys; sys.modules['pytest'] = None\n"
        "from shared.testing import Jobs\nfrom shared.dispatcher import enqueue\nfrom shared.jobs.ping import Ping\n"
        "with Jobs() as jobs:\n    enqueue(Ping())\n    print(jobs.drain())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "1 attempts: completed 1, retrying 0, failed 0, cancelled 0; 0 waiting\n", (
        done.stderr
    )


def test_after_its_block_nothing_is_refuted_and_a_second_block_begins_anew(database_url: str) -> None:
    jobs = Jobs()
    with jobs:
        enqueue(Note())
    with pytest.raises(RuntimeError, match="a test begins where its block does"):
        jobs.refute_enqueued(Note)
    with jobs:
        jobs.refute_enqueued()
        assert jobs.qstash.messages == []
