"""Custom::Migrations: CloudFormation's requests, answered over HTTP, with a real Postgres behind."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from functions.provision.handler import handler
from infra.local.awslambda import Function, LambdaServer
from infra.local.background import Background
from infra.migrations import _LOCK, migrations
from infra.template import ROOT
from tests.conftest import with_database
from tests.integration.provisioning import STACK, Context, ResponseUrl, listening, request

VERSION = "arn:aws:lambda:eu-central-1:123456789012:function:provision:{}"
NAME = f"{STACK}.migrations"
Ask = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.direct("a migration takes Postgres itself")


@pytest.fixture
def empty(server_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database without any table, at DATABASE_URL."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        url = with_database(server_url, name)
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.delenv("DATABASE_SECRET_ARN", raising=False)
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def response() -> Iterator[ResponseUrl]:
    with listening() as opened:
        yield opened


@pytest.fixture
def ask(response: ResponseUrl) -> Ask:
    def call(kind: str, version: int = 7, *, seconds: float = 90, **more: Any) -> dict[str, Any]:
        properties = {"Version": VERSION.format(version)}
        handler(request(kind, "Custom::Migrations", response.url, properties, **more), Context(seconds))
        return response.answer

    return call


def applied(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
            return []
        rows = connection.execute("SELECT name FROM schema_migrations ORDER BY version").fetchall()
    return [name for (name,) in rows]


ALL = [each.name for each in migrations()]


def before(version: int) -> dict[str, Any]:
    old = {"Version": VERSION.format(version)}
    return {"PhysicalResourceId": NAME, "OldResourceProperties": old}


def test_creating_applies_every_migration(ask: Ask, empty: str) -> None:
    answer = ask("Create")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    assert applied(empty) == ALL
    assert answer["Data"]["Applied"].split(", ") == ALL


def test_a_new_version_applies_what_is_missing_and_again_nothing(ask: Ask, empty: str) -> None:
    ask("Create")
    with psycopg.connect(empty) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        connection.execute("DROP SCHEMA app CASCADE")
    assert ask("Update", 8, **before(7))["Data"]["Applied"].split(", ") == ALL
    assert ask("Update", 9, **before(8))["Data"]["Applied"] == ""


def test_a_rollback_touches_no_database(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    answer = ask("Update", 9, **before(10))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    assert "forward" in answer["Reason"]


def test_deleting_leaves_the_data(ask: Ask, empty: str) -> None:
    ask("Create")
    for name in (NAME, "not-made"):
        assert ask("Delete", PhysicalResourceId=name)["Status"] == "SUCCESS"
    assert applied(empty) == ALL


def test_an_unreachable_postgres_fails_it(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/nowhere")
    answer = ask("Create")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("Thing: connection failed")
    assert "secret" not in answer["Reason"]


def test_a_migration_that_fails_is_named_and_nothing_of_it_is_kept(ask: Ask, empty: str) -> None:
    with psycopg.connect(empty) as connection:
        connection.execute("CREATE TABLE job_batches (id int)")  # in the way of the second
    answer = ask("Create")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "not-made")
    assert ALL[1] in answer["Reason"]
    assert applied(empty) == ALL[:1]


def test_a_lock_that_another_deploy_holds_fails_it_in_time(ask: Ask, empty: str) -> None:
    with psycopg.connect(empty) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        answer = ask("Create", seconds=31)
        assert answer["Status"] == "FAILED"
        assert "timed out after 1 s" in answer["Reason"]
    assert ask("Create")["Status"] == "SUCCESS"
    assert applied(empty) == ALL


def test_a_postgres_that_hangs_fails_it_in_time(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("DATABASE_URL", f"postgresql://127.0.0.1:{port}/nowhere")
        answer = ask("Create", seconds=30.5)
    assert (answer["Status"], "timed out" in answer["Reason"]) == ("FAILED", True)


def test_without_a_database_a_first_deploy_succeeds_and_says_what_to_do(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:secret")
    monkeypatch.setattr("shared.secrets._secret_string", lambda _arn: "{}")
    answer = ask("Create")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", NAME)
    assert "make migrate" in answer["Data"]["Note"]


def test_it_runs_under_lambdas_own_runtime(response: ResponseUrl, empty: str, background: Background) -> None:
    provision = Function(
        name="provision",
        handler="functions.provision.handler.handler",
        timeout=60,
        environment={"DATABASE_URL": empty},
    )
    server = LambdaServer([provision], task_root=ROOT)
    background.call(server.start())
    try:
        event = request("Create", "Custom::Migrations", response.url, {"Version": VERSION.format(1)})
        result = background.call(server.invoke("provision", event))
    finally:
        background.call(server.stop())
    assert result.error is None
    assert response.answer["Status"] == "SUCCESS"
    assert applied(empty) == ALL


def test_once_the_secret_is_filled_in_the_next_deploy_migrates(
    ask: Ask, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {"arn:secret": "{}"}
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:secret")
    monkeypatch.setattr("shared.secrets._secret_string", lambda arn: secret[arn])
    assert "Not migrated" in ask("Create")["Reason"]
    assert applied(empty) == []
    secret["arn:secret"] = json.dumps({"DATABASE_URL": empty})
    monkeypatch.setattr("shared.secrets._REFRESH_SECONDS", -1.0)  # a deploy comes more than a minute later
    answer = ask("Update", 8, **before(7))
    assert (answer["Status"], answer["Data"]["Note"]) == ("SUCCESS", "")
    assert applied(empty) == ALL


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql//me:s3cret@host/app", "DATABASE_URL is no connection string"),
        ("me:s3cret@host", "DATABASE_URL is no connection string"),
        ("postgresql://me:s3cret@127.0.0.1:port/app", '"port"'),
    ],
)
def test_a_url_that_is_none_fails_it_without_showing_the_password(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, url: str, said: str
) -> None:
    """Stack events are read by more people than secrets, and so are logs."""
    monkeypatch.setenv("DATABASE_URL", url)
    answer = ask("Create")
    assert answer["Status"] == "FAILED"
    assert said in answer["Reason"]
    assert "s3cret" not in json.dumps(answer) + caplog.text
