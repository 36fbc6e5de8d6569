"""`make doctor`: a whole stack passes; each thing that can be broken is broken, and the line says so and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from infra.deployment.doctor import of_jobs
from infra.deployment.doctor.target import Target
from infra.deployment.probes.wrong import Wrong
from infra.local.awslambda import Function
from shared.registry import JobType
from tests.deployment.conftest import TEMPLATE, Deployed

Examine = Callable[[], tuple[int, str]]


@pytest.fixture
def examine(
    deployed: Deployed, few_endpoints: Path, resend: None, capsys: pytest.CaptureFixture[str]
) -> Examine:
    """`make doctor ENV=dev`: its exit code, and what it printed."""

    def run() -> tuple[int, str]:
        capsys.readouterr()
        code = deployed.run("doctor", "--template", str(few_endpoints), "--seconds", "20")
        return code, capsys.readouterr().out

    return run


def failed(output: str) -> list[str]:
    return [line[2:].split()[0] for line in output.splitlines() if line.startswith("✗")]


def remedy_below(output: str, words: str) -> str:
    lines = output.splitlines()
    (found,) = [number for number, line in enumerate(lines) if words in line]
    return lines[found + 1].partition("→ ")[2]


# --- whole -------------------------------------------------------------------------------------------------


def test_a_whole_stack_passes_and_a_job_gets_through(deployed: Deployed, examine: Examine) -> None:
    code, output = examine()
    assert (code, failed(output)) == (0, [])
    subjects = [line.split()[1] for line in output.splitlines()]
    wanted = [
        "stack",
        "concurrency",
        "secrets",
        "database",
        "schema",
        "qstash",
        "schedules",
        "mail",
        "api",
        "sealing",
    ]
    assert list(dict.fromkeys(subjects)) == [*wanted, "endpoints", "dashboard", "webhooks", "queue", "ping"]
    assert "1000 functions at once" in output
    assert "all 3 refuse an unsigned call" in output
    assert "acme.io is verified" in output
    assert "api keys     1 of them: local" in output
    assert f"{deployed.cloud.dashboard_url} asks for a key; health is healthy" in output
    assert f"{deployed.cloud.webhooks_url}/ refuses an unsigned event; it has secrets of nobody yet" in output
    job_id = output.partition("completed in ")[2].partition("(job ")[2].partition(")")[0]
    with psycopg.connect(deployed.cloud.database_url) as connection:
        row = connection.execute(
            "SELECT job_type, status, attempt FROM job_executions WHERE job_id = %s", [job_id]
        ).fetchone()
    assert row == ("ping", "completed", 1)
    for secret in ("DatabaseSecret", "QStashSecret", "ResendSecret", "PayloadSecret", "ApiSecret"):
        for value in deployed.read(secret).values():
            assert value not in output


def test_it_leaves_the_operators_environment_as_it_was(
    examine: Examine, operator: pytest.MonkeyPatch
) -> None:
    import os

    operator.setenv("DATABASE_URL", "postgresql://elsewhere")
    before = dict(os.environ)
    examine()
    assert dict(os.environ) == before


# --- AWS ---------------------------------------------------------------------------------------------------


def test_without_credentials_it_says_how_to_get_some(examine: Examine, operator: pytest.MonkeyPatch) -> None:
    operator.delenv("AWS_ACCESS_KEY_ID")
    operator.delenv("AWS_SECRET_ACCESS_KEY")
    code, output = examine()
    assert code == 1
    assert "there are no AWS credentials: run `aws configure`" in output


def test_a_stack_that_is_not_there(deployed: Deployed, examine: Examine) -> None:
    deployed.description.there = False
    code, output = examine()
    assert (code, failed(output)) == (1, ["stack"])
    assert f"there is no stack {deployed.cloud.stack} in eu-central-1" in output
    assert remedy_below(output, "there is no stack") == "`make deploy ENV=dev`"


@pytest.mark.parametrize(
    ("status", "mark", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "✗", "it has to go first: `make destroy ENV=dev`, then `make deploy ENV=dev`"),
        ("UPDATE_ROLLBACK_COMPLETE", "!", "the version before runs"),
        ("UPDATE_IN_PROGRESS", "!", "a deploy is under way"),
        ("UPDATE_ROLLBACK_FAILED", "✗", "mend what its events name"),
        ("REVIEW_IN_PROGRESS", "✗", "mend what its events name"),
    ],
)
def test_a_deploy_that_did_not_go_through(deployed: Deployed, status: str, mark: str, remedy: str) -> None:
    from infra.deployment.aws import Account
    from infra.deployment.doctor.of_aws import stack_line

    deployed.description.status, deployed.description.reason = status, "a resource failed"
    line = str(stack_line(Account(deployed.environment).stack(deployed.cloud.stack), "dev"))
    assert line.startswith(f"{mark} stack        {deployed.cloud.stack} is {status} (a resource failed)")
    assert remedy in line


def test_too_small_a_quota_is_a_warning_and_prints_it(deployed: Deployed, examine: Examine) -> None:
    deployed.description.concurrency = 10
    code, output = examine()
    assert code == 0
    assert "! concurrency  10 functions at once" in output
    assert "Service Quotas" in remedy_below(output, "10 functions at once")


def test_a_quota_that_may_not_be_read_is_a_warning(deployed: Deployed, examine: Examine) -> None:
    deployed.description.refused.add("GetAccountSettings")
    code, output = examine()
    assert code == 0
    assert "! concurrency  the account's quota cannot be read" in output


# --- secrets -----------------------------------------------------------------------------------------------


def test_a_stack_without_secrets_is_told_what_is_missing(deployed: Deployed, examine: Examine) -> None:
    for secret in ("DatabaseSecret", "QStashSecret", "ResendSecret", "PayloadSecret"):
        deployed.write(secret, {})
    deployed.cloud.recycle()  # what the functions had read is gone with them
    code, output = examine()
    assert code == 1
    assert "✗ secrets      DatabaseSecret has no DATABASE_URL" in output
    assert "QStashSecret has no QSTASH_CURRENT_SIGNING_KEY, QSTASH_NEXT_SIGNING_KEY, QSTASH_TOKEN" in output
    assert "ResendSecret has no RESEND_API_KEY" in output
    assert "PayloadSecret has no PAYLOAD_KEYS" in output
    assert remedy_below(output, "DatabaseSecret has no") == "`make secrets ENV=dev`"
    for skipped in ("database", "schema", "qstash", "schedules", "mail", "sealing", "queue", "ping"):
        assert f"· {skipped:<12} not asked: " in output
    assert "send-email answers 503 to an unsigned call" in output
    assert "`make secrets ENV=dev`" in remedy_below(output, "send-email answers 503")
    deployed.cloud.recycle()


def test_a_secret_that_is_no_json_is_named(deployed: Deployed, examine: Examine) -> None:
    deployed.write("ResendSecret", "re_plain_text")
    code, output = examine()
    assert code == 1
    assert f"the secret {deployed.arn('ResendSecret')} is no JSON object" in output
    assert "re_plain_text" not in output


# --- the database ------------------------------------------------------------------------------------------


def test_a_database_that_does_not_answer(deployed: Deployed, examine: Examine) -> None:
    deployed.write("DatabaseSecret", {"DATABASE_URL": "postgresql://posthaste:hunter2@127.0.0.1:1/jobs"})
    code, output = examine()
    assert (code, failed(output)) == (1, ["database"])
    assert "nothing listens there" in remedy_below(output, "cannot connect to Postgres")
    assert "· ping         not asked: first mend database, schema" in output
    assert "hunter2" not in output


def test_a_schema_that_lags_behind(deployed: Deployed, examine: Examine) -> None:
    with psycopg.connect(deployed.cloud.database_url, autocommit=True) as connection:
        taken = connection.execute(
            "DELETE FROM schema_migrations WHERE version = 7 RETURNING name, checksum"
        ).fetchone()
        assert taken is not None
        try:
            code, output = examine()
        finally:
            connection.execute("INSERT INTO schema_migrations VALUES (7, %s, %s)", taken)
    assert (code, failed(output)) == (1, ["schema"])
    assert "not applied: 0007_rentals" in output
    assert "`make migrate`" in remedy_below(output, "not applied")


def test_a_migration_that_was_edited(deployed: Deployed, examine: Examine) -> None:
    with psycopg.connect(deployed.cloud.database_url, autocommit=True) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'x' || checksum WHERE version = 3")
        try:
            code, output = examine()
        finally:
            connection.execute(
                "UPDATE schema_migrations SET checksum = substr(checksum, 2) WHERE version = 3"
            )
    assert (code, failed(output)) == (1, ["schema"])
    assert "0003_endpoint was applied with other content" in output


def test_a_database_ahead_of_the_checkout_is_a_warning(deployed: Deployed, examine: Examine) -> None:
    with psycopg.connect(deployed.cloud.database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'later', 'x')")
        try:
            code, output = examine()
        finally:
            connection.execute("DELETE FROM schema_migrations WHERE version = 9999")
    assert code == 0
    assert "! schema       the database is ahead of this checkout" in output


def test_dead_letters_are_told_and_are_no_failure(deployed: Deployed, examine: Examine) -> None:
    with psycopg.connect(deployed.cloud.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_executions (job_id, job_type, status, payload, max_attempts, attempt, error, completed_at) "
            "VALUES (gen_random_uuid(), 'ping', 'failed', '{}', 1, 1, 'broken', now())"
        )
        deployed.cloud.recycle()  # it keeps what it has measured for some seconds
        try:
            code, output = examine()
        finally:
            connection.execute("DELETE FROM job_executions WHERE error = 'broken'")
    assert code == 0
    assert "! queue        1 dead letter waits for a replay" in output
    assert "! dashboard    it reports the queue as " in output


# --- QStash ------------------------------------------------------------------------------------------------


def test_a_token_that_qstash_does_not_know(deployed: Deployed, examine: Examine) -> None:
    deployed.write("QStashSecret", deployed.read("QStashSecret") | {"QSTASH_TOKEN": "stale"})
    code, output = examine()
    assert (code, failed(output)) == (1, ["qstash"])
    assert "does not know QSTASH_TOKEN (unable to authenticate: invalid token)" in output
    assert "copy it again" in remedy_below(output, "does not know QSTASH_TOKEN")


def test_signing_keys_rolled_once_are_a_warning(deployed: Deployed, examine: Examine) -> None:
    deployed.signing_keys.rotate()
    code, output = examine()
    assert code == 0
    assert "! qstash       its signing keys were rolled: deliveries are still accepted" in output


def test_signing_keys_rolled_twice_refuse_every_delivery(deployed: Deployed, examine: Examine) -> None:
    deployed.signing_keys.rotate()
    deployed.signing_keys.rotate()
    code, output = examine()
    assert (code, failed(output)) == (1, ["qstash"])
    assert "QStash signs with a key that is not in the secret" in output
    assert remedy_below(output, "signs with a key") == "`make secrets ENV=dev` takes over those of QStash"


def test_a_qstash_that_is_down(deployed: Deployed, examine: Examine) -> None:
    cloud = deployed.cloud
    cloud._background.call(cloud.qstash.stop())
    try:
        code, output = examine()
    finally:
        cloud._background.call(cloud.qstash.start())
    assert (code, failed(output)) == (1, ["qstash"])
    assert f"QStash at {cloud.qstash.url} does not answer" in output


def test_a_schedule_that_somebody_deleted(deployed: Deployed, examine: Examine) -> None:
    from qstash import QStash

    client = QStash(deployed.cloud.qstash.token, base_url=deployed.cloud.qstash.url, retry=False)
    client.schedule.delete(f"{deployed.cloud.stack}.template.CleanupSchedule")
    client.schedule.pause(f"{deployed.cloud.stack}.template.ReminderCheckSchedule")
    code, output = examine()
    client.schedule.resume(f"{deployed.cloud.stack}.template.ReminderCheckSchedule")
    client.http._client.close()
    assert (code, failed(output)) == (1, ["schedules"])
    assert f"to create {deployed.cloud.stack}.template.CleanupSchedule" in output
    assert remedy_below(output, "QStash has others") == "`make schedules ENV=dev`"


def test_a_paused_schedule_is_a_warning(deployed: Deployed, examine: Examine) -> None:
    from qstash import QStash

    client = QStash(deployed.cloud.qstash.token, base_url=deployed.cloud.qstash.url, retry=False)
    name = f"{deployed.cloud.stack}.template.CleanupSchedule"
    client.schedule.pause(name)
    code, output = examine()
    client.schedule.resume(name)
    client.http._client.close()
    assert code == 0
    assert f"! schedules    {name} is paused" in output


# --- mails and sealing -------------------------------------------------------------------------------------


def test_a_key_that_resend_does_not_know(deployed: Deployed, examine: Examine) -> None:
    deployed.write("ResendSecret", {"RESEND_API_KEY": "re_unknown"})
    code, output = examine()
    assert (code, failed(output)) == (1, ["mail"])
    assert "Resend refuses RESEND_API_KEY (API key is invalid)" in output


def test_a_sender_whose_domain_is_not_verified(deployed: Deployed, examine: Examine) -> None:
    text = deployed.samconfig.read_text()
    deployed.samconfig.write_text(text.replace("acme.io>", "new.io>"))
    code, output = examine()
    assert (code, failed(output)) == (1, ["mail"])
    assert "Resend has new.io as pending" in output
    deployed.samconfig.write_text(text.replace("acme.io>", "elsewhere.io>"))
    code, output = examine()
    assert "MailFrom is at elsewhere.io, and Resend has acme.io, new.io" in output


def test_payload_keys_that_no_function_can_read(deployed: Deployed, examine: Examine) -> None:
    deployed.write("PayloadSecret", {"PAYLOAD_KEYS": "nonsense"})
    code, output = examine()
    assert (code, failed(output)) == (1, ["sealing"])
    assert "entry 1 is not ID:KEY" in output


# --- endpoints ---------------------------------------------------------------------------------------------


def test_an_endpoint_that_the_parameter_does_not_name(deployed: Deployed, examine: Examine) -> None:
    endpoints = {name: url for name, url in deployed.cloud.endpoints.items() if name != "send-email"}
    deployed.cloud.aws.put_parameter(f"/{deployed.cloud.stack}/job-endpoints", json.dumps(endpoints))
    code, output = examine()
    assert (code, failed(output)) == (1, ["endpoints"])
    assert "no URL is known for send-email" in output


def test_an_endpoint_where_nobody_is(deployed: Deployed, examine: Examine) -> None:
    endpoints = deployed.cloud.endpoints | {"send-email": "http://127.0.0.1:1/"}
    deployed.cloud.aws.put_parameter(f"/{deployed.cloud.stack}/job-endpoints", json.dumps(endpoints))
    code, output = examine()
    assert (code, failed(output)) == (1, ["endpoints"])
    assert "send-email does not answer at http://127.0.0.1:1/" in output


@pytest.mark.parametrize(
    ("handler", "answers", "remedy"),
    [
        ("tests.integration.local.handlers.broken.handler", 502, "it crashed or ran out of time: "),
        ("tests.deployment.handlers.open.handler", 200, "it works for anybody: take it down"),
        (
            "tests.deployment.handlers.forbidden.handler",
            403,
            "lambda:InvokeFunctionUrl and lambda:InvokeFunction",
        ),
    ],
)
def test_an_endpoint_that_answers_something_else(
    deployed: Deployed, examine: Examine, handler: str, answers: int, remedy: str
) -> None:
    deployed.replace(replace(deployed.cloud.functions._functions["send-email"], handler=handler))
    code, output = examine()
    assert (code, failed(output)) == (1, ["endpoints"])
    assert remedy in remedy_below(output, f"send-email answers {answers} to an unsigned call")


# --- dashboard and webhooks --------------------------------------------------------------------------------


def test_api_keys_that_let_nobody_in(deployed: Deployed, examine: Examine) -> None:
    deployed.write("ApiSecret", {"API_KEYS": "ops:write:*:not-a-digest"})
    code, output = examine()
    assert (code, failed(output)) == (1, ["api"])
    assert "API_KEYS is a list of entries, separated by commas: entry 1" in output
    assert remedy_below(output, "entry 1 is not") == "take the entries as `make api-key` printed them"


def test_without_any_api_key_nobody_can_sign_in(deployed: Deployed, examine: Examine) -> None:
    deployed.write("ApiSecret", {})
    code, output = examine()
    assert code == 0
    assert "· api keys     not asked: there is no API_KEYS" in output
    assert "! dashboard    nobody can sign in: `make api-key NAME=you RIGHTS=write`" in output


def test_a_stack_whose_outputs_lack_the_public_urls(deployed: Deployed, examine: Examine) -> None:
    deployed.description.outputs = {}
    code, output = examine()
    assert (code, failed(output)) == (1, ["dashboard", "webhooks"])
    assert "no URL is known for jobs-api" in output
    assert "no URL is known for receive-webhook" in output


@pytest.mark.parametrize(
    ("function", "handler", "subject", "told"),
    [
        ("jobs-api", "tests.deployment.handlers.open.handler", "dashboard", "jobs-api answers 200 to a call"),
        (
            "receive-webhook",
            "tests.deployment.handlers.open.handler",
            "webhooks",
            "answers 200 to an unsigned",
        ),
        (
            "receive-webhook",
            "tests.integration.local.handlers.broken.handler",
            "webhooks",
            "answers 502 to an",
        ),
    ],
)
def test_a_public_url_that_answers_something_else(
    deployed: Deployed, examine: Examine, function: str, handler: str, subject: str, told: str
) -> None:
    deployed.replace(replace(deployed.cloud.functions._functions[function], handler=handler))
    code, output = examine()
    assert (code, failed(output)) == (1, [subject])
    assert remedy_below(output, told).startswith(("it works for anybody", "it crashed or ran out of time"))


def test_public_urls_where_nobody_is(deployed: Deployed, examine: Examine) -> None:
    deployed.description.outputs = dict.fromkeys(("DashboardUrl", "WebhooksUrl"), "http://127.0.0.1:1/")
    code, output = examine()
    assert (code, failed(output)) == (1, ["dashboard", "webhooks"])
    assert "nothing answers at http://127.0.0.1:1/v1/jobs" in output


# --- the ping ----------------------------------------------------------------------------------------------


def send(deployed: Deployed, seconds: float = 3.0, **changes: str) -> Wrong:
    """Why a ping does not get through."""
    entries = deployed.read("DatabaseSecret") | deployed.read("QStashSecret")
    endpoints = deployed.cloud.endpoints | changes
    target = Target(
        deployed.cloud.stack,
        deployed.cloud.qstash.url,
        entries,
        endpoints,
        "dev",
        log_groups={"ping": "ping-lines"},
    )
    with pytest.raises(Wrong) as caught:
        of_jobs.send_ping(target, seconds)
    with psycopg.connect(deployed.cloud.database_url) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM job_executions WHERE job_type = 'ping' AND completed_at IS NULL"
        ).fetchone()
    assert rows == (0,)  # what no longer is waited for does not run later
    return caught.value


def test_a_ping_that_the_function_takes_for_a_forgery(deployed: Deployed) -> None:
    deployed.signing_keys.rotate()
    deployed.signing_keys.rotate()
    wrong = send(deployed)
    assert f"QStash called {deployed.cloud.endpoints['ping']} and got 401" in wrong.what
    assert "`make secrets ENV=dev`" in wrong.remedy


def test_a_ping_whose_function_cannot_reach_postgres(deployed: Deployed) -> None:
    function = deployed.cloud.functions._functions["ping"]
    variables = {**function.environment, "DATABASE_URL": "postgresql://posthaste@127.0.0.1:1/jobs"}
    deployed.replace(replace(function, environment=variables))
    wrong = send(deployed, 20)
    assert wrong.what.startswith("QStash gave the ping up: ")
    assert "503" in wrong.what
    assert (
        wrong.remedy
        == "the function cannot reach Postgres or its secrets: `aws logs tail ping-lines --since 10m` says which"
    )


def test_a_ping_whose_function_crashes(deployed: Deployed) -> None:
    function = Function("ping", "tests.integration.local.handlers.broken.handler")
    deployed.replace(function)
    wrong = send(deployed, 20)
    assert "502" in wrong.what
    assert wrong.remedy == "`aws logs tail ping-lines --since 10m` says why"


def test_a_ping_that_goes_nowhere(deployed: Deployed) -> None:
    wrong = send(deployed, ping="http://127.0.0.1:1/")
    assert "http://127.0.0.1:1/" in wrong.what  # QStash tries again, or has given up by then


def test_a_ping_that_qstash_does_not_take(deployed: Deployed) -> None:
    deployed.cloud.qstash.faults.refuse_publish(503)
    try:
        wrong = send(deployed, 0.5)
    finally:
        deployed.cloud.qstash.faults.clear()
    assert "QStash has not taken it" in wrong.what


def test_a_ping_that_qstash_holds_back(deployed: Deployed) -> None:
    deployed.cloud.qstash.faults.delay(5.0)
    try:
        wrong = send(deployed, 0.5)
    finally:
        deployed.cloud.qstash.faults.clear()
    assert "QStash has not delivered it yet" in wrong.what


# --- the command -------------------------------------------------------------------------------------------


def test_each_endpoint_of_the_template_is_called() -> None:
    assert set(TEMPLATE.endpoints) >= {*map(str, JobType), "record-failure"}


def test_without_an_environment_it_is_the_running_local_cloud(
    deployed: Deployed,
    few_endpoints: Path,
    tmp_path: Path,
    operator: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from infra.deployment.__main__ import main
    from infra.local import environment as local_environment
    from infra.schedules.applying import apply
    from infra.schedules.stack import LOCAL, Stack

    written = tmp_path / "env"
    operator.setattr(local_environment, "ENVIRONMENT", written)
    assert main(["doctor", "--template", str(few_endpoints)]) == 1
    assert "start it with `make dev`" in capsys.readouterr().out
    variables = deployed.cloud.environment
    written.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    apply(Stack(LOCAL, variables=variables), TEMPLATE)
    assert main(["doctor", "--template", str(few_endpoints)]) == 0
    output = capsys.readouterr().out
    assert "✓ ping         delivered and completed in" in output
    assert f"✓ dashboard    {deployed.cloud.dashboard_url} asks for a key" in output
    assert f"✓ webhooks     {deployed.cloud.webhooks_url}/ refuses an unsigned event\n" in output
    assert "concurrency" not in output
    assert "is this machine" not in output  # where else should it be
