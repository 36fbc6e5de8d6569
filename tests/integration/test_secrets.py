"""Secrets and parameters: where they are read, when anew, and what is said where they cannot be."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg.conninfo import make_conninfo

from infra.local.awslambda.extension import ExtensionServer
from infra.local.background import Background
from shared import database, secrets
from shared.endpoints import endpoint
from shared.errors import DatabaseUnavailable, EndpointUnknown, SecretUnavailable
from shared.settings import DispatcherSettings
from shared.worker import job_worker
from tests.integration.conftest import Accept
from tests.integration.delivering import CURRENT_KEY, NEXT_KEY, URL, Context, envelope, event, sign
from tests.integration.jobs import Note

REGION = "eu-central-1"
ENTRIES = ("DATABASE_URL", "QSTASH_TOKEN", "QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")

Put = Callable[[Any], str]


class Clock:
    """What `secrets` takes for the time."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def aws_session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name=REGION)


@pytest.fixture(scope="module")
def secrets_manager(aws: str, aws_session: boto3.Session) -> Iterator[Any]:
    client = aws_session.client("secretsmanager", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture(scope="module")
def parameter_store(aws: str, aws_session: boto3.Session) -> Iterator[Any]:
    client = aws_session.client("ssm", endpoint_url=aws)
    yield client
    client.close()


@pytest.fixture(scope="module")
def extension(aws: str) -> Iterator[ExtensionServer]:
    with Background() as background:
        server = ExtensionServer(aws, REGION, "the-token")
        background.call(server.start())
        yield server
        background.call(server.stop())


@pytest.fixture
def boto(monkeypatch: pytest.MonkeyPatch, aws: str) -> Iterator[pytest.MonkeyPatch]:
    """An environment that has nothing but the way to AWS."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "QSTASH_", "DATABASE_", "RESEND_", "JOB_", "PARAMETERS_")):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": aws,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    yield monkeypatch
    boto3.DEFAULT_SESSION = None


@pytest.fixture(params=["boto3", "extension"])
def source(
    request: pytest.FixtureRequest, boto: pytest.MonkeyPatch, extension: ExtensionServer
) -> pytest.MonkeyPatch:
    """Secrets from AWS, by either road; where it is the extension, there is no boto3 to fall back on."""
    if request.param == "extension":
        boto.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", str(extension.port))
        boto.setenv("AWS_SESSION_TOKEN", "the-token")
        boto.setattr(secrets, "_ask_boto3", lambda *_, **__: pytest.fail("boto3 was asked"))
    return boto


@pytest.fixture
def put(secrets_manager: Any) -> Put:
    """Store a secret under a new name; its ARN. A dict is stored as JSON."""

    def store(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return str(secrets_manager.create_secret(Name=uuid.uuid4().hex, SecretString=text)["ARN"])

    return store


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(secrets, "time", made)
    return made


# --- where -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ENTRIES, "RESEND_API_KEY"])
def test_the_environment_comes_first(boto: pytest.MonkeyPatch, name: str) -> None:
    boto.setenv("DATABASE_SECRET_ARN", "arn:nobody-asks")
    boto.setenv("QSTASH_SECRET_ARN", "arn:nobody-asks")
    boto.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    boto.setenv(name, "from the environment")
    assert secrets.secret(name) == "from the environment"


def test_an_entry_is_read_from_its_secret(source: pytest.MonkeyPatch, put: Put) -> None:
    source.setenv("QSTASH_SECRET_ARN", put({"QSTASH_TOKEN": "tökén", "QSTASH_NEXT_SIGNING_KEY": "k2"}))
    source.setenv("RESEND_SECRET_ARN", put({"RESEND_API_KEY": "re_1"}))
    assert secrets.secret("QSTASH_TOKEN") == "tökén"
    assert secrets.secret("QSTASH_NEXT_SIGNING_KEY") == "k2"
    assert secrets.secret("RESEND_API_KEY") == "re_1"


def test_an_empty_variable_does_not_hide_the_secret(source: pytest.MonkeyPatch, put: Put) -> None:
    source.setenv("QSTASH_TOKEN", "")
    source.setenv("QSTASH_SECRET_ARN", put({"QSTASH_TOKEN": "t"}))
    assert secrets.secret("QSTASH_TOKEN") == "t"


def test_a_secret_is_read_once(source: pytest.MonkeyPatch, put: Put, secrets_manager: Any) -> None:
    arn = put({"QSTASH_TOKEN": "t", "QSTASH_CURRENT_SIGNING_KEY": "k"})
    source.setenv("QSTASH_SECRET_ARN", arn)
    assert secrets.secret("QSTASH_TOKEN") == "t"
    secrets_manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    assert secrets.secret("QSTASH_TOKEN") == "t"
    assert secrets.secret("QSTASH_CURRENT_SIGNING_KEY") == "k"


def test_a_parameter_is_read(source: pytest.MonkeyPatch, parameter_store: Any) -> None:
    name = f"/stack/{uuid.uuid4().hex}"
    parameter_store.put_parameter(Name=name, Value='{"a": "ü"}', Type="String")
    assert secrets.parameter(name) == '{"a": "ü"}'
    parameter_store.delete_parameter(Name=name)
    assert secrets.parameter(name) == '{"a": "ü"}'


def test_producers_find_endpoints_in_the_parameter(source: pytest.MonkeyPatch, parameter_store: Any) -> None:
    name = f"/stack/{uuid.uuid4().hex}"
    parameter_store.put_parameter(Name=name, Value='{"crm-match": "https://a"}', Type="String")
    complete = dict.fromkeys(("DATABASE_URL", "QSTASH_TOKEN"), "set") | {"JOB_ENDPOINTS_PARAMETER": name}
    for variable, value in complete.items():
        source.setenv(variable, value)
    settings = DispatcherSettings.load()
    assert endpoint("crm-match", settings) == "https://a"
    with pytest.raises(EndpointUnknown, match=rf"{name} names no URL for 'send-sms': deploy its function"):
        endpoint("send-sms", settings)


def test_a_job_type_deployed_since_is_found_after_a_minute(
    source: pytest.MonkeyPatch, parameter_store: Any, clock: Clock
) -> None:
    name = f"/stack/{uuid.uuid4().hex}"
    parameter_store.put_parameter(Name=name, Value="{}", Type="String")
    for variable, value in {
        "DATABASE_URL": "x",
        "QSTASH_TOKEN": "x",
        "JOB_ENDPOINTS_PARAMETER": name,
    }.items():
        source.setenv(variable, value)
    settings = DispatcherSettings.load()
    with pytest.raises(EndpointUnknown):
        endpoint("crm-match", settings)
    parameter_store.put_parameter(
        Name=name, Value='{"crm-match": "https://a"}', Type="String", Overwrite=True
    )
    with pytest.raises(EndpointUnknown):
        endpoint("crm-match", settings)
    clock.now += 61
    assert endpoint("crm-match", settings) == "https://a"


# --- what is said ------------------------------------------------------------------------------------------


def unavailable(name: str = "QSTASH_TOKEN") -> str:
    with pytest.raises(SecretUnavailable) as caught:
        secrets.secret(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("DATABASE_URL", "DATABASE_SECRET_ARN"),
        ("QSTASH_TOKEN", "QSTASH_SECRET_ARN"),
        ("RESEND_API_KEY", "RESEND_SECRET_ARN"),
    ],
)
def test_neither_variable_set_says_which_to_set(boto: pytest.MonkeyPatch, name: str, arn: str) -> None:
    assert unavailable(name) == f"set {name}, or {arn} to the secret that holds it"


@pytest.mark.parametrize("held", [{}, {"QSTASH_TOKEN": ""}, {"QSTASH_TOKEN": None}, {"qstash_token": "t"}])
def test_a_missing_entry_says_where_to_add_it(source: pytest.MonkeyPatch, put: Put, held: Any) -> None:
    arn = put(held)
    source.setenv("QSTASH_SECRET_ARN", arn)
    assert unavailable() == f"secret {arn} has no entry QSTASH_TOKEN: add it to the secret's JSON"


@pytest.mark.parametrize("held", ["not json", "", '"t"', "[1]", "5", '{"QSTASH_TOKEN": "s3cret"'])
def test_malformed_json_says_what_it_must_be_and_not_what_it_is(
    source: pytest.MonkeyPatch, put: Put, secrets_manager: Any, held: str
) -> None:
    arn = put(held or " ")
    source.setenv("QSTASH_SECRET_ARN", arn)
    assert unavailable() == f"secret {arn} must hold a JSON object"


def test_a_binary_secret_is_said_to_be_no_json_object(
    source: pytest.MonkeyPatch, secrets_manager: Any
) -> None:
    arn = secrets_manager.create_secret(Name=uuid.uuid4().hex, SecretBinary=b"\x00")["ARN"]
    source.setenv("QSTASH_SECRET_ARN", arn)
    assert arn in unavailable()


def test_a_secret_that_is_not_there_is_named(source: pytest.MonkeyPatch) -> None:
    source.setenv("QSTASH_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:1:secret:gone")
    said = unavailable()
    assert "secret:gone" in said
    assert "find the specified secret" in said


def test_a_parameter_that_is_not_there_is_named(source: pytest.MonkeyPatch) -> None:
    with pytest.raises(SecretUnavailable, match="/not/there"):
        secrets.parameter("/not/there")


def test_no_boto3_says_what_to_install(boto: pytest.MonkeyPatch) -> None:
    boto.setitem(sys.modules, "boto3", None)
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    assert unavailable() == "reading {'SecretId': 'arn:x'} needs boto3: pip install 'posthaste[aws]'"


def test_no_region_is_said(boto: pytest.MonkeyPatch) -> None:
    boto.delenv("AWS_DEFAULT_REGION")
    boto.setenv("AWS_CONFIG_FILE", "/nonexistent")
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    assert "region" in unavailable()


def test_aws_out_of_reach_is_said(boto: pytest.MonkeyPatch) -> None:
    boto.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    assert "could not read {'SecretId': 'arn:x'}" in unavailable()


def test_an_extension_out_of_reach_is_said(boto: pytest.MonkeyPatch) -> None:
    boto.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "1")
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    assert "the secrets extension did not answer for {'secretId': 'arn:x'}" in unavailable()


def test_an_extension_that_refuses_is_quoted(boto: pytest.MonkeyPatch, extension: ExtensionServer) -> None:
    boto.setenv("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", str(extension.port))
    boto.setenv("AWS_SESSION_TOKEN", "wrong")
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    assert "the secrets extension answered 403" in unavailable()


def test_a_failure_is_not_remembered(source: pytest.MonkeyPatch, secrets_manager: Any) -> None:
    name = uuid.uuid4().hex
    source.setenv("QSTASH_SECRET_ARN", name)
    unavailable()
    secrets_manager.create_secret(Name=name, SecretString='{"QSTASH_TOKEN": "t"}')
    assert secrets.secret("QSTASH_TOKEN") == "t"


@pytest.mark.parametrize("before", ["{}", "not json yet"])
def test_an_entry_added_later_is_found_by_a_process_that_lacked_it(
    source: pytest.MonkeyPatch, put: Put, secrets_manager: Any, clock: Clock, before: str
) -> None:
    """The stack's secrets start empty: who is told to add an entry must not have to restart the functions as well."""
    arn = put(before)
    source.setenv("QSTASH_SECRET_ARN", arn)
    unavailable()
    secrets_manager.put_secret_value(SecretId=arn, SecretString='{"QSTASH_TOKEN": "t"}')
    clock.now += 61
    assert secrets.secret("QSTASH_TOKEN") == "t"


# --- when anew ---------------------------------------------------------------------------------------------


def test_refresh_forgets_what_is_older_than_a_minute(
    source: pytest.MonkeyPatch, put: Put, secrets_manager: Any, clock: Clock
) -> None:
    arn = put({"QSTASH_TOKEN": "old"})
    source.setenv("QSTASH_SECRET_ARN", arn)
    assert not secrets.refresh()  # nothing was read
    assert secrets.secret("QSTASH_TOKEN") == "old"
    secrets_manager.put_secret_value(SecretId=arn, SecretString='{"QSTASH_TOKEN": "new"}')
    clock.now += 60
    assert not secrets.refresh()
    assert secrets.secret("QSTASH_TOKEN") == "old"
    clock.now += 1
    assert secrets.refresh()
    assert secrets.secret("QSTASH_TOKEN") == "new"
    assert not secrets.refresh()


def test_refresh_leaves_what_was_read_since(source: pytest.MonkeyPatch, put: Put, clock: Clock) -> None:
    source.setenv("QSTASH_SECRET_ARN", put({"QSTASH_TOKEN": "t"}))
    source.setenv("RESEND_SECRET_ARN", put({"RESEND_API_KEY": "re"}))
    secrets.secret("QSTASH_TOKEN")
    clock.now += 61
    secrets.secret("RESEND_API_KEY")
    assert secrets.refresh()
    assert len(secrets._cache) == 1


def test_threads_may_read_while_another_refreshes(boto: pytest.MonkeyPatch, clock: Clock) -> None:
    """Reconcile publishes from eight threads, and an application may enqueue from many."""
    boto.setenv("QSTASH_SECRET_ARN", "arn:x")
    # In place of the network, which would leave too few turns in the time of a test.
    boto.setattr(secrets, "_secret_string", lambda _arn: '{"QSTASH_TOKEN": "t"}')
    boto.setattr(secrets, "_REFRESH_SECONDS", -1.0)  # all that was read is old
    raised: list[Exception] = []

    def work() -> None:
        try:
            for _turn in range(2000):
                assert secrets.secret("QSTASH_TOKEN") == "t"
                secrets.refresh()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=work) for _each in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert raised == []


# --- rotation ----------------------------------------------------------------------------------------------


def test_a_rotated_database_url_is_picked_up_when_a_connect_fails(
    source: pytest.MonkeyPatch, put: Put, secrets_manager: Any, database_url: str, clock: Clock
) -> None:
    arn = put({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"})
    source.setenv("DATABASE_SECRET_ARN", arn)
    with pytest.raises(DatabaseUnavailable):
        database.run(lambda connection: connection.execute("SELECT 1"))
    secrets_manager.put_secret_value(SecretId=arn, SecretString=json.dumps({"DATABASE_URL": database_url}))
    with pytest.raises(DatabaseUnavailable):  # read less than a minute ago
        database.run(lambda connection: connection.execute("SELECT 1"))
    clock.now += 61
    assert database.run(lambda connection: connection.execute("SELECT 5 AS five").fetchone()) == {"five": 5}


def test_a_rotated_role_is_picked_up_and_open_connections_go_on(
    source: pytest.MonkeyPatch, put: Put, secrets_manager: Any, database_url: str, clock: Clock
) -> None:
    old, new = (f"app_{uuid.uuid4().hex}" for _each in range(2))
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {old} LOGIN")
        admin.execute(f"CREATE ROLE {new} LOGIN")
        try:
            arn = put({"DATABASE_URL": make_conninfo(database_url, user=old)})
            source.setenv("DATABASE_SECRET_ARN", arn)
            assert current_user() == old
            admin.execute(f"ALTER ROLE {old} NOLOGIN")
            rotated = {"DATABASE_URL": make_conninfo(database_url, user=new)}
            secrets_manager.put_secret_value(SecretId=arn, SecretString=json.dumps(rotated))
            clock.now += 61
            assert current_user() == old
            database.discard()
            assert current_user() == new
        finally:
            database.discard()
            admin.execute(f"DROP ROLE {old}")
            admin.execute(f"DROP ROLE {new}")


def current_user() -> str:
    row = database.run(lambda connection: connection.execute("SELECT current_user AS name").fetchone())
    assert row is not None
    return str(row["name"])


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://u:p@h:notaport/x", "postgresql://h/x?no_such_option=1"]
)
def test_a_malformed_database_url_is_said_to_be_wrong(boto: pytest.MonkeyPatch, url: str) -> None:
    boto.setenv("DATABASE_URL", url)
    with pytest.raises(DatabaseUnavailable, match="DATABASE_URL") as caught:
        database.connect()
    assert "\n" not in str(caught.value)


def answer_status(body: bytes, key: str) -> int:
    answer = job_worker(Note)(lambda _job: None)(event(body, sign(body, key)), Context())
    return int(answer["statusCode"])


def keys(current: str, following: str) -> dict[str, str]:
    return {"QSTASH_CURRENT_SIGNING_KEY": current, "QSTASH_NEXT_SIGNING_KEY": following}


@pytest.fixture
def worker_secret(source: pytest.MonkeyPatch, environment: pytest.MonkeyPatch, put: Put, clock: Clock) -> str:
    """A worker whose keys are in a secret, read a while ago."""
    for name in keys("", ""):
        environment.delenv(name)
    arn = put(keys(CURRENT_KEY, NEXT_KEY))
    environment.setenv("QSTASH_SECRET_ARN", arn)
    assert secrets.secret("QSTASH_CURRENT_SIGNING_KEY") == CURRENT_KEY
    clock.now += 61
    return arn


@pytest.fixture
def reads(worker_secret: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets read from now on."""
    read = secrets._secret_string
    seen: list[str] = []

    def counted(arn: str) -> str:
        seen.append(arn)
        return read(arn)

    monkeypatch.setattr(secrets, "_secret_string", counted)
    return seen


BRAND_NEW = "sig_brand_new_0123456789abcdefghij"


def test_one_roll_of_the_keys_costs_no_request_and_no_read(
    worker_secret: str, reads: list[str], accept: Accept, secrets_manager: Any
) -> None:
    secrets_manager.put_secret_value(
        SecretId=worker_secret, SecretString=json.dumps(keys(NEXT_KEY, BRAND_NEW))
    )
    assert answer_status(envelope(accept(Note())), NEXT_KEY) == 200
    assert reads == []


def test_a_brand_new_key_is_accepted_after_one_read(
    worker_secret: str, reads: list[str], accept: Accept, secrets_manager: Any
) -> None:
    secrets_manager.put_secret_value(
        SecretId=worker_secret, SecretString=json.dumps(keys(BRAND_NEW, NEXT_KEY))
    )
    for _request in range(3):
        assert answer_status(envelope(accept(Note())), BRAND_NEW) == 200
    assert reads == [worker_secret]


def test_while_keys_roll_every_request_is_answered_200(
    worker_secret: str, reads: list[str], accept: Accept, secrets_manager: Any, clock: Clock
) -> None:
    rolled = [CURRENT_KEY, NEXT_KEY, *(f"sig_{n}_0123456789abcdefghijklmnop" for n in range(5))]
    for current, following in pairwise(rolled[1:]):
        secrets_manager.put_secret_value(
            SecretId=worker_secret, SecretString=json.dumps(keys(current, following))
        )
        assert answer_status(envelope(accept(Note())), current) == 200
        clock.now += 61
    assert len(reads) <= len(rolled) - 2


def test_forged_requests_cause_one_read_a_minute(
    worker_secret: str, reads: list[str], accept: Accept, clock: Clock
) -> None:
    body = envelope(accept(Note()))
    for _request in range(5):
        assert answer_status(body, "sig_somebody_elses_0123456789abcdef") == 401
    assert reads == [worker_secret]
    clock.now += 61
    assert answer_status(body, "sig_somebody_elses_0123456789abcdef") == 401
    assert reads == [worker_secret] * 2
    assert answer_status(body, CURRENT_KEY) == 200


def test_a_request_without_a_signature_causes_no_read(worker_secret: str, reads: list[str]) -> None:
    answer = job_worker(Note)(lambda _job: None)(event(b"{}", ""), Context())
    assert (answer["statusCode"], reads) == (401, [])


def test_keys_that_cannot_be_read_are_a_503_so_that_no_request_is_lost(
    worker_secret: str, accept: Accept, secrets_manager: Any
) -> None:
    body = envelope(accept(Note()))
    secrets.refresh()
    secrets_manager.put_secret_value(SecretId=worker_secret, SecretString="not json")
    assert answer_status(body, CURRENT_KEY) == 503


def test_a_forged_request_during_an_outage_does_not_cost_the_keys_that_are_known(
    worker_secret: str, accept: Accept, secrets_manager: Any
) -> None:
    """Anybody can send a wrong signature; it must not make a worker forget what it needs to serve the right ones."""
    body = envelope(accept(Note()))
    secrets_manager.delete_secret(SecretId=worker_secret, ForceDeleteWithoutRecovery=True)
    assert answer_status(body, "sig_somebody_elses_0123456789abcdef") in {401, 503}
    assert answer_status(body, CURRENT_KEY) == 200


def test_the_signed_url_is_the_functions(worker_secret: str, accept: Accept) -> None:
    body = envelope(accept(Note()))
    elsewhere = sign(body, CURRENT_KEY, sub=URL + "elsewhere")
    answer = job_worker(Note)(lambda _job: None)(event(body, elsewhere), Context())
    assert answer["statusCode"] == 401
