"""DATABASE_URL must lead to a Postgres that Posthaste can work with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from infra.deployment.probes.wrong import Works, Wrong
from infra.loopback import is_this_machine
from shared.registry import REGISTRY

_OLDEST = 14
# Parts of libpq's words, and what to do where they appear.
_REMEDIES = {
    "failed to resolve host": "no such host: copy the URL again",
    "password authentication failed": "user or password is wrong, or a special character in it is not %-encoded",
    "no password supplied": "the URL has no password: postgresql://user:password@host/name",
    "does not exist": "create it, or mend the name in the URL",
    "Connection refused": "nothing listens there: check host and port, and that Postgres is up",
    "timeout expired": (
        "no answer: open its firewall to this machine and to the functions "
        "(docs/operations.md says which addresses Lambda has), or check the host"
    ),
    "no pg_hba.conf entry": "Postgres does not let this user in from here: allow it, or add ?sslmode=require to the URL",
    "SSL": "add ?sslmode=require to the URL, or mend the server's certificate",
    "too many connections": "docs/operations.md says what to do when connections run out",
    "remaining connection slots": "docs/operations.md says what to do when connections run out",
}


def probe_database(url: str, *, from_lambda: bool = True) -> Works:
    """Connect and look around. Raises Wrong, which never shows the password.

    Unless it is to be reached `from_lambda`, it may be on this machine.
    """
    try:
        with psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            prepare_threshold=None,
            application_name="posthaste-operator",
        ) as connection:
            return _look(connection, from_lambda)
    except psycopg.ProgrammingError as error:
        known = "ask its owner" if error.sqlstate else "it has the form postgresql://user:password@host/name"
        raise Wrong(safe_words(error), known) from None
    except psycopg.Error as error:
        remedy = next((way for part, way in _REMEDIES.items() if part in str(error)), "check DATABASE_URL")
        raise Wrong(f"cannot connect to Postgres: {safe_words(error)}", remedy) from None


def safe_words(error: psycopg.Error) -> str:
    """The first line of what psycopg says, unless it would show a part of the URL, which may be the password."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return "DATABASE_URL is no connection string"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def deliveries_at_once() -> int:
    """How many deliveries flow control allows at once, an organization having those that are counted by organization."""
    limits = [config.flow_control for config in REGISTRY.values()]
    return sum(each.parallelism or 0 for each in limits if each is not None)


def _look(connection: psycopg.Connection[Any], from_lambda: bool) -> Works:
    version = connection.info.server_version // 10_000
    if version < _OLDEST:
        raise Wrong(f"this is Postgres {version}", f"Posthaste needs {_OLDEST} or newer")
    in_recovery = _ask(
        connection, "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
    )
    if in_recovery:
        raise Wrong("this Postgres is read-only", "give the URL of the primary, not of a replica")
    if _ask(connection, "SHOW synchronous_commit") == "off":
        raise Wrong(
            "synchronous_commit is off, so a crash of Postgres loses accepted jobs",
            f"ALTER DATABASE {connection.info.dbname} SET synchronous_commit = on",
        )
    lacking = _lacking_rights(connection)
    if lacking is not None and not _ask(connection, "SELECT to_regclass('schema_migrations') IS NOT NULL"):
        raise lacking
    most = int(_ask(connection, "SHOW max_connections"))
    where = f"{connection.info.dbname} at {connection.info.host}"
    warnings = list(_warnings(connection, most, from_lambda))
    return Works(f"Postgres {version}, {where}, at most {most} connections", warnings)


def _lacking_rights(connection: psycopg.Connection[Any]) -> Wrong | None:
    if _ask(
        connection,
        "SELECT has_schema_privilege('public', 'CREATE') AND has_database_privilege(current_database(), 'CREATE')",
    ):
        return None
    user, name = connection.info.user, connection.info.dbname
    return Wrong(
        f"{user} may not create tables in {name}",
        f"GRANT CREATE ON DATABASE {name} TO {user}; GRANT CREATE ON SCHEMA public TO {user}",
    )


def _warnings(connection: psycopg.Connection[Any], most: int, from_lambda: bool) -> Iterator[str]:
    if (lacking := _lacking_rights(connection)) is not None:
        yield f"{lacking.what}, so a deploy cannot migrate: run `make migrate` as somebody who may, before each"
    host = connection.info.host
    if not host or host.startswith("/") or is_this_machine(host):  # the first two: a Unix socket
        if from_lambda:
            yield f"{host} is this machine, which functions on Lambda cannot reach"
    elif not connection.pgconn.ssl_in_use:
        yield "the connection is not encrypted: add ?sslmode=require to DATABASE_URL"
    wanted = deliveries_at_once()
    if wanted > most:
        yield (
            f"flow control allows {wanted} deliveries at once, each with a connection: put a pooler before Postgres, "
            "or lower parallelism in shared/registry.py"
        )


def _ask(connection: psycopg.Connection[Any], question: str) -> Any:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None  # noqa: S101  # each of these questions has one answer
    return row[0]
