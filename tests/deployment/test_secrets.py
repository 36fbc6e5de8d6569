"""`make secrets`: checked against real parts before anything is written; then written, migrated, scheduled."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.api_keys import new_key
from infra.deployment.asking import GivenOpenly, gather
from infra.deployment.aws import Account
from infra.deployment.filling import Filling
from infra.deployment.probes import qstash as qstash_probe
from infra.deployment.secret_entries import secret_entries
from infra.local.qstash.records import Schedule
from infra.migrations import migrate, migrations
from infra.payload_keys import new_entry
from infra.schedules.declaration import id_prefix
from infra.template import ROOT
from tests.deployment.conftest import SECRETS, TEMPLATE, Deployed
from tests.deployment.resend import SENDING
from tests.deployment.serving import serving

Answers = dict[str, str]
Fill = Callable[..., tuple[int, str]]
PASSWORD = "hunter2-not-to-be-seen"


@pytest.fixture
def empty_database(deployed: Deployed) -> Iterator[str]:
    """A database without a table, of a user with a password."""
    name = f"empty_{uuid.uuid4().hex}"
    admin_url = deployed.cloud.database_url
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'".encode())
        admin.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        yield make_conninfo(admin_url, dbname=name, user=name, password=PASSWORD)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        admin.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def fresh(deployed: Deployed, resend: None, empty_database: str) -> Deployed:
    """The stack as its first deploy leaves it: secrets are empty, nothing is migrated or scheduled."""
    for secret in SECRETS:
        deployed.write(secret, {})
    for each in scheduled(deployed):
        deployed.schedules.delete(each)
    return deployed


@pytest.fixture
def fill(fresh: Deployed, capsys: pytest.CaptureFixture[str]) -> Fill:
    """Run it with somebody at the terminal who answers so; the exit code, and what was printed."""

    def run(answers: Answers | None = None, **options: bool) -> tuple[int, str]:
        capsys.readouterr()
        account = Account(fresh.environment)
        filling = Filling(fresh.environment, TEMPLATE, account, account.stack(fresh.cloud.stack), **options)
        code = filling.run(lambda prompt: (answers or {}).get(prompt.split()[0], ""))
        return code, "".join(capsys.readouterr())

    return run


@pytest.fixture
def right(fresh: Deployed, empty_database: str) -> Answers:
    """What is right to type."""
    return {
        "DATABASE_URL": empty_database,
        "QSTASH_TOKEN": fresh.cloud.qstash.token,
        "RESEND_API_KEY": "re_local",
    }


def all_secrets(deployed: Deployed) -> dict[str, dict[str, str]]:
    return {name: deployed.read(name) for name in SECRETS}


def scheduled(deployed: Deployed) -> list[Schedule]:
    """What QStash keeps for the stack."""
    return [each for each in deployed.schedules.all() if each.id.startswith(id_prefix(deployed.cloud.stack))]


# --- filling in --------------------------------------------------------------------------------------------


def test_a_first_run_fills_in_migrates_and_schedules(
    fresh: Deployed, fill: Fill, right: Answers, empty_database: str
) -> None:
    code, output = fill(right)
    assert code == 0, output
    assert fresh.read("DatabaseSecret") == {"DATABASE_URL": empty_database}
    assert fresh.read("QStashSecret") == {
        "QSTASH_TOKEN": fresh.cloud.qstash.token,
        "QSTASH_CURRENT_SIGNING_KEY": fresh.signing_keys.current,
        "QSTASH_NEXT_SIGNING_KEY": fresh.signing_keys.next,
    }
    assert fresh.read("ResendSecret") == {"RESEND_API_KEY": "re_local"}
    assert fresh.read("PayloadSecret")["PAYLOAD_KEYS"].count(":") == 1  # newly made
    assert fresh.read("SyndicationSecret") == {}
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone() == (len(migrations()),)
        assert connection.execute("SELECT count(*) FROM job_executions").fetchone() == (0,)
    assert len(scheduled(fresh)) == 3
    for secret in all_secrets(fresh).values():
        for value in secret.values():
            assert value not in output
    assert PASSWORD not in output


def test_a_second_run_changes_nothing(fresh: Deployed, fill: Fill, right: Answers) -> None:
    fill(right)
    before = all_secrets(fresh)
    versions = [
        fresh.secrets.describe_secret(SecretId=fresh.arn(name))["VersionIdsToStages"] for name in SECRETS
    ]
    code, output = fill()
    assert code == 0, output
    assert all_secrets(fresh) == before
    assert [
        fresh.secrets.describe_secret(SecretId=fresh.arn(name))["VersionIdsToStages"] for name in SECRETS
    ] == versions
    assert "the schema is current" in output
    assert "all as declared" in output


def test_what_a_secret_holds_besides_is_kept(fresh: Deployed, fill: Fill, right: Answers) -> None:
    fresh.write("ResendSecret", {"RESEND_API_KEY": "re_old", "MINE": "kept"})
    code, output = fill(right)
    assert code == 0, output
    assert fresh.read("ResendSecret") == {"RESEND_API_KEY": "re_local", "MINE": "kept"}


def test_one_value_alone_can_be_replaced(fresh: Deployed, fill: Fill, right: Answers) -> None:
    fill(right)
    before = all_secrets(fresh)
    code, output = fill({"RESEND_API_KEY": SENDING})
    assert code == 0, output
    assert all_secrets(fresh) == before | {"ResendSecret": {"RESEND_API_KEY": SENDING}}
    assert "a key that may only send" in output


def test_optional_entries_are_asked_for_on_request(fresh: Deployed, fill: Fill, right: Answers) -> None:
    code, _output = fill(right | {"SyndicationSecret": "y", "ZILLOW_API_KEY": "zk"})
    assert code == 0
    assert fresh.read("SyndicationSecret") == {"ZILLOW_API_KEY": "zk"}


def test_keys_of_the_api_must_be_readable(fresh: Deployed, fill: Fill, right: Answers) -> None:
    """One bad entry would lock everybody out of the dashboard."""
    key, entry = new_key("ops", "write")
    code, output = fill(right | {"ApiSecret": "y", "API_KEYS": f"{entry},{key}"})
    assert code == 1
    assert "API_KEYS is a list of entries, separated by commas: entry 2 is not" in output
    assert key not in output
    assert fill(right | {"ApiSecret": "y", "API_KEYS": entry})[0] == 0
    assert fresh.read("ApiSecret") == {"API_KEYS": entry}


def test_rolled_signing_keys_are_taken_over(fresh: Deployed, fill: Fill, right: Answers) -> None:
    fill(right)
    fresh.signing_keys.rotate()
    fresh.signing_keys.rotate()
    code, output = fill()
    assert code == 0, output
    assert fresh.read("QStashSecret")["QSTASH_CURRENT_SIGNING_KEY"] == fresh.signing_keys.current


def test_payload_keys_are_rotated_by_putting_the_new_before_the_old(
    fresh: Deployed, fill: Fill, right: Answers, empty_database: str
) -> None:
    fill(right)
    old = fresh.read("PayloadSecret")["PAYLOAD_KEYS"]
    old_id = old.partition(":")[0]
    new = new_entry()
    with psycopg.connect(empty_database) as connection:
        connection.execute(
            "INSERT INTO job_executions (job_id, job_type, payload, payload_key, by_reference, max_attempts) "
            "VALUES (gen_random_uuid(), 'ping', '{}', %s, true, 1)",
            [old_id],
        )
    code, output = fill({"PAYLOAD_KEYS": new})
    assert code == 1
    assert f"PAYLOAD_KEYS would lose {old_id}" in output
    assert fresh.read("PayloadSecret") == {"PAYLOAD_KEYS": old}
    assert fill({"PAYLOAD_KEYS": f"{new},{old}"})[0] == 0
    with psycopg.connect(empty_database) as connection:
        connection.execute("DELETE FROM job_executions")
    assert fill({"PAYLOAD_KEYS": new})[0] == 0  # nothing is sealed under the old one any more
    assert fresh.read("PayloadSecret") == {"PAYLOAD_KEYS": new}


# --- refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said", "way_out"),
    [
        (
            "DATABASE_URL",
            f"hunter2 {PASSWORD}",
            "DATABASE_URL is no connection string",
            "postgresql://user:password@host",
        ),
        (
            "DATABASE_URL",
            f"postgresql://u:{PASSWORD}@127.0.0.1:1/jobs",
            "cannot connect to Postgres",
            "nothing listens there",
        ),
        (
            "DATABASE_URL",
            f"postgresql://u:{PASSWORD}@nowhere.invalid/jobs",
            "cannot connect to Postgres",
            "no such host",
        ),
        (
            "QSTASH_TOKEN",
            "stale",
            "does not know QSTASH_TOKEN (unable to authenticate: invalid token)",
            "Upstash console",
        ),
        ("QSTASH_TOKEN", "with blank", "characters that no token has", "copy it again"),
        ("RESEND_API_KEY", "sk_live_1", "does not look like a key", "it begins with re_"),
        ("RESEND_API_KEY", "re_unknown", "Resend refuses RESEND_API_KEY", "resend.com/api-keys"),
        ("PAYLOAD_KEYS", "nonsense", "entry 1 is not ID:KEY", "make payload-key"),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_written(
    fresh: Deployed, fill: Fill, right: Answers, name: str, value: str, said: str, way_out: str
) -> None:
    before = all_secrets(fresh)
    code, output = fill(right | {name: value})
    assert code == 1
    assert said in output
    assert way_out in output
    assert PASSWORD not in output
    assert "nothing was written" in output
    assert all_secrets(fresh) == before


def test_a_database_that_is_not_there_and_one_that_is_wrong_for_us(
    fresh: Deployed, fill: Fill, right: Answers, empty_database: str
) -> None:
    missing = make_conninfo(empty_database, dbname="no_such_database")
    assert "create it, or mend the name" in fill(right | {"DATABASE_URL": missing})[1]
    name = psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"]
    with psycopg.connect(fresh.cloud.database_url, autocommit=True) as admin:
        for setting, said in {
            "synchronous_commit = off": "a crash of Postgres loses accepted jobs",
            "default_transaction_read_only = on": "this Postgres is read-only",
        }.items():
            admin.execute(f"ALTER DATABASE {name} SET {setting}".encode())
            code, output = fill(right)
            assert (code, said in output) == (1, True), output
            admin.execute(f"ALTER DATABASE {name} RESET ALL".encode())
        admin.execute(f"ALTER DATABASE {name} OWNER TO postgres".encode())
        code, output = fill(right)
        assert code == 1
        assert f"{name} may not create tables in {name}" in output
        assert f"GRANT CREATE ON DATABASE {name} TO {name}" in output
        migrate(make_conninfo(fresh.cloud.database_url, dbname=name))  # by somebody who may
        output = fill(right)[1]
        assert f"! DATABASE_URL {name} may not create tables in {name}, so a deploy cannot migrate" in output


OF_ANOTHER_REGION = 404, json.dumps({"error": "user not found in this region (eu-central-1)"})


def test_a_token_of_another_region_is_explained(
    fresh: Deployed, fill: Fill, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    ours = fresh.cloud.qstash.url
    with serving(lambda _asked: OF_ANOTHER_REGION) as elsewhere:
        fresh.samconfig.write_text(fresh.samconfig.read_text().replace(ours, elsewhere))
        operator.setattr(qstash_probe, "REGIONS", (elsewhere, ours))
        code, output = fill(right)
        assert code == 1
        assert "QSTASH_TOKEN is of another region" in output
        assert "user not found in this region (eu-central-1)" in output
        assert f"it is of {ours}: set QStashUrl={ours} in samconfig.toml" in output
        operator.setattr(qstash_probe, "REGIONS", (elsewhere,))
        assert "take the token of the stack's region" in fill(right)[1]
    assert fresh.read("QStashSecret") == {}


def test_signing_keys_that_are_not_qstashs_are_refused(
    fresh: Deployed, fill: Fill, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    operator.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_of_another_account")
    code, output = fill(right | {"Take": "y"})
    assert code == 1
    assert "QSTASH_CURRENT_SIGNING_KEY is not the key that" in output
    assert fresh.read("QStashSecret") == {}


def test_unchecked_writes_what_cannot_be_checked_from_here(
    fresh: Deployed, fill: Fill, right: Answers
) -> None:
    """As where Postgres can be reached from the functions' network only."""
    out_of_reach = "postgresql://posthaste@127.0.0.1:1/jobs"
    code, output = fill(right | {"DATABASE_URL": out_of_reach}, unchecked=True)
    assert fresh.read("DatabaseSecret") == {"DATABASE_URL": out_of_reach}
    assert code == 1  # it is written, and not yet migrated
    assert "✗ migrations" in output
    assert "make migrate" in output
    _code, output = fill({"DATABASE_URL": f"hunter2 {PASSWORD}"}, unchecked=True)
    assert "✗ migrations   DATABASE_URL is no connection string" in output
    assert PASSWORD not in output


def test_a_secret_that_is_no_json_object_is_not_overwritten(
    fresh: Deployed, operator: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh.write("ResendSecret", "re_plain")
    assert fresh.run("secrets") == 1
    assert "is no JSON object" in capsys.readouterr().err
    assert fresh.secrets.get_secret_value(SecretId=fresh.arn("ResendSecret"))["SecretString"] == "re_plain"


# --- where values come from --------------------------------------------------------------------------------


def test_the_environment_goes_before_the_terminal(
    fresh: Deployed, fill: Fill, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    operator.setenv("RESEND_API_KEY", SENDING)
    code, output = fill(right | {"Take": "y"})
    assert code == 0
    assert fresh.read("ResendSecret") == {"RESEND_API_KEY": SENDING}
    assert "RESEND_API_KEY written, from the environment" in output


def test_an_environment_of_another_stack_is_not_taken_unasked(
    fresh: Deployed, fill: Fill, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    operator.setenv("DATABASE_URL", "postgresql://another@127.0.0.1:1/stack")
    code, output = fill(right)
    assert code == 0, output
    assert fresh.read("DatabaseSecret") == {"DATABASE_URL": right["DATABASE_URL"]}


def test_where_nobody_can_be_asked_the_environment_is_taken(
    fresh: Deployed, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    for name, value in right.items():
        operator.setenv(name, value)
    assert fresh.run("secrets") == 0  # pytest's standard input is no terminal
    assert fresh.read("DatabaseSecret") == {"DATABASE_URL": right["DATABASE_URL"]}


def test_a_value_given_to_make_is_refused(
    fresh: Deployed, operator: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operator.setenv("MAKEFLAGS", " -- DATABASE_URL=postgresql://x ENV=dev")
    with pytest.raises(GivenOpenly):
        gather(secret_entries(TEMPLATE), {})
    assert fresh.run("secrets") == 2
    said = capsys.readouterr().err
    assert "DATABASE_URL was given as an argument" in said
    assert "postgresql://x" not in said


def test_typed_values_are_not_echoed_and_are_in_no_argument(
    fresh: Deployed, right: Answers, operator: pytest.MonkeyPatch
) -> None:
    """The real command at a real terminal."""
    leader, follower = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "infra.deployment",
        "secrets",
        "--env",
        "dev",
        "--samconfig",
        str(fresh.samconfig),
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    )
    os.close(follower)
    arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    shown, asked = converse(leader, right)
    assert process.wait(60) == 0, shown
    os.close(leader)
    assert {"DATABASE_URL", "QSTASH_TOKEN", "RESEND_API_KEY", "PAYLOAD_KEYS"} <= asked
    assert fresh.read("DatabaseSecret")["DATABASE_URL"] == right["DATABASE_URL"]
    for value in right.values():
        assert value not in shown
        assert value not in arguments


def converse(leader: int, answers: Answers) -> tuple[str, set[str]]:
    """Answer each question on a terminal until its other side is gone; what was shown, and what was asked for."""
    shown, asked = "", set[str]()
    with suppress(OSError):
        while True:
            shown += os.read(leader, 65536).decode()
            prompt = shown.rsplit("\n", 1)[-1]
            name = prompt.split(" ")[0]
            if prompt.endswith((": ", "[y/N] ")) and name not in asked:
                asked.add(name)
                os.write(leader, f"{answers.get(name, '')}\n".encode())
    return shown, asked


def test_a_stack_that_is_not_deployed_yet(fresh: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    fresh.description.there = False
    assert fresh.run("secrets") == 1
    assert "there is no stack" in (said := capsys.readouterr().err)
    assert "`make deploy ENV=dev`" in said
