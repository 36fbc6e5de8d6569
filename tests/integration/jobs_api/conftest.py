"""Keys of every kind, and clients that hold them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from functions.jobs_api.access import limits
from functions.jobs_api.reading import figures
from infra.payload_keys import new_entry
from shared import database
from tests.conftest import UrlOf
from tests.integration import delivering
from tests.integration.jobs_api.browser import Browser
from tests.integration.jobs_api.client import Client, new_key

OWN, FOREIGN = 7, 8  # organizations
TYPES = (
    "crm-match",
    "send-email",
    "send-notification",
    "process-webhook",
    "cleanup-old-data",
    "record-failure",
)


@pytest.fixture(scope="module")
def module_url(server_url: str, template: str, url_of: UrlOf) -> Iterator[str]:
    """A database for all tests of a module; to make one for each would take longer than they do."""
    name = f"jobs_api_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield url_of(name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database_url(module_url: str) -> Iterator[str]:
    """The module's database, empty."""
    with psycopg.connect(module_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE job_executions, job_batches, schedule_payloads, api_actions, api_limits, api_sessions"
        )
    yield module_url
    database.discard()


@dataclass(frozen=True)
class Keys:
    """A client for each kind of key."""

    ops: Client
    reader: Client
    own: Client
    own_reader: Client
    foreign: Client
    nobody: Client


@pytest.fixture
def keys(environment: pytest.MonkeyPatch) -> Iterator[Keys]:
    """The keys that API_KEYS lists. A process that has counted nothing and kept nothing."""
    made = {
        "ops": new_key("ops"),
        "reader": new_key("reader", "read"),
        "own": new_key("acme", "write", OWN),
        "own_reader": new_key("acme-reader", "read", OWN),
        "foreign": new_key("other", "write", FOREIGN),
    }
    environment.setenv("API_KEYS", ",".join(entry for _key, entry in made.values()))
    environment.delenv("API_SECRET_ARN", raising=False)
    environment.setenv("PAYLOAD_KEYS", new_entry())
    environment.setenv("JOB_ENDPOINTS", json.dumps(dict.fromkeys(TYPES, delivering.URL)))
    limits.forget()
    figures.forget()
    yield Keys(**{name: Client(key) for name, (key, _entry) in made.items()}, nobody=Client())
    limits.forget()
    figures.forget()


@pytest.fixture
def browser(keys: Keys) -> Browser:
    """Signed in as one who may do everything."""
    opened = Browser()
    assert opened.sign_in(keys.ops.key).status == 200
    return opened
