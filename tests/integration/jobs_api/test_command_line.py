"""Every command against the real API on a real Postgres: what it shows, what it changes, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from psycopg.types.json import Jsonb

from infra.local.qstash import QStashServer
from shared.columns import REDACTED
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.jobs.crm_match import CrmMatch
from shared.jobs.send_email import SendEmail
from shared.schedules import schedule
from tests.integration.jobs_api.command_line import CommandLine
from tests.integration.jobs_api.conftest import OWN, Keys
from tests.integration.jobs_api.rows import FAILURE, NOBODYS, batch, everything, failed
from tests.integration.test_executions import put

NOW = datetime.now(UTC)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m [bold]bold[/] \u202egnp.exe\r\nsecond"


@pytest.fixture
def jobs(keys: Keys, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line of an operator whose key may do everything."""
    environment.delenv("MAKEFLAGS", raising=False)
    command = CommandLine(environment, capsys)
    command.use(keys.ops)
    environment.setattr(sys, "stdin", io.StringIO())
    return command


def stored(connection: Connection, job_id: object) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row is not None
    return row


def statuses(connection: Connection) -> dict[str, int]:
    rows = connection.execute("SELECT status, count(*) AS jobs FROM job_executions GROUP BY 1").fetchall()
    return {row["status"]: row["jobs"] for row in rows}


def actions(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT key_name, action FROM api_actions ORDER BY id").fetchall()
    return [(row["key_name"], row["action"]) for row in rows]


def typed(environment: pytest.MonkeyPatch, text: str) -> None:
    environment.setattr(sys, "stdin", io.StringIO(text))


# --- list ----------------------------------------------------------------------------------------------------


def test_a_list_shows_whole_ids_and_takes_every_filter(jobs: CommandLine, connection: Connection) -> None:
    in_batch = batch(connection, members=1)
    wanted = failed(
        connection, user_id=5, organization_id=OWN, idempotency_key="k", schedule_id="nightly",
        batch_id=in_batch, error="no LUCK today", parent_job_id=NOBODYS,
    )  # fmt: skip
    put(connection, job_type="send-email", created_at=NOW - timedelta(days=3))
    ran = jobs("list", "--limit", 1)
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["JOB", "TYPE", "STATUS", "TRY", "AGE", "ORG", "USER", "ERROR"]
    everywhere = jobs("list")
    (line,) = (each for each in everywhere.out.splitlines() if each.startswith(str(wanted)))
    assert line.split()[1:4] == ["crm-match", "failed", "1/3"]
    assert line.endswith("no LUCK today")
    group = jobs("dead-letters", "--json").json["groups"][0]["errorGroup"]
    given = [
        ("--type", "crm-match"), ("--status", "failed"), ("--user", 5), ("--organization", OWN), ("--since", "2h"),
        ("--until", "2100-01-01"), ("--error", "luck"), ("--error-group", group), ("--idempotency-key", "k"),
        ("--schedule", "nightly"), ("--batch", in_batch), ("--parent", NOBODYS),
    ]  # fmt: skip
    assert jobs("list", "--ids", *(each for pair in given for each in pair)).out == f"{wanted}\n"
    for name, value in given:
        assert str(wanted) in jobs("list", name, value, "--ids").out, name
    other = jobs("list", "--type", "send-email", "--until", "2d", "--json")
    assert [job["type"] for job in other.json["jobs"]] == ["send-email"]
    none = jobs("list", "--user", 99)
    assert (none.code, none.out, none.err) == (0, "", "no job fits\n")


def test_a_long_list_is_read_in_pages_and_goes_on_where_it_ended(
    jobs: CommandLine, connection: Connection
) -> None:
    connection.execute(
        "INSERT INTO job_executions (job_id, job_type, payload, max_attempts, created_at) "
        "SELECT gen_random_uuid(), 'crm-match', '{}', 3, now() - n * interval '1 second' FROM generate_series(1, 450) AS n"
    )
    every = jobs("list", "--all", "--ids").out.split()
    assert (len(every), len(set(every)), len(jobs.transport.asked)) == (450, 450, 3)
    first = jobs("list", "--limit", 230, "--json")
    assert (len(first.json["jobs"]), len(jobs.transport.asked)) == (230, 2)
    assert f"--cursor {first.json['next']}" in first.err
    rest = jobs("list", "--all", "--json", "--cursor", first.json["next"])
    assert [job["jobId"] for job in first.json["jobs"] + rest.json["jobs"]] == every
    assert (rest.json["next"], rest.err) == (None, "")
    assert len(jobs("list", "--all").out.splitlines()) == 451  # one title


def test_a_broken_cursor_or_two_forms_are_wrong(jobs: CommandLine) -> None:
    ran = jobs("list", "--cursor", "x")
    assert (ran.code, ran.out) == (2, "")
    assert "begin without one" in ran.err
    assert jobs("list", "--ids", "--json").code == 2


# --- show ----------------------------------------------------------------------------------------------------


def test_a_job_is_shown_whole(jobs: CommandLine, connection: Connection) -> None:
    errors = [
        FAILURE | {"traceback": "Traceback\n  line 1"},
        FAILURE | {"attempt": 2, "message": "still none"},
    ]
    job_id = failed(
        connection, attempt=2, errors=Jsonb(errors), user_id=5, organization_id=OWN, progress=Jsonb({"percent": 40}),
        qstash_message_id="msg_1",
    )  # fmt: skip
    ran = jobs("show", job_id)
    assert ran.code == 0
    for part in (
        "status       failed", "attempt      2 of 3", "user         5", "organization 7", "message      msg_1",
        f"https://abc.lambda-url.eu-central-1.on.aws/jobs/{job_id}", "Attempt 1 failed", "    ValueError: no luck",
        "    ValueError: still none", '"listingId": 1', '"percent": 40',
    ):  # fmt: skip
        assert part in ran.out
    assert "Traceback" not in ran.out
    assert "    Traceback\n      line 1" in jobs("show", job_id, "--tracebacks").out
    assert jobs("show", job_id, "--json").json["errors"][1]["message"] == "still none"


def test_a_job_names_the_one_that_enqueued_it_and_those_that_it_enqueued(
    jobs: CommandLine, connection: Connection
) -> None:
    first = put(connection, status="completed", started_at=NOW, completed_at=NOW + timedelta(seconds=2))
    second = put(connection, job_type="send-email", parent_job_id=first)
    above = jobs("show", first).out
    assert f"Then\n    send-email {second}, pending\n" in above.replace(" ago", "")
    assert "completed  2.0 s long" in above
    assert f"    put there by crm-match {first}, completed\n" in jobs("show", second).out
    assert jobs("list", "--parent", first, "--ids").out.split() == [str(second)]


def test_a_job_that_is_not_there_is_not_found(jobs: CommandLine) -> None:
    ran = jobs("show", NOBODYS)
    assert (ran.code, ran.out, ran.err) == (1, "", f"✗ there is no job {NOBODYS}\n")


def test_what_jobs_hold_is_shown_and_not_obeyed(jobs: CommandLine, connection: Connection) -> None:
    errors = [FAILURE | {"type": HOSTILE, "message": HOSTILE, "traceback": HOSTILE}]
    job_id = failed(
        connection, error=HOSTILE, errors=Jsonb(errors), payload=Jsonb({HOSTILE: HOSTILE}), result=Jsonb([HOSTILE]),
        idempotency_key=HOSTILE, job_type=HOSTILE, qstash_message_id=HOSTILE,
    )  # fmt: skip
    for arguments in (
        ["list"], ["show", job_id, "--tracebacks"], ["dead-letters"], ["stats"], ["activity"], ["retry", job_id],
        ["list", "--json"], ["show", job_id, "--json"], ["tail", "--last", "5"],
    ):  # fmt: skip
        ran = jobs(*arguments, sleep=interrupt)
        text = ran.out + ran.err
        assert text.replace("\n", "").isprintable(), arguments
        assert "\u202e" not in text
    assert r"\x1b]0;owned\x07\x1b[2J\x9b31m [bold]bold[/]" in jobs("list").out


def test_sensitive_payloads_are_told_to_nobody(
    jobs: CommandLine, connection: Connection, qstash: QStashServer
) -> None:
    reset = {"name": "Ada", "resetUrl": "https://a.example.com/s3cret", "expiresAt": "2026-01-02T03:04:05Z"}
    job_id = enqueue(
        SendEmail.model_validate({"to": "a@example.com", "template": "passwordReset", "data": reset})
    )
    ran = jobs("show", job_id)
    assert ran.code == 0
    assert "s3cret" not in ran.out
    assert json.dumps(REDACTED)[1:-1] in ran.out


# --- enqueue -------------------------------------------------------------------------------------------------


def test_a_job_is_enqueued_with_all_options(
    jobs: CommandLine, connection: Connection, qstash: QStashServer, tmp_path: Path
) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"listingId": 42, "agentId": 7}')
    ran = jobs(
        "enqueue", "crm-match", "--payload", f"@{file}", "--delay", "2h", "--idempotency-key", "k", "--user", 5,
        "--organization", 9, "--retries", 1, "--header", "X-A=b=c", "--callback", "https://a.example.com/x",
        "--failure-callback", "https://a.example.com/y",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    row = stored(connection, ran.out.strip())
    assert (row["payload"], row["user_id"], row["organization_id"]) == ({"listingId": 42, "agentId": 7}, 5, 9)
    assert (row["idempotency_key"], row["max_attempts"]) == ("k", 2)
    assert row["publish_options"]["headers"] == {"X-A": "b=c"}
    assert row["failure_callback"] == "https://a.example.com/y"
    ahead = row["not_before"] - datetime.now(row["not_before"].tzinfo)
    assert timedelta(minutes=119) < ahead <= timedelta(hours=2)
    assert actions(connection) == [("ops", "enqueue")]


def test_a_payload_comes_from_stdin_and_the_answer_as_json(
    jobs: CommandLine, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    typed(environment, '{"listingId": 42, "agentId": 7}')
    at = (NOW + timedelta(days=3)).astimezone(timezone(timedelta(hours=2)))
    ran = jobs("--json", "enqueue", "crm-match", "--payload", "-", "--not-before", at.isoformat())
    assert (ran.code, stored(connection, ran.json["jobId"])["not_before"]) == (0, at)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["crm-macth", "--payload", "{}"], "there is no job type 'crm-macth': did you mean crm-match?"),
        (["crm-match", "--payload", '{"listingId": "x"}'], "listingId: Input should be a valid integer"),
        (["crm-match"], "agentId: Field required. The command `types crm-match` shows what it takes"),
        (["crm-match", "--payload", '{"listingId": 1, "agentId": 2}', "--callback", "x"], "callback"),
    ],
)
def test_what_the_api_does_not_take_is_told_with_its_fields(
    jobs: CommandLine, connection: Connection, arguments: list[str], words: str
) -> None:
    ran = jobs("enqueue", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert statuses(connection) == {}


def test_a_key_of_another_payload_is_a_conflict(jobs: CommandLine, qstash: QStashServer) -> None:
    def twice(listing_id: int) -> tuple[int, str]:
        payload = json.dumps({"listingId": listing_id, "agentId": 1})
        ran = jobs("enqueue", "crm-match", "--payload", payload, "--idempotency-key", "k")
        return ran.code, ran.out

    assert twice(1) == twice(1)
    assert twice(2) == (1, "")


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1)])
def test_waiting_for_a_job_tells_how_it_ended(
    jobs: CommandLine, connection: Connection, status: str, code: int
) -> None:
    looks: list[float] = []

    def work(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            error = "no luck" if status == "failed" else None
            connection.execute(
                "UPDATE job_executions SET status = %s, error = %s, attempt = 1, completed_at = now()",
                [status, error],
            )

    payload = '{"listingId": 1, "agentId": 2}'
    ran = jobs("enqueue", "crm-match", "--payload", payload, "--wait", "--json", sleep=work)
    assert (ran.code, ran.json["status"], len(looks)) == (code, status, 3)
    assert ("has failed: no luck" in ran.err) == (status == "failed")
    assert looks == sorted(looks)


def test_waiting_ends_at_its_time_and_the_job_goes_on(jobs: CommandLine, connection: Connection) -> None:
    ran = jobs(
        "enqueue", "crm-match", "--payload", '{"listingId": 1, "agentId": 2}', "--wait", "--timeout", 0
    )
    assert ran.code == 1
    assert "has not ended within 0 ms, and goes on: it is pending" in ran.err
    assert statuses(connection) == {"pending": 1}


# --- retry ---------------------------------------------------------------------------------------------------


def test_a_failed_job_runs_again_with_a_corrected_payload(jobs: CommandLine, connection: Connection) -> None:
    job_id = failed(connection)
    wrong = jobs("retry", job_id, "--payload", '{"listingId": "x", "agentId": 2}')
    assert (wrong.code, stored(connection, job_id)["status"]) == (2, "failed")
    ran = jobs("retry", job_id, "--payload", '{"listingId": 43, "agentId": 2}')
    assert (ran.code, ran.out) == (0, f"{job_id} runs again\n")
    row = stored(connection, job_id)
    assert (row["payload"], row["status"], row["run"]) == ({"listingId": 43, "agentId": 2}, "pending", 2)
    again = jobs("retry", job_id)
    assert (again.code, again.out) == (1, "")
    assert "has not ended: it is pending" in again.err
    assert jobs("retry", NOBODYS).code == 1


def test_a_payload_is_corrected_in_an_editor_until_it_is_taken(
    jobs: CommandLine, connection: Connection, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first attempt is no JSON, the second not a payload, the third is right; each begins with the one before."""
    job_id, editor, turns = failed(connection), tmp_path / "editor", tmp_path / "turns"
    editor.write_text(
        "#!/bin/sh\n"
        f"echo >> {turns}; case $(wc -l < {turns}) in\n"
        '1) sed -i "s/1/43}/" "$1";;\n'
        '2) sed -i "s/43}/null/" "$1";;\n'
        '3) sed -i "s/null/43/" "$1";;\nesac\n'
    )
    editor.chmod(0o700)
    environment.setenv("VISUAL", str(editor))
    typed(environment, "y\ny\n")
    ran = jobs("retry", job_id, "--edit")
    assert (ran.code, stored(connection, job_id)["payload"]) == (0, {"listingId": 43, "agentId": 2})
    assert "it is no JSON" in ran.err
    assert "listingId: Input should be a valid integer" in ran.err
    other = failed(connection)
    environment.setenv("VISUAL", "true")
    untouched = jobs("retry", other, "--edit")
    assert (untouched.code, stored(connection, other)["status"]) == (1, "failed")
    assert "was not changed: nothing was done" in untouched.err


# --- many at once --------------------------------------------------------------------------------------------


def put_many(connection: Connection, jobs: int, **columns: Any) -> None:
    for number in range(jobs):
        failed(connection, created_at=NOW - timedelta(seconds=number), **columns)


def test_hundreds_of_dead_letters_are_replayed_in_bounded_batches(
    jobs: CommandLine, connection: Connection, qstash: QStashServer
) -> None:
    put_many(connection, 320)
    put_many(connection, 3, job_type="send-email")
    before = everything(connection)
    asked = jobs("replay", "--type", "crm-match")
    assert (asked.code, asked.out) == (2, "")
    assert (
        "Replay 320 failed jobs (type crm-match) at https://abc.lambda-url.eu-central-1.on.aws?" in asked.err
    )
    assert "repeat it with --yes" in asked.err
    told = jobs("replay", "--type", "crm-match", "--dry-run")
    assert (told.code, told.out) == (0, "would replay 320 failed jobs (type crm-match)\n")
    assert jobs("replay", "--type", "crm-match", "--dry-run", "--json").json == {
        "count": 320,
        "complete": True,
    }
    assert everything(connection) == before
    ran = jobs("replay", "--type", "crm-match", "--yes", "--json")
    assert (ran.code, len(set(ran.json["jobIds"])), ran.json["next"]) == (0, 320, None)
    assert jobs.transport.asked == ["GET /v1/jobs/count"] + ["POST /v1/jobs/replay"] * 7
    assert statuses(connection) == {"pending": 320, "failed": 3}
    nothing = jobs("replay", "--type", "crm-match", "--yes")
    assert (nothing.code, nothing.out) == (0, "replayed 0 jobs\n")


def test_what_fails_again_meanwhile_is_not_replayed_twice(jobs: CommandLine, connection: Connection) -> None:
    put_many(connection, 30)

    def fail_again(number: int) -> None:
        assert number < 10, "it does not end"
        connection.execute(
            "UPDATE job_executions SET status = 'failed', error = 'no luck', completed_at = now() WHERE status = 'pending'"
        )

    jobs.transport.before = fail_again
    ran = jobs("replay", "--status", "failed", "--at-once", 10, "--yes", "--json")
    assert (ran.code, len(ran.json["jobIds"]), len(set(ran.json["jobIds"]))) == (0, 30, 30)


def test_a_few_of_them_can_be_tried_first(jobs: CommandLine, connection: Connection) -> None:
    put_many(connection, 12)
    told = jobs("replay", "--status", "failed", "--limit", 5, "--dry-run")
    assert told.out == "would replay the newest 5 of 12 failed jobs\n"
    ran = jobs("replay", "--status", "failed", "--limit", 5, "--at-once", 2, "--yes")
    assert (ran.code, ran.out) == (0, "replayed 5 jobs\n")
    assert statuses(connection) == {"pending": 5, "failed": 7}


def test_a_replay_that_breaks_off_says_how_far_it_came_and_can_go_on(
    jobs: CommandLine, connection: Connection
) -> None:
    put_many(connection, 30)

    def break_at_the_third(number: int) -> None:
        if number == 4:
            raise httpx.ReadTimeout("timed out")

    jobs.transport.before = break_at_the_third
    ran = jobs("replay", "--status", "failed", "--at-once", 10, "--yes", "--json")
    assert (ran.code, len(ran.json["jobIds"])) == (3, 20)
    assert (
        f"broke off after 20 jobs; of the next 10 it is not known. Go on with --cursor {ran.json['next']}"
        in ran.err
    )
    assert "may have been done all the same" in ran.err
    jobs.transport.before = lambda _number: None
    rest = jobs("replay", "--status", "failed", "--yes", "--cursor", ran.json["next"])
    assert (rest.code, rest.out) == (0, "replayed 10 jobs\n")
    assert statuses(connection) == {"pending": 30}


def test_ctrl_c_ends_a_replay_between_two_batches(jobs: CommandLine, connection: Connection) -> None:
    put_many(connection, 30)

    def interrupt_the_second(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    jobs.transport.before = interrupt_the_second
    ran = jobs("replay", "--status", "failed", "--at-once", 10, "--yes")
    assert (ran.code, ran.out) == (130, "")
    assert "broke off after 10 jobs" in ran.err
    assert ran.err.endswith("✗ stopped\n")
    assert statuses(connection) == {"pending": 10, "failed": 20}


def test_jobs_are_replayed_by_their_ids_from_a_list_and_each_refusal_is_told(
    jobs: CommandLine, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    dead, completed = (
        [failed(connection) for _each in range(3)],
        put(connection, status="completed", attempt=1),
    )
    typed(environment, f"{dead[0]}\n{dead[1]}\n{dead[0]}\n")
    ran = jobs("replay", "-", dead[2], completed, NOBODYS, "--json")
    assert (ran.code, ran.json["jobIds"]) == (1, [str(each) for each in dead])
    assert [each["jobId"] for each in ran.json["failures"]] == [str(completed), str(NOBODYS)]
    assert "has ended: it is completed" in ran.err
    assert ran.err.endswith("✗ 2 of 5 jobs were not replayed\n")
    assert statuses(connection) == {"pending": 3, "completed": 1}
    typed(environment, "")
    assert jobs("replay", "-").code == 2  # an empty list is not all jobs
    typed(environment, "JOB TYPE")
    assert jobs("replay", "-").code == 2


def test_jobs_are_cancelled_by_id_and_by_filter_with_a_reason(
    jobs: CommandLine, connection: Connection
) -> None:
    one, *others = [put(connection) for _each in range(4)]
    running, other = put(connection, status="processing"), put(connection, job_type="send-email")
    ran = jobs("cancel", one, "--reason", "a mistake")
    assert (ran.code, ran.out) == (0, "cancelled 1 job\n")
    assert "a mistake" in stored(connection, one)["error"]
    ran = jobs("cancel", "--type", "crm-match", "--yes", "--reason", "all of them")
    assert (ran.code, ran.out) == (0, "cancelled 3 jobs\n")
    assert {stored(connection, each)["status"] for each in others} == {"cancelled"}
    assert jobs("cancel", "--status", "processing", "-y").out == "cancelled 1 job\n"
    assert stored(connection, running)["status"] == "cancelled"
    assert stored(connection, other)["status"] == "pending"
    assert jobs("cancel", one).code == 1
    assert jobs("replay", "--status", "cancelled", "--yes").out == "replayed 5 jobs\n"


@pytest.mark.parametrize("flag", ["--type", "--error", "--error-group", "--idempotency-key", "--schedule"])
def test_an_empty_filter_is_not_no_filter(jobs: CommandLine, connection: Connection, flag: str) -> None:
    put(connection)
    failed(connection)
    for command in ("cancel", "replay", "list"):
        options = [] if command == "list" else ["--yes"]
        assert (command, jobs(command, flag, "", *options).code) == (command, 2)
    assert statuses(connection) == {"pending": 1, "failed": 1}


def test_an_unknown_type_among_filters_is_told_before_anything_is_asked(jobs: CommandLine) -> None:
    for arguments in (["list"], ["replay", "--yes"], ["cancel", "--yes"], ["tail"]):
        type_of = ["crm-macth"] if arguments == ["tail"] else ["--type", "crm-macth"]
        ran = jobs(*arguments, *type_of)
        assert (ran.code, ran.out) == (2, "")
        assert "did you mean crm-match?" in ran.err
        assert "POST" not in " ".join(jobs.transport.asked)


# --- rights --------------------------------------------------------------------------------------------------


def test_a_key_that_may_only_read_changes_nothing(
    jobs: CommandLine, keys: Keys, connection: Connection
) -> None:
    job_id = failed(connection)
    put(connection)
    before = everything(connection)
    jobs.use(keys.reader)
    for arguments in (
        ["retry", job_id], ["replay", "--status", "failed", "--yes"], ["replay", job_id], ["cancel", "--type", "crm-match", "--yes"],
        ["enqueue", "crm-match", "--payload", '{"listingId": 1, "agentId": 2}'],
    ):  # fmt: skip
        ran = jobs(*arguments)
        assert (ran.code, ran.out) == (4, ""), arguments
        assert "may read only" in ran.err
    assert everything(connection) == before
    assert jobs("list").code == 0


def test_a_key_of_one_organization_sees_and_replays_its_own(
    jobs: CommandLine, keys: Keys, connection: Connection
) -> None:
    own, foreign = failed(connection, organization_id=OWN), failed(connection, organization_id=OWN + 1)
    jobs.use(keys.own)
    assert jobs("list", "--ids").out == f"{own}\n"
    assert jobs("show", foreign).code == 1
    assert jobs("list", "--organization", OWN + 1).code == 4
    assert jobs("replay", "--status", "failed", "--yes").out == "replayed 1 job\n"
    assert stored(connection, foreign)["status"] == "failed"


def test_a_wrong_key_is_told(jobs: CommandLine, keys: Keys) -> None:
    jobs.use(keys.nobody)
    ran = jobs("list")
    assert (ran.code, ran.out) == (4, "")
    assert "this API key is none of ours" in ran.err
    assert "ph_none" not in ran.err


# --- figures -------------------------------------------------------------------------------------------------


def test_statistics_are_a_line_a_type(jobs: CommandLine, connection: Connection) -> None:
    failed(connection)
    for _each in range(3):
        put(
            connection,
            status="completed",
            attempt=2,
            started_at=NOW - timedelta(seconds=90),
            completed_at=NOW,
        )
    put(connection, job_type="send-email")
    ran = jobs("stats", "--window", "1h")
    titles, *lines = [line.split() for line in ran.out.splitlines()]
    assert titles[:5] == ["TYPE", "JOBS", "COMPLETED", "FAILED", "CANCELLED"]
    assert lines == [
        ["crm-match", "4", "3", "1", "0", "0", "3", "25.0%", "90", "s", "90", "s", "90", "s"],
        ["send-email", "1", "0", "0", "0", "1", "0", "–", "–", "–", "–"],
    ]
    assert jobs("stats", "--json").json["window"] == 86_400
    assert jobs("stats", "--window", "1s").code == 2
    assert jobs("stats", "--organization", 99).err == "no job was accepted within the last 24 h\n"


def test_health_is_an_exit_code(jobs: CommandLine, keys: Keys, connection: Connection) -> None:
    from functions.jobs_api.reading import figures

    put(connection, status="completed", attempt=1)
    assert (jobs("health").code, jobs("health").out.splitlines()[0]) == (0, "healthy")
    failed(connection)
    figures.forget()
    ran = jobs("health")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "unhealthy")
    assert "dead letters 1" in ran.out
    assert "50.0% of the last hour's ended jobs have failed" in ran.err
    assert jobs("health", "--json").json["health"] == "unhealthy"
    jobs.environment.delenv("JOBS_API_KEY")
    bare = jobs("health")
    assert (bare.code, bare.out) == (1, "unhealthy\n")


def test_dead_letters_are_grouped_and_a_group_is_replayed(jobs: CommandLine, connection: Connection) -> None:
    put_many(connection, 3, error="no listing 7")
    put_many(connection, 2, error="timed out")
    titles, largest, _other = jobs("dead-letters").out.splitlines()
    assert titles.split() == ["JOBS", "TYPE", "GROUP", "LATEST", "JOB", "ERROR"]
    assert largest.split()[:2] == ["3", "crm-match"]
    assert jobs("replay", "--error-group", largest.split()[2], "--yes").out == "replayed 3 jobs\n"
    assert statuses(connection) == {"pending": 3, "failed": 2}
    assert jobs("dead-letters", "--organization", 99).err == "there are no dead letters\n"


def test_types_and_what_one_takes(jobs: CommandLine) -> None:
    assert "crm-match" in jobs("types").out
    assert '"agentId"' in jobs("types", "crm-match").out
    assert jobs("types", "crm-match", "--json").json["payloadSchema"]["required"] == ["listingId", "agentId"]
    ran = jobs("types", "crm-macth")
    assert (ran.code, "did you mean crm-match?" in ran.err) == (2, True)


def test_batches_and_their_jobs(jobs: CommandLine, connection: Connection) -> None:
    assert jobs("batches").err == "there are no batches\n"
    first, second = batch(connection), batch(connection, members=3)
    lines = jobs("batches").out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == {str(first), str(second)}
    assert len(jobs("batches", "--limit", 1).out.splitlines()) == 2
    shown = jobs("batches", second)
    assert "0/3" in shown.out
    assert shown.out.count("crm-match") == 4
    assert len(jobs("batches", second, "--json").json["jobs"]) == 3
    assert jobs("batches", NOBODYS).code == 1


def test_activity_tells_who_did_what(jobs: CommandLine, connection: Connection) -> None:
    assert jobs("activity").err == "nothing was done\n"
    job_id = failed(connection)
    jobs("retry", job_id)
    jobs("retry", job_id)
    latest, first = jobs("activity").out.splitlines()[1:]
    assert (first.split()[3:7], first.split()[8]) == (["ops", "api", "retry", str(job_id)], "done")
    assert "refused: job" in latest
    one = jobs("activity", "--limit", 1)
    assert len(one.out.splitlines()) == 2
    assert "there is more: --before" in one.err
    assert jobs("activity", "--target", NOBODYS, "--json").json["actions"] == []


# --- schedules -----------------------------------------------------------------------------------------------


def test_schedules_are_listed_paused_resumed_and_run(
    jobs: CommandLine, connection: Connection, qstash: QStashServer
) -> None:
    assert jobs("schedules").err == "there are no schedules\n"
    for name in ("acme.template.Nightly", "other.template.Weekly", "third.template.Weekly"):
        schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", schedule_id=name)
    shown = jobs("schedules").out
    assert shown.splitlines()[0].split() == ["SCHEDULE", "TYPE", "CRON", "ZONE", "NEXT"]
    assert jobs("schedules", "list").out == shown
    assert jobs("schedules", "pause", "nightly").out == "acme.template.Nightly is paused\n"
    assert jobs("schedules", "list", "--json").json["schedules"][0]["paused"] is True
    assert "paused" in jobs("schedules").out
    assert jobs("schedules", "resume", "acme.template.Nightly").code == 0
    assert jobs("schedules", "list", "--json").json["schedules"][0]["paused"] is False
    run = jobs("schedules", "run", "Nightly")
    assert (run.code, UUID(run.out.strip()).version) == (0, 5)
    two = jobs("schedules", "pause", "Weekly")
    assert (two.code, "is more than one: other.template.Weekly, third" in two.err) == (1, True)
    none = jobs("schedules", "run", "nigthly")
    assert (none.code, "did you mean Nightly?" in none.err) == (1, True)


def test_a_run_that_is_waited_for_is_not_there_before_its_delivery(
    jobs: CommandLine, connection: Connection, qstash: QStashServer
) -> None:
    schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", schedule_id="acme.template.Nightly")
    looked: list[str] = []

    def deliver(_seconds: float) -> None:
        looked.append(jobs.transport.asked[-1].rpartition("/")[2])
        if len(looked) == 2:
            put(connection, job_id=looked[0], status="completed", attempt=1)

    ran = jobs("schedules", "run", "nightly", "--wait", sleep=deliver)
    assert (ran.code, looked[0] in ran.out) == (0, True)
    assert ran.err == "on its way\n"


# --- tail ----------------------------------------------------------------------------------------------------


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


class Script:
    """What happens between the looks of a tail; Ctrl-C after the last."""

    def __init__(self, *steps: Any) -> None:
        self._steps: Iterator[Any] = iter(steps)
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)
        step = next(self._steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()


def test_a_tail_shows_jobs_as_they_come_run_and_end(jobs: CommandLine, connection: Connection) -> None:
    """An old job that waited is seen when it runs and when it ends; others' types and what does not change are not."""
    connection.execute(
        "INSERT INTO job_executions (job_id, job_type, payload, max_attempts, status, attempt, completed_at) "
        "SELECT gen_random_uuid(), 'crm-match', '{}', 3, 'completed', 1, now() FROM generate_series(1, 250) AS n"
    )
    old = put(connection, created_at=NOW - timedelta(days=9))
    made: list[UUID] = []

    def update(job_id: UUID, columns: str) -> None:
        text = f"UPDATE job_executions SET updated_at = clock_timestamp(), {columns} WHERE job_id = %s"
        connection.execute(text.encode(), [job_id])

    running = "status = 'processing', attempt = 1, started_at = now(), lease_expires_at = now() + interval '1 minute'"
    script = Script(
        lambda: made.append(put(connection)),
        lambda: put(connection, job_type="send-email"),
        lambda: update(old, running),
        lambda: update(
            old, "status = 'failed', error = 'no luck', completed_at = now(), lease_expires_at = NULL"
        ),
        lambda: update(made[0], running),
        lambda: update(made[0], "status = 'completed', completed_at = now(), lease_expires_at = NULL"),
        lambda: None,
    )
    ran = jobs("tail", "crm-match", "--last", 0, sleep=script)
    assert (ran.code, ran.err) == (0, "")
    seen = [tuple(line.split()[1:3]) for line in ran.out.splitlines()]
    assert seen == [
        ("pending", str(made[0])), ("processing", str(old)), ("failed", str(old)),
        ("processing", str(made[0])), ("completed", str(made[0])),
    ]  # fmt: skip
    assert ran.out.splitlines()[2].endswith("no luck")


def test_a_tail_of_json_is_a_line_a_change_and_begins_with_the_latest(
    jobs: CommandLine, connection: Connection
) -> None:
    latest = [put(connection, created_at=NOW - timedelta(seconds=seconds)) for seconds in (3, 2, 1)]
    script = Script(lambda: failed(connection), lambda: put(connection, status="completed", attempt=1))
    ran = jobs("tail", "--json", "--last", 2, "--status", "pending", "--status", "failed", sleep=script)
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [job["jobId"] for job in found[:2]] == [str(each) for each in latest[1:]]
    assert [job["status"] for job in found] == ["pending", "pending", "failed"]


def test_a_tail_outlives_an_api_that_is_gone_for_a_while(jobs: CommandLine, connection: Connection) -> None:
    def lose(_number: int) -> None:
        raise httpx.ConnectError("connection refused")

    def be(before: Any) -> Any:
        return lambda: setattr(jobs.transport, "before", before)

    made: list[UUID] = []
    script = Script(
        be(lose), lambda: made.append(put(connection)), lambda: None, be(lambda _number: None), lambda: None
    )
    ran = jobs("tail", sleep=script)
    assert (ran.code, ran.out.count(str(made[0]))) == (0, 1)
    assert ran.err.count("Trying again") == 1
    assert ran.err.endswith("it answers again\n")
    assert script.pauses == [1.0, 1.0 * 2, 4.0, 8.0, 1.0, 1.0]


def test_a_tail_remembers_no_more_than_it_must(jobs: CommandLine, connection: Connection) -> None:
    from infra.cli.following import Follower
    from infra.cli.session import Session

    waiting = [put(connection, created_at=NOW - timedelta(days=1)) for _each in range(12)]
    follower = Follower(Session(transport=jobs.transport).api, {"type": "crm-match"})
    follower.begin(10)

    def complete_more() -> None:
        connection.execute(
            "INSERT INTO job_executions (job_id, job_type, payload, max_attempts, status, attempt, completed_at) "
            "SELECT gen_random_uuid(), 'crm-match', '{}', 3, 'completed', 1, now() FROM generate_series(1, 300) AS n"
        )

    for _look in range(3):
        complete_more()
        assert len(follower.look()) == 300
    assert len(follower._seen) <= 400 + len(waiting)
    connection.execute(
        "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE job_id = ANY(%s)",
        [waiting],
    )
    late = [job.job_id for _look in range(3) for job in follower.look()]
    assert sorted(late) == sorted(waiting)
    connection.execute("DELETE FROM job_executions")
    assert follower.look() == []
