"""The example data: the same every time, written once, never over anything else, and what the landmarks say it is."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.seed import Seeded, SeedError, seed
from infra.seed.tables import TABLES, WITHOUT_ID
from infra.template import ROOT
from tests.conftest import with_database

NOW = datetime(2026, 3, 15, tzinfo=UTC)
TABLES_WITH_ID = [each for each in TABLES if each not in WITHOUT_ID]

Database = psycopg.Connection[Any]


@pytest.fixture
def make(server_url: str, template: str) -> Iterator[Callable[[], Database]]:
    """Migrated databases, as many as a test asks for."""
    made: list[Database] = []
    with psycopg.connect(server_url, autocommit=True) as admin:

        def new() -> Database:
            name = f"seed_{uuid.uuid4().hex}"
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
            made.append(psycopg.connect(with_database(server_url, name), autocommit=True))
            return made[-1]

        yield new
        for connection in made:
            name = connection.info.dbname
            connection.close()
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def empty(make: Callable[[], Database]) -> Database:
    return make()


@pytest.fixture(scope="module")
def world(server_url: str, template: str) -> Iterator[tuple[Database, Seeded]]:
    """The smallest size, to be read only."""
    name = f"{template}_seeded"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        with psycopg.connect(with_database(server_url, name), autocommit=True) as connection:
            seeded = seed(connection, "small", NOW)
            connection.execute("SET default_transaction_read_only = on")
            yield connection, seeded
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def ask(connection: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), values).fetchall()


def one(connection: Database, query: str, *values: Any) -> Any:
    ((value,),) = ask(connection, query, *values)
    return value


def checksums(connection: Database) -> dict[str, str]:
    return {
        table: one(
            connection,
            f"SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM app.{table} AS t",
        )
        for table in TABLES
    }


def is_empty(connection: Database) -> bool:
    return all(text.startswith("0 ") for text in checksums(connection).values())


# --- the same every time -------------------------------------------------------------------------------------


def test_two_databases_get_the_same_rows(make: Callable[[], Database]) -> None:
    first, second = make(), make()
    assert seed(first, 3, NOW, {"export": 500}) == seed(second, 3, NOW, {"export": 500})
    assert checksums(first) == checksums(second)
    assert not any(text.startswith("0 ") for text in checksums(first).values())


def test_neither_the_processes_hashes_nor_the_sessions_zone_matter(make: Callable[[], Database]) -> None:
    first, second = make(), make()
    first.execute(f"ALTER DATABASE {first.info.dbname} SET timezone = 'Asia/Tokyo'".encode())
    for number, connection in enumerate((first, second)):
        done = command(
            connection,
            "--size",
            "2",
            "--now",
            "2026-03-15T00:00Z",
            environment={"PYTHONHASHSEED": str(number)},
        )
        assert done.returncode == 0, done.stderr
    assert checksums(first) == checksums(second)


def test_the_same_moment_in_another_zone_is_the_same(make: Callable[[], Database]) -> None:
    first, second = make(), make()
    seed(first, 2, NOW)
    assert seed(second, 2, NOW.astimezone(timezone(timedelta(hours=9)))).now == NOW
    assert checksums(first) == checksums(second)


def test_a_larger_size_begins_with_the_smaller(make: Callable[[], Database]) -> None:
    smaller, larger = make(), make()
    assert seed(smaller, 2, NOW) == seed(larger, 5, NOW)
    for table in set(TABLES_WITH_ID) - {"activity_logs"}:
        last = one(smaller, f"SELECT max(id) FROM app.{table}")
        rows = f"SELECT t::text FROM app.{table} AS t WHERE id <= %s ORDER BY id"
        assert ask(smaller, rows, last) == ask(larger, rows, last), table


def test_all_times_move_with_now(make: Callable[[], Database]) -> None:
    first, second = make(), make()
    seed(first, 2, NOW)
    seed(second, 2, NOW + timedelta(days=10))
    for table, column in [("listings", "created_at"), ("invoices", "paid_at"), ("activity_logs", "occurred_at"),
                          ("applications", "expires_at")]:  # fmt: skip
        query = f"SELECT id, {column} FROM app.{table} ORDER BY id"
        moved = [(number, at and at + timedelta(days=10)) for number, at in ask(first, query)]
        assert ask(second, query) == moved


# --- once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [NOW, None])
def test_twice_changes_nothing(empty: Database, now: datetime | None) -> None:
    created = seed(empty, 2, NOW)
    before = checksums(empty)
    again = seed(empty, "2", now)
    assert (created.created, again.created) == (True, False)
    assert [getattr(created, name) for name in Seeded.__slots__ if name != "created"] == [
        getattr(again, name) for name in Seeded.__slots__ if name != "created"
    ]
    assert checksums(empty) == before


def test_what_a_user_changed_since_is_left_alone(empty: Database) -> None:
    seeded = seed(empty, 2, NOW)
    empty.execute("UPDATE app.listings SET title = 'Mine' WHERE id = %s", [seeded.listing_id])
    seed(empty, 2, NOW)
    assert one(empty, "SELECT title FROM app.listings WHERE id = %s", seeded.listing_id) == "Mine"


def test_by_default_it_is_today(empty: Database) -> None:
    before = datetime.now(UTC).date()
    seeded = seed(empty, 2)
    assert seeded.now.date() in {before, datetime.now(UTC).date()}
    assert (seeded.now.hour, seeded.now.minute, seeded.now.utcoffset()) == (0, 0, timedelta(0))


def test_two_at_once_write_once(empty: Database) -> None:
    urls = [psycopg.conninfo.make_conninfo(empty.info.dsn)] * 2

    def run(url: str) -> bool:
        with psycopg.connect(url) as connection:
            return seed(connection, 2, NOW).created

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(run, urls)) == [False, True]


def test_new_rows_follow_the_seeds(empty: Database) -> None:
    seed(empty, 2, NOW, {"export": 0})
    for table in TABLES_WITH_ID:
        last, following = ask(
            empty,
            f"SELECT coalesce(max(id), 0), nextval(pg_get_serial_sequence('app.{table}', 'id')) FROM app.{table}",
        )[0]
        assert following == last + 1, table


def test_it_is_part_of_the_callers_transaction(empty: Database) -> None:
    with empty.transaction(force_rollback=True):
        assert seed(empty, 2, NOW).created
    assert is_empty(empty)
    assert seed(empty, 2, NOW).created


def test_the_callers_row_factory_does_not_matter(empty: Database) -> None:
    empty.row_factory = dict_row
    assert seed(empty, 2, NOW).created
    assert not seed(empty, 2, NOW).created


# --- refused -------------------------------------------------------------------------------------------------

FOREIGN = {
    "users": "INSERT INTO app.users (email, name) VALUES ('ada@example.com', 'Ada')",
    "email_suppressions": "INSERT INTO app.email_suppressions (email, reason) VALUES ('ada@example.com', 'manual')",
    "webhook_events": "INSERT INTO app.webhook_events (source, event_id, event_type, payload) "
    "VALUES ('stripe', 'evt_1', 'ping', '{}')",
}


@pytest.mark.parametrize("table", FOREIGN)
def test_a_database_with_other_rows_is_refused_and_left_alone(empty: Database, table: str) -> None:
    empty.execute(FOREIGN[table].encode())
    before = checksums(empty)
    with pytest.raises(SeedError, match=rf"^app\.{table} has rows that are not the seed's: use an empty"):
        seed(empty, 2, NOW)
    assert checksums(empty) == before
    assert one(empty, "SELECT to_regclass('app.seed') IS NULL")


@pytest.mark.parametrize(
    ("size", "now", "rows"),
    [(3, NOW, {}), (2, NOW + timedelta(days=1), {}), (2, NOW, {"export": 7}), ("small", NOW, {})],
)
def test_other_data_than_was_seeded_is_refused(
    empty: Database, size: int | str, now: datetime, rows: dict[str, int]
) -> None:
    seed(empty, 2, NOW)
    before = checksums(empty)
    with pytest.raises(SeedError, match=r"^this database was seeded with 2 organizations, .*: use an empty"):
        seed(empty, size, now, rows)
    assert checksums(empty) == before


def test_a_seeded_database_that_was_emptied_is_seeded_again(empty: Database) -> None:
    seed(empty, 2, NOW)
    (statement,) = [
        line
        for line in (ROOT / "docs" / "application-data.md").read_text("utf-8").splitlines()
        if line.startswith("TRUNCATE")
    ]
    empty.execute(statement.encode())
    assert is_empty(empty)
    assert seed(empty, 3, NOW).created


@pytest.mark.parametrize("size", ["tiny", "", "1", 0, -3, "20001", "2.5", "9" * 30, "²"])
def test_what_is_no_size_is_refused_by_name(world: tuple[Database, Seeded], size: str | int) -> None:
    with pytest.raises(
        SeedError, match=r"is no size: use small, medium, large, or a number of organizations"
    ):
        seed(world[0], size, NOW)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ({"exports": 5}, r"there are no rows called 'exports': only export=NUMBER is known"),
        ({"export": -1}, r"export=-1 is out of range"),
        ({"export": 10**9}, r"export=1000000000 is out of range"),
    ],
)
def test_rows_that_make_no_sense_are_refused(
    world: tuple[Database, Seeded], rows: dict[str, int], complaint: str
) -> None:
    with pytest.raises(SeedError, match=complaint):
        seed(world[0], 2, NOW, rows)


def test_a_time_without_a_zone_is_refused(world: tuple[Database, Seeded]) -> None:
    with pytest.raises(SeedError, match="has no time zone"):
        seed(world[0], 2, NOW.replace(tzinfo=None))


def test_a_database_without_the_tables_says_what_to_run(empty: Database) -> None:
    empty.execute("DROP SCHEMA app CASCADE")
    with pytest.raises(SeedError, match=r"run `make migrate` first"):
        seed(empty, 2, NOW)


# --- what is there -------------------------------------------------------------------------------------------


def test_as_many_entries_to_export_as_were_asked_for(empty: Database) -> None:
    seeded = seed(empty, 2, NOW, {"export": 12_345})
    entries = dict(ask(empty, "SELECT organization_id, count(*) FROM app.activity_logs GROUP BY 1"))
    assert entries == {seeded.organization_id: 12_345, seeded.other_organization_id: 150}


def test_every_status_is_there(world: tuple[Database, Seeded]) -> None:
    connection, _seeded = world
    for table, known in {
        "subscriptions": "trialing active past_due canceled unpaid paused incomplete incomplete_expired",
        "invoices": "open paid void uncollectible",
        "email_deliveries": "sent delayed delivered opened clicked bounced complained failed",
        "webhook_events": "received processed ignored failed",
        "listings": "draft active rented withdrawn",
        "listing_syndications": "pending published updated removed failed",
        "leads": "new active closed",
        "applications": "started submitted documents_pending complete approved denied withdrawn expired",
        "application_documents": "requested received verified rejected",
        "notifications": "delivered skipped",
    }.items():
        found = {status for (status,) in ask(connection, f"SELECT DISTINCT status FROM app.{table}")}
        assert found == set(known.split()), table


def test_revenue_grows_over_24_months(world: tuple[Database, Seeded]) -> None:
    connection, _seeded = world
    months = ask(
        connection,
        """
        SELECT sum(amount / CASE billing_interval WHEN 'year' THEN 12 ELSE 1 END) FILTER (
            WHERE started_at <= month AND (ended_at IS NULL OR ended_at > month)
            AND status NOT IN ('incomplete', 'incomplete_expired', 'trialing'))
        FROM app.subscriptions, generate_series(%s - interval '22 months', %s, '1 month') AS month
        GROUP BY month ORDER BY month
        """,
        NOW,
        NOW,
    )
    revenue = [amount for (amount,) in months]
    assert all(revenue)
    assert revenue[0] < revenue[11] < revenue[-1]


def test_nothing_has_happened_in_the_future_or_before_its_row(world: tuple[Database, Seeded]) -> None:
    connection, _seeded = world
    ahead = {"expires_at", "current_period_end", "trial_ends_at", "due_at"}
    columns = ask(
        connection,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'app' AND data_type LIKE 'timestamp%%' AND table_name <> 'seed'",
    )
    for table, column in columns:
        if column not in ahead:
            latest = one(connection, f"SELECT max({column}) FROM app.{table}")
            assert latest <= NOW, (table, column)
    for table in {table for table, column in columns if column == "updated_at"}:
        assert not ask(connection, f"SELECT FROM app.{table} WHERE updated_at < created_at"), table
    assert not ask(connection, "SELECT FROM app.applications a JOIN app.listings l ON l.id = a.listing_id WHERE a.created_at < l.created_at")  # fmt: skip
    assert not ask(connection, "SELECT FROM app.applications a JOIN app.users u ON u.id = a.applicant_id WHERE a.created_at < u.created_at")  # fmt: skip
    assert not ask(connection, "SELECT FROM app.lead_matches m JOIN app.leads l ON l.id = m.lead_id WHERE m.created_at < l.created_at")  # fmt: skip


def test_nobody_can_be_reached(world: tuple[Database, Seeded]) -> None:
    """Addresses and numbers are those reserved for examples, wherever they stand."""
    connection, _seeded = world
    for table in TABLES:
        mails, phones, hosts = ask(
            connection,
            f"""
            SELECT count(*) FILTER (WHERE text ~ '@' AND text !~* '@example\\.(com|org)'),
                   count(*) FILTER (WHERE text ~ '\\+1[0-9]{{10}}' AND text !~ '\\+1[0-9]{{3}}55501[0-9]{{2}}'),
                   count(*) FILTER (WHERE text ~ '://' AND text !~ '://[a-z.]*example\\.com/')
            FROM app.{table} AS t, jsonb_each_text(to_jsonb(t)) AS field(name, text)
            """,
        )[0]
        assert (mails, phones, hosts) == (0, 0, 0), table


def test_rents_go_by_city_and_bedrooms(world: tuple[Database, Seeded]) -> None:
    connection, _seeded = world
    average = "SELECT avg(price) FROM app.listings WHERE bedrooms = %s"
    assert one(connection, average, 1) < one(connection, average, 2) < one(connection, average, 3)
    by_city = "SELECT avg(price::float8 / (bedrooms + 2)) FROM app.listings WHERE city = %s"
    assert one(connection, by_city, "Austin") < one(connection, by_city, "Brooklyn")
    assert one(
        connection, "SELECT bool_and(price BETWEEN 80000 AND 1200000 AND price %% 2500 = 0) FROM app.listings"
    )


def test_who_bounced_is_suppressed(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    assert not ask(
        connection,
        "SELECT FROM app.email_deliveries WHERE status IN ('bounced', 'complained') "
        "AND NOT EXISTS (SELECT FROM app.email_suppressions WHERE email = lower(recipient) AND reason = status)",
    )
    assert one(connection, "SELECT reason FROM app.email_suppressions WHERE email = %s", seeded.bounced_email) == "bounced"  # fmt: skip


# --- landmarks -----------------------------------------------------------------------------------------------


def test_the_people_of_the_first_organization(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    roles = "SELECT organization_id, role FROM app.memberships WHERE user_id = %s"
    assert ask(connection, roles, seeded.owner_id) == [(seeded.organization_id, "owner")]
    assert ask(connection, roles, seeded.member_id) == [(seeded.organization_id, "member")]
    assert one(connection, "SELECT organization_id FROM app.agents WHERE id = %s", seeded.agent_id) == seeded.organization_id  # fmt: skip


def test_the_subscriptions(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    state = "SELECT organization_id, status FROM app.subscriptions WHERE id = %s"
    assert ask(connection, state, seeded.subscription_id) == [(seeded.organization_id, "active")]
    assert ask(connection, state, seeded.past_due_subscription_id) == [
        (seeded.other_organization_id, "past_due")
    ]
    unpaid = "SELECT count(*) FROM app.invoices WHERE subscription_id = %s AND status = 'open' AND attempt_count > 0"
    assert one(connection, unpaid, seeded.past_due_subscription_id) == 1


def test_the_listing_has_leads_and_neither_matches_nor_platforms(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    assert ask(
        connection,
        "SELECT organization_id, agent_id, status FROM app.listings WHERE id = %s",
        seeded.listing_id,
    ) == [(seeded.organization_id, seeded.agent_id, "active")]
    for table in ("lead_matches", "listing_syndications"):
        assert not ask(connection, f"SELECT FROM app.{table} WHERE listing_id = %s", seeded.listing_id)
        assert ask(connection, f"SELECT FROM app.{table} WHERE organization_id = %s", seeded.organization_id)


FIT = """
    SELECT agent_id = %(agent)s, price BETWEEN coalesce(budget_min, 0) AND budget_max,
        bedrooms BETWEEN bedrooms_min AND coalesce(bedrooms_max, 99), city = ANY (cities),
        cats_allowed >= has_cats AND dogs_allowed >= has_dogs,
        coalesce(available_from <= move_in_to, true) AND (zips = '{}' OR zip = ANY (zips))
            AND bathrooms >= coalesce(bathrooms_min, 0)
    FROM (SELECT * FROM app.listings WHERE id = %(listing)s) AS listing
    CROSS JOIN LATERAL (
        SELECT agent_id AS lead_agent_id, budget_min, budget_max, bedrooms_min, bedrooms_max, cities, zips, has_cats,
            has_dogs, move_in_to, bathrooms_min
        FROM app.leads WHERE id = %(lead)s AND agent_id = listing.agent_id AND status <> 'closed'
    ) AS lead
"""


def test_one_lead_fits_the_listing_and_one_does_not(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world

    def fit(lead_id: int) -> tuple[bool, ...]:
        values = {"agent": seeded.agent_id, "listing": seeded.listing_id, "lead": lead_id}
        (found,) = connection.execute(FIT, values).fetchall()
        return tuple(found)

    assert all(fit(seeded.fitting_lead_id))
    _agent, budget, bedrooms, city, *_rest = fit(seeded.unfitting_lead_id)
    assert (budget, bedrooms, city) == (False, False, False)


def test_the_applications(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world

    def state(application_id: int) -> tuple[str, timedelta, bool]:
        (found,) = ask(
            connection,
            "SELECT status, %s - created_at, expires_at < %s FROM app.applications WHERE id = %s AND organization_id = %s",
            NOW, NOW, application_id, seeded.organization_id,
        )  # fmt: skip
        return found

    assert state(seeded.application_id) == ("documents_pending", timedelta(hours=30), False)
    assert state(seeded.day_old_application_id) == ("started", timedelta(hours=25), False)
    assert state(seeded.overdue_application_id)[::2] == ("started", True)
    assert state(seeded.expired_application_id)[::2] == ("expired", True)
    assert state(seeded.withdrawn_application_id)[0] == "withdrawn"


def test_documents_are_missing_and_nobody_was_reminded(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    missing = ask(
        connection,
        "SELECT kind FROM app.application_documents WHERE application_id = %s AND status = 'requested' ORDER BY 1",
        seeded.application_id,
    )
    assert missing == [("bank_statement",), ("landlord_reference",)]
    for application_id in (seeded.application_id, seeded.day_old_application_id):
        assert not ask(
            connection, "SELECT FROM app.application_reminders WHERE application_id = %s", application_id
        )
    assert one(connection, "SELECT applicant_id FROM app.applications WHERE id = %s", seeded.application_id) == seeded.applicant_id  # fmt: skip


def test_a_file_has_expired(world: tuple[Database, Seeded]) -> None:
    connection, seeded = world
    assert ask(
        connection,
        "SELECT organization_id, expires_at < %s, deleted_at FROM app.exports WHERE id = %s",
        NOW,
        seeded.expired_export_id,
    ) == [(seeded.organization_id, True, None)]


# --- the command ---------------------------------------------------------------------------------------------


def command(
    connection: Database, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -m infra.seed` on that database."""
    info = connection.info
    url = f"postgresql://{info.user}:{info.password}@{info.host}:{info.port}/{info.dbname}"
    return subprocess.run(
        [sys.executable, "-m", "infra.seed", *arguments],
        env={**os.environ, "DATABASE_URL": url, **(environment or {})},
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_command_says_what_it_did(empty: Database) -> None:
    first, second = (command(empty, "--size", "2", "--rows", "export=70") for _time in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "2 organizations" in first.stdout
    assert "220 activity_logs" in first.stdout
    assert "seeded before; nothing was changed" in second.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--size", "tiny"], "'tiny' is no size"),
        (["--rows", "import=5"], "no rows called 'import'"),
        (["--url", "postgresql://nobody@127.0.0.1:1/nothing"], "not seeded: "),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    empty: Database, arguments: list[str], complaint: str
) -> None:
    done = command(empty, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--rows", "many"], ["--rows", "export=-1"], ["--now", "yesterday"]])
def test_an_argument_that_cannot_be_read_is_named(empty: Database, arguments: list[str]) -> None:
    done = command(empty, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert repr(arguments[1]) in done.stderr
