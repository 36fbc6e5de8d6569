"""A seeded database of the test's own, files in moto's S3, and a way to run one job."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import boto3
import psycopg
import pytest

from infra.local.aws import REGION, LocalAws
from infra.seed import Seeded, seed
from shared import database, dispatcher, executions, storage
from shared.envelope import Envelope, Payload
from shared.registry import JobType
from shared.rows import Execution
from tests.conftest import UrlOf, with_database
from tests.integration import delivering

_ORGANIZATIONS = 3
LEASE = 71  # seconds after which a lost attempt of a job with a timeout of a minute may be made again


@pytest.fixture(scope="session")
def seeded_template(server_url: str, template: str) -> tuple[str, Seeded]:
    """The name of a database with the application's data, and where to begin in it."""
    name = f"{template}_seeded"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    with psycopg.connect(with_database(server_url, name)) as connection:
        return name, seed(connection, _ORGANIZATIONS)


@pytest.fixture
def seeded(seeded_template: tuple[str, Seeded]) -> Seeded:
    """Ids to begin with."""
    return seeded_template[1]


@pytest.fixture
def database_url(server_url: str, seeded_template: tuple[str, Seeded], url_of: UrlOf) -> Iterator[str]:
    """A seeded database that only this test has."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {seeded_template[0]}".encode())
        yield url_of(name)
        database.discard()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What workers need: every job type has an endpoint, and the application a name."""
    endpoints = dict.fromkeys([*map(str, JobType), "record-failure"], delivering.URL)
    variables = {
        "JOB_ENDPOINTS": json.dumps(endpoints),
        "APP_URL": "https://app.example.com",
        "APP_NAME": "Acme",
        "MAIL_FROM": "Acme <hello@example.com>",
    }
    for name, value in variables.items():
        environment.setenv(name, value)
    return environment


# --- running ------------------------------------------------------------------------------------------------


class Runner:
    """Accepts jobs as `enqueue` does, and delivers them as QStash does; nothing is published by itself."""

    def __init__(self, connection: database.Connection) -> None:
        self._connection = connection

    def __call__(self, handler: Any, payload: Payload, **options: Any) -> Execution:
        """Enqueue a job, deliver it once, and read what became of it."""
        job_id = dispatcher.enqueue(payload, **options)
        self.deliver(handler, job_id)
        return self.read(job_id)

    def deliver(self, handler: Any, job_id: UUID, seconds: float = 60.0) -> int:
        """Deliver a job's current publication; the status code answered."""
        row = self.read(job_id)
        envelope = Envelope(
            job_id=job_id, publication=row.publication, type=row.job_type, payload=self._payload(job_id)
        )
        answer = handler(delivering.event(envelope.to_wire()), delivering.Context(seconds))
        return int(answer["statusCode"])

    def read(self, job_id: UUID) -> Execution:
        """A job as it stands."""
        found = executions.find(self._connection, job_id)
        assert found is not None
        return found

    def accepted(self, job_type: JobType) -> list[Execution]:
        """All jobs of a type, oldest first."""
        found = executions.latest_by_type(self._connection, job_type.value, limit=10_000)
        return sorted(found, key=lambda job: (job.created_at, job.job_id))

    def _payload(self, job_id: UUID) -> Mapping[str, Any]:
        row = self._connection.execute(
            "SELECT payload FROM job_executions WHERE job_id = %s", [job_id]
        ).fetchone()
        assert row is not None
        payload: dict[str, Any] = row["payload"]
        return payload


@pytest.fixture
def run(connection: database.Connection, environment: pytest.MonkeyPatch) -> Runner:
    """Runs one job: `run(handler, payload, organization_id=…)`."""
    return Runner(connection)


# --- files --------------------------------------------------------------------------------------------------


class Files:
    """The bucket, as somebody else looks into it."""

    def __init__(self, url: str) -> None:
        self.bucket = f"files-{uuid.uuid4().hex}"
        self.client = boto3.client("s3", endpoint_url=url, region_name=REGION)
        self.client.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )

    def keys(self) -> list[str]:
        """What is there."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def read(self, key: str) -> bytes:
        """A whole file."""
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def unfinished(self) -> list[str]:
        """Keys of uploads that were begun and neither finished nor aborted."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [each["Key"] for each in found.get("Uploads", [])]


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    """Moto, listening."""
    server = LocalAws()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def files(aws: LocalAws, environment: pytest.MonkeyPatch) -> Iterator[Files]:
    """A bucket of the test's own, which the worker under test is set to."""
    for name, value in {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
    }.items():
        environment.setenv(name, value)
    made = Files(aws.url)
    environment.setenv("FILES_BUCKET", made.bucket)
    storage._client.cache_clear()
    yield made
    storage._client.cache_clear()
