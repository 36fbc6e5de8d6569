"""Forward-only migrations: plain SQL files, each applied once, in order of their numbers.

Small and ours because the kept runners do not fit: yoyo locks with a row that a killed deploy leaves behind, and
Alembic brings SQLAlchemy into a Lambda. Postgres's own advisory lock ends with the transaction that holds it.

A migration must be safe while the previous version of the code still runs: expand first, contract a release later. One
that builds indexes on a table in use begins with `-- outside a transaction` and says CONCURRENTLY: each of its
statements commits alone, and after a failure the next deploy does what is left.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

FOLDER = Path(__file__).parent
_LOCK = 0x706F737468617374  # any constant will do, as long as every deploy uses the same
_OUTSIDE = "-- outside a transaction"
_POLL_SECONDS = 0.1
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?!IF NOT EXISTS)([a-z_]+) ")
_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The files and the database do not agree, or a file could not be applied; nothing of that file was kept."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Detects a file that was edited after it had been applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_outside(self) -> bool:
        """Whether its statements run outside a transaction, one by one."""
        return self.sql.startswith(_OUTSIDE)

    @property
    def statements(self) -> list[str]:
        """Its statements, where they run one by one."""
        lines = [line.partition("--")[0] for line in self.sql.splitlines()]
        return [each.strip() for each in "\n".join(lines).split(";") if each.strip()]


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """All migrations in the order of their numbers. Raises MigrationError for a bad or repeated number."""
    found = [_read(path) for path in sorted(folder.glob("*.sql"))]
    numbers = [each.version for each in found]
    if numbers != list(range(1, len(found) + 1)):
        raise MigrationError(
            f"migrations must be numbered 0001, 0002, … without gaps or repeats; found {numbers}"
        )
    return found


def migrate(database_url: str, folder: Path = FOLDER) -> list[str]:
    """Apply what is missing and return the names applied. Safe when several deploys run it at once.

    Needs a direct connection, not one through a pooler. Raises MigrationError, psycopg.OperationalError.
    """
    with _connect(database_url) as connection:
        return list(_apply_missing(connection, database_url, migrations(folder)))


def _connect(database_url: str) -> psycopg.Connection:
    try:
        # Nothing prepared: the URL may be a transaction pooler's.
        return psycopg.connect(database_url, autocommit=True, connect_timeout=5, prepare_threshold=None)
    except psycopg.ProgrammingError:  # its words would show the password
        raise MigrationError(
            "DATABASE_URL is no connection string: postgresql://user:password@host/name"
        ) from None


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(f"{path.name}: a migration's name is four digits, _, and lower-case words")
    return Migration(int(match[1]), path.stem, path.read_text("utf-8"))


def _apply_missing(
    connection: psycopg.Connection, database_url: str, files: list[Migration]
) -> Iterator[str]:
    for migration in files:
        try:
            if migration.is_outside:
                missing = _apply_outside(connection, database_url, migration)
            else:
                missing = _apply_inside(connection, migration)
        except psycopg.Error as error:  # at its commit too: a deferred constraint
            raise MigrationError(f"{migration.name}: {error}") from error
        if missing:
            yield migration.name


def _apply_inside(connection: psycopg.Connection, migration: Migration) -> bool:
    """Apply a migration, if it is missing, in one transaction with the note that it is applied."""
    with _locked(connection):
        missing = not _is_applied(connection, migration)
        if missing:
            connection.execute(migration.sql.encode())
            _note(connection, migration)
    return missing


def _apply_outside(connection: psycopg.Connection, database_url: str, migration: Migration) -> bool:
    """Apply a migration's statements, if it is missing, each on its own, and note it after the last.

    The lock is another connection's: its transaction lies idle, so that no index waits for it.
    """
    with _connect(database_url) as holder, _locked(holder):
        missing = not _is_applied(connection, migration)
        if missing:
            for statement in migration.statements:
                _execute_once(connection, statement)
            _note(connection, migration)
    return missing


def _execute_once(connection: psycopg.Connection, statement: str) -> None:
    """Run a statement; an index that an earlier try has built is left, and one that it left half-built is built anew."""
    if match := _INDEX.match(statement):
        name = match[1]
        found = connection.execute(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name]
        ).fetchone()
        if found == (True,):
            return
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())
    connection.execute(statement.encode())


@contextmanager
def _locked(connection: psycopg.Connection) -> Iterator[None]:
    """A transaction that holds off other deploys until it ends, however it ends.

    The lock is asked for again and again, each time in a transaction of its own: whoever waits for it within one has
    a snapshot, and an index that is being built waits for all of those to end.
    """
    while True:
        with connection.transaction():
            if _lock(connection):
                yield
                return
        time.sleep(_POLL_SECONDS)


def _lock(connection: psycopg.Connection) -> bool:
    if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone() != (True,):
        return False
    # A migration that cannot get its table lock must not queue all traffic behind it.
    connection.execute("SET LOCAL lock_timeout = '10s'")
    return True


def _is_applied(connection: psycopg.Connection, migration: Migration) -> bool:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
        "applied_at timestamptz NOT NULL DEFAULT now())"
    )
    row = connection.execute(
        "SELECT name, checksum FROM schema_migrations WHERE version = %s", [migration.version]
    ).fetchone()
    if row is not None and row != (migration.name, migration.checksum):
        raise MigrationError(
            f"{migration.name} was applied as {row[0]} with other content: put the file back and write a new migration"
        )
    return row is not None


def _note(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
