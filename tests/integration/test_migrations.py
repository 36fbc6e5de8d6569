"""Migrations: applied once, in order, whole, and by any number of deploys at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra import migrations
from infra.migrations import FOLDER, MigrationError, migrate

ROOT = Path(__file__).parents[2]
NAMES = [path.stem for path in sorted(FOLDER.glob("*.sql"))]

Write = Callable[..., Path]


@pytest.fixture
def empty(server_url: str) -> Iterator[str]:
    """A database without a single table."""
    name = f"empty_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield make_conninfo(server_url, dbname=name)
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def admin(empty: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(empty, autocommit=True) as connection:
        yield connection


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make a folder of migrations, or add to it."""

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            (tmp_path / f"{name.removeprefix('m')}.sql").write_text(text, "utf-8")
        return tmp_path

    return files


def applied(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute("SELECT name FROM schema_migrations ORDER BY version").fetchall()
    return [name for (name,) in rows]


def tables(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


# --- once --------------------------------------------------------------------------------------------------


def test_all_are_applied_once_in_order(empty: str, admin: psycopg.Connection[Any]) -> None:
    assert migrate(empty) == NAMES
    assert applied(admin) == NAMES
    assert "job_executions" in tables(admin)
    assert migrate(empty) == []


def test_only_what_is_missing_is_applied(empty: str, admin: psycopg.Connection[Any], write: Write) -> None:
    folder = write(m0001_a="CREATE TABLE a ()", m0002_b="ALTER TABLE a ADD COLUMN b text")
    assert migrate(empty, folder) == ["0001_a", "0002_b"]
    write(m0003_c="ALTER TABLE a DROP COLUMN b; CREATE TABLE c (text text DEFAULT '%s ü')")
    assert migrate(empty, folder) == ["0003_c"]
    assert applied(admin) == ["0001_a", "0002_b", "0003_c"]
    row = admin.execute("INSERT INTO c DEFAULT VALUES RETURNING text").fetchone()
    assert row == ("%s ü",)


def test_an_older_release_deployed_again_does_not_mind_newer_migrations(empty: str, write: Write) -> None:
    folder = write(m0001_a="CREATE TABLE a ()", m0002_b="CREATE TABLE b ()")
    migrate(empty, folder)
    (folder / "0002_b.sql").unlink()
    assert migrate(empty, folder) == []


@pytest.mark.parametrize("deploys", [2, 5])
def test_deploys_at_once_apply_each_file_once_and_all_succeed(
    empty: str, admin: psycopg.Connection[Any], write: Write, deploys: int
) -> None:
    shutil.copytree(
        FOLDER, folder := write(), dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    number = len(NAMES)
    for extra in range(1, 4):  # each fails where it is applied twice
        write(**{f"m{number + extra:04}_more": f"CREATE TABLE more_{extra} (); SELECT pg_sleep(0.02)"})
    ready = threading.Barrier(deploys)

    def deploy() -> list[str]:
        ready.wait(20)
        return migrate(empty, folder)

    with ThreadPoolExecutor(deploys) as threads:
        results = [each.result(60) for each in [threads.submit(deploy) for _deploy in range(deploys)]]
    everything = sorted(path.stem for path in folder.glob("*.sql"))
    assert sorted(name for result in results for name in result) == applied(admin) == everything


# --- refused -----------------------------------------------------------------------------------------------


def test_an_applied_file_that_was_edited_is_refused_by_name(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(m0001_a="CREATE TABLE a ()")
    migrate(empty, folder)
    write(m0001_a="CREATE TABLE a (); -- edited", m0002_b="CREATE TABLE b ()")
    with pytest.raises(
        MigrationError, match=r"^0001_a was applied as 0001_a with other content: put the file back"
    ):
        migrate(empty, folder)
    assert "b" not in tables(admin)


def test_an_applied_file_that_was_renamed_is_refused_by_both_names(empty: str, write: Write) -> None:
    folder = write(m0001_a="CREATE TABLE a ()")
    migrate(empty, folder)
    (folder / "0001_a.sql").rename(folder / "0001_other.sql")
    with pytest.raises(MigrationError, match=r"^0001_other was applied as 0001_a"):
        migrate(empty, folder)


@pytest.mark.parametrize("failing", ["SELECT 1 / 0", "CREATE TABLE half ()", "nonsense", "SELECT 'unclosed"])
def test_a_failing_file_leaves_nothing_behind_and_is_named(
    empty: str, admin: psycopg.Connection[Any], write: Write, failing: str
) -> None:
    folder = write(
        m0001_a="CREATE TABLE a ()",
        m0002_b=f"CREATE TABLE half (); ALTER TABLE a ADD COLUMN half text; {failing}",
        m0003_c="CREATE TABLE c ()",
    )
    with pytest.raises(MigrationError, match=r"^0002_b: "):
        migrate(empty, folder)
    assert tables(admin) == {"schema_migrations", "a"}
    assert applied(admin) == ["0001_a"]
    write(m0002_b="ALTER TABLE a ADD COLUMN half text")
    assert migrate(empty, folder) == ["0002_b", "0003_c"]


def test_a_file_that_fails_only_at_its_commit_is_named_too(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(
        m0001_a="CREATE TABLE a (id int PRIMARY KEY, other int REFERENCES a DEFERRABLE INITIALLY DEFERRED); "
        "INSERT INTO a VALUES (1, 2)"
    )
    with pytest.raises(MigrationError, match=r"^0001_a: "):
        migrate(empty, folder)
    assert "a" not in tables(admin)


@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
def test_a_file_that_ends_its_transaction_itself_is_not_taken_for_applied(
    empty: str, admin: psycopg.Connection[Any], write: Write, ending: str
) -> None:
    folder = write(m0001_a=f"CREATE TABLE a (); {ending}; SELECT 1 / 0")
    with pytest.raises(MigrationError, match=r"^0001_a: "):
        migrate(empty, folder)
    assert "schema_migrations" not in tables(admin) or applied(admin) == []


def test_a_table_in_use_is_not_waited_for_without_end(
    empty: str, admin: psycopg.Connection[Any], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = migrations._lock

    def impatient(connection: psycopg.Connection) -> bool:
        got = lock(connection)
        (given,) = connection.execute("SHOW lock_timeout").fetchone() or ("",)
        assert given == "10s"
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        return got

    monkeypatch.setattr(migrations, "_lock", impatient)
    folder = write(m0001_a="CREATE TABLE a ()")
    migrate(empty, folder)
    with admin.transaction():
        admin.execute("SELECT * FROM a")
        write(m0002_b="ALTER TABLE a ADD COLUMN b text")
        with pytest.raises(MigrationError, match=r"^0002_b: .*lock timeout"):
            migrate(empty, folder)
    assert migrate(empty, folder) == ["0002_b"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_a", "0003_c"], r"without gaps or repeats; found \[1, 3\]"),
        (["0002_b"], r"without gaps or repeats; found \[2\]"),
        (["0000_a", "0001_b"], r"without gaps or repeats; found \[0, 1\]"),
        (["0001_a", "0001_b"], r"without gaps or repeats; found \[1, 1\]"),
        (["0001_a", "002_b"], r"^002_b\.sql: a migration's name is four digits"),
        (["00001_a"], r"^00001_a\.sql: "),
        (["0001-a"], r"^0001-a\.sql: "),
        (["0001_Upper"], r"^0001_Upper\.sql: "),
        (["0001_"], r"^0001_\.sql: "),
        (["notes"], r"^notes\.sql: "),
        (["0001_a.down"], r"^0001_a\.down\.sql: "),
    ],
)
def test_bad_names_and_numbers_are_refused_before_anything_is_applied(
    empty: str, admin: psycopg.Connection[Any], write: Write, names: list[str], complaint: str
) -> None:
    folder = write(**{f"m{name}": "CREATE TABLE a ()" for name in names})
    with pytest.raises(MigrationError, match=complaint):
        migrate(empty, folder)
    assert tables(admin) == set()


def test_ours_are_numbered_and_named_as_they_must_be() -> None:
    assert [each.version for each in migrations.migrations()] == list(range(1, len(NAMES) + 1))
    assert NAMES[0] == "0001_job_executions"


# --- the lock ----------------------------------------------------------------------------------------------


def waiting(connection: psycopg.Connection[Any], event: str) -> list[int]:
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = %s", [event]
    ).fetchall()
    return [pid for (pid,) in rows]


def wait_for(connection: psycopg.Connection[Any], event: str) -> int:
    """The backend that waits for such an event; it is asked again until there is one."""
    for _look in range(20_000):
        if pids := waiting(connection, event):
            return pids[0]
    pytest.fail(f"nobody came to wait for {event}")


def wait_until_turned_away(connection: psycopg.Connection[Any]) -> None:
    """Until a deploy has asked for the lock in vain."""
    for _look in range(20_000):
        asked = connection.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle' AND query = 'COMMIT'"
        ).fetchone()
        if asked is not None:
            return
    pytest.fail("nobody came to ask for the lock")


def test_a_deploy_killed_while_holding_the_lock_does_not_block_the_next(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(m0001_a="CREATE TABLE a (); SELECT pg_sleep(60)")
    with ThreadPoolExecutor(2) as threads:
        killed: Future[list[str]] = threads.submit(migrate, empty, folder)
        holder = wait_for(admin, "PgSleep")
        shutil.copytree(folder, fixed := folder / "fixed")
        (fixed / "0001_a.sql").write_text("CREATE TABLE a ()")
        following: Future[list[str]] = threads.submit(migrate, empty, fixed)
        wait_until_turned_away(admin)
        admin.execute("SELECT pg_terminate_backend(%s)", [holder])
        assert following.result(30) == ["0001_a"]
        with pytest.raises((MigrationError, psycopg.OperationalError)):
            killed.result(30)
    assert applied(admin) == ["0001_a"]


# --- outside a transaction -----------------------------------------------------------------------------------

INDEX = "-- outside a transaction\n-- list a's; by b\nCREATE INDEX CONCURRENTLY a_b ON a (b);\n"


def indexes(connection: psycopg.Connection[Any]) -> dict[str, bool]:
    rows = connection.execute(
        "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname LIKE 'a!_%' ESCAPE '!'"
    ).fetchall()
    return dict(rows)


def test_an_index_is_built_while_its_table_is_written(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(m0001_a="CREATE TABLE a (b int)")
    migrate(empty, folder)
    write(m0002_b=INDEX + "CREATE INDEX CONCURRENTLY a_c ON a (b, b);")
    with ThreadPoolExecutor(1) as threads:
        with admin.transaction():
            admin.execute("INSERT INTO a VALUES (1)")
            applying: Future[list[str]] = threads.submit(migrate, empty, folder)
            with psycopg.connect(empty, autocommit=True) as other:
                wait_for(other, "virtualxid")  # the index waits for our transaction
                other.execute("SET lock_timeout = '5s'")
                other.execute("INSERT INTO a VALUES (2)")  # and nobody waits for the index
        assert applying.result(30) == ["0002_b"]
    assert indexes(admin) == {"a_b": True, "a_c": True}
    assert migrate(empty, folder) == []


def test_what_a_failed_try_left_is_finished_by_the_next(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(
        m0001_a="CREATE TABLE a (b int); INSERT INTO a VALUES (1), (1)",
        m0002_b=INDEX + "CREATE UNIQUE INDEX CONCURRENTLY a_u ON a (b);",
    )
    with pytest.raises(MigrationError, match=r"^0002_b: .*a_u"):
        migrate(empty, folder)
    assert (applied(admin), indexes(admin)) == (["0001_a"], {"a_b": True, "a_u": False})
    admin.execute("DELETE FROM a")
    assert migrate(empty, folder) == ["0002_b"]
    assert indexes(admin) == {"a_b": True, "a_u": True}


def test_deploys_at_once_build_an_index_once(
    empty: str, admin: psycopg.Connection[Any], write: Write
) -> None:
    folder = write(m0001_a="CREATE TABLE a (b int)", m0002_b=INDEX)
    with ThreadPoolExecutor(3) as threads:
        done = [each.result(60) for each in [threads.submit(migrate, empty, folder) for _deploy in range(3)]]
    assert sorted(name for names in done for name in names) == ["0001_a", "0002_b"]
    assert indexes(admin) == {"a_b": True}


# --- the command -------------------------------------------------------------------------------------------


def run(url: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if url is not None:
        environment["DATABASE_URL"] = url
    command = [sys.executable, "-m", "infra.migrations"]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def assert_one_line(text: str) -> None:
    assert text.count("\n") == 1, text
    assert "Traceback" not in text


def test_the_command_says_what_it_applied(empty: str) -> None:
    first, second = run(empty), run(empty)
    assert (first.returncode, first.stdout, first.stderr) == (
        0,
        "".join(f"applied {each}\n" for each in NAMES),
        "",
    )
    assert (second.returncode, second.stdout, second.stderr) == (0, "the schema is current\n", "")


@pytest.mark.parametrize("url", [None, ""])
def test_the_command_without_a_url_says_which_variable_to_set(url: str | None) -> None:
    done = run(url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("✗ DATABASE_URL is missing: set it to ")
    assert_one_line(done.stderr)


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "nonsense"])
def test_the_command_says_in_one_line_that_postgres_cannot_be_reached(url: str) -> None:
    done = run(url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("✗ migration failed: ")
    assert_one_line(done.stderr)


def test_the_command_says_that_the_database_has_to_be_made(empty: str) -> None:
    done = run(make_conninfo(empty, dbname="nobody_made_it"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith('database "nobody_made_it" does not exist: create it first\n')
    assert_one_line(done.stderr)


def test_the_command_fails_with_the_files_name(empty: str, admin: psycopg.Connection[Any]) -> None:
    migrate(empty)
    admin.execute("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1")
    done = run(empty)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"✗ migration failed: {NAMES[0]} was applied as ")
    assert_one_line(done.stderr)
