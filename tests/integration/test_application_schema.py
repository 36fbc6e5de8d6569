"""The application's tables: each constraint refuses what it is there for, and no statement connects two tenants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.migrations import FOLDER, migrate
from infra.seed import Seeded, seed
from infra.seed.tables import TABLES
from tests.conftest import with_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNKNOWN = 2**40  # no row has this id
OWN = ("0006_application.sql", "0007_rentals.sql", "0008_waiting_events.sql", "0009_github_accounts.sql")

Database = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def database(server_url: str, template: str) -> Iterator[Database]:
    """A seeded database with two organizations; what a test does in it is rolled back."""
    name = f"{template}_application"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        with psycopg.connect(with_database(server_url, name), autocommit=True) as connection:
            seed(connection, 2, NOW)
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def seeded(database: Database) -> Seeded:
    return seed(database, 2, NOW)


@pytest.fixture
def connection(database: Database) -> Iterator[Database]:
    """The test's own transaction."""
    with database.transaction(force_rollback=True):
        yield database


def ask(connection: Database, query: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), values).fetchall()


def one(connection: Database, query: str, *values: Any) -> Any:
    ((value,),) = ask(connection, query, *values)
    return value


# --- each constraint -----------------------------------------------------------------------------------------

# (table, constraint, what to set, on which rows): a valid row that is changed to break just this one.
FIRST = "id = (SELECT min(id) FROM app.{table})"
UPDATES: list[tuple[str, str, str] | tuple[str, str, str, str]] = [
    ("users", "email_is_an_address", "email = 'nobody'"),
    ("users", "email_is_an_address", "email = 'a b@example.com'"),
    ("users", "email_is_an_address", "email = repeat('a', 250) || '@example.com'"),
    ("users", "name_is_given", "name = ''"),
    ("users", "phone_is_e164", "phone = '206 555 0100'"),
    ("users", "locale_is_a_tag", "locale = 'english'"),
    ("users", "users_email", "email = (SELECT upper(email) FROM app.users WHERE id = 2)"),
    ("organizations", "name_is_given", "name = ''"),
    ("organizations", "slug_fits_a_url", "slug = 'Two words'"),
    ("organizations", "slug_fits_a_url", "slug = '-dash'"),
    ("organizations", "organizations_slug_key", "slug = (SELECT slug FROM app.organizations WHERE id = 2)"),
    (
        "organizations",
        "organizations_stripe_customer_id_key",
        "stripe_customer_id = (SELECT stripe_customer_id FROM app.organizations WHERE id = 2)",
    ),
    (
        "organizations",
        "organizations_github_account_id_key",
        "github_account_id = (SELECT github_account_id FROM app.organizations WHERE id = 2)",
    ),
    ("memberships", "role_is_known", "role = 'king'", "user_id = 1"),
    ("memberships", "memberships_organization_id_fkey", f"organization_id = {UNKNOWN}", "role = 'member'"),
    ("memberships", "memberships_user_id_fkey", f"user_id = {UNKNOWN}", "user_id = 8"),
    ("memberships", "memberships_pkey", "user_id = 1", "user_id = 8"),
    ("activity_logs", "action_is_dotted", "action = 'Listing Published'"),
    ("activity_logs", "subject_is_whole", "subject_id = NULL"),
    ("activity_logs", "source_is_given", "source = ''"),
    ("activity_logs", "data_is_object", "data = '[]'"),
    ("activity_logs", "activity_logs_event", "source = 'stripe', external_id = (SELECT max(external_id) FROM app.activity_logs)"),
    ("activity_logs", "activity_logs_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("activity_logs", "activity_logs_user_id_fkey", f"user_id = {UNKNOWN}"),
    ("subscriptions", "plan_is_given", "plan = ''"),
    ("subscriptions", "status_is_known", "status = 'cancelled'"),
    ("subscriptions", "amount_is_not_negative", "amount = -1"),
    ("subscriptions", "currency_is_a_code", "currency = 'usd'"),
    ("subscriptions", "interval_is_known", "billing_interval = 'decade'"),
    ("subscriptions", "interval_is_known", "interval_count = 0"),
    ("subscriptions", "period_has_length", "current_period_end = current_period_start"),
    ("subscriptions", "canceled_has_canceled_at", "status = 'canceled', canceled_at = NULL"),
    ("subscriptions", "ends_after_start", "ended_at = started_at - interval '1 day'"),
    ("subscriptions", "older_event_is_refused", "stripe_updated_at = stripe_updated_at - interval '1 second'"),
    (
        "subscriptions",
        "subscriptions_stripe_subscription_id_key",
        "stripe_subscription_id = (SELECT stripe_subscription_id FROM app.subscriptions WHERE id = 2)",
    ),
    ("invoices", "status_is_known", "status = 'late', paid_at = NULL"),
    ("invoices", "amounts_are_not_negative", "amount_due = -1"),
    ("invoices", "amounts_are_not_negative", "amount_paid = -1"),
    ("invoices", "currency_is_a_code", "currency = 'dollar'"),
    ("invoices", "attempts_are_counted", "attempt_count = -1"),
    ("invoices", "paid_has_paid_at", "paid_at = NULL"),
    ("invoices", "paid_has_paid_at", "status = 'open'"),
    ("invoices", "older_event_is_refused", "stripe_updated_at = stripe_updated_at - interval '1 second'"),
    ("invoices", "invoices_organization_id_fkey", f"organization_id = {UNKNOWN}, subscription_id = NULL"),
    ("invoices", "subscription_is_the_organizations", f"subscription_id = {UNKNOWN}"),
    (
        "invoices",
        "invoices_stripe_invoice_id_key",
        "stripe_invoice_id = (SELECT stripe_invoice_id FROM app.invoices WHERE id = 2)",
    ),
    ("email_deliveries", "recipient_is_an_address", "recipient = 'nobody'"),
    ("email_deliveries", "status_is_known", "status = 'lost'"),
    *(
        ("email_deliveries", "status_has_its_time", f"status = '{status}', {status}_at = NULL")
        for status in ("sent", "delayed", "delivered", "opened", "clicked", "bounced", "complained", "failed")
    ),
    ("email_deliveries", "sent_has_provider_id", "provider_id = NULL"),
    (
        "email_deliveries",
        "email_deliveries_provider_id_key",
        "provider_id = (SELECT provider_id FROM app.email_deliveries WHERE id = 2)",
    ),
    ("email_suppressions", "email_is_an_address", "email = 'nobody'", "reason = 'bounced'"),
    ("email_suppressions", "email_is_lower_case", "email = upper(email)", "reason = 'bounced'"),
    ("email_suppressions", "reason_is_known", "reason = 'rude'", "reason = 'bounced'"),
    ("email_suppressions", "email_suppressions_pkey", "email = 'one@example.org'", "true"),
    ("webhook_events", "source_is_known", "source = 'gitlab'"),
    ("webhook_events", "custom_has_a_name", "source = 'custom'"),
    ("webhook_events", "custom_has_a_name", "name = 'crm'"),
    ("webhook_events", "event_is_named", "event_id = ''"),
    ("webhook_events", "event_is_named", "event_type = ''"),
    ("webhook_events", "status_is_known", "status = 'lost', processed_at = NULL"),
    ("webhook_events", "processed_has_processed_at", "processed_at = NULL"),
    ("webhook_events", "processed_has_processed_at", "status = 'queued'"),
    ("webhook_events", "failed_says_why", "status = 'failed', error = NULL"),
    (
        "webhook_events",
        "webhook_events_source_name_event_id_key",
        "event_id = (SELECT event_id FROM app.webhook_events WHERE id = 2)",
    ),
    ("notification_preferences", "channels_are_known", "channels = '{email,fax}'", "true"),
    ("notification_preferences", "muted_types_may_be_muted", "muted_types = '{adverse_action}'", "true"),
    ("notification_preferences", "quiet_hours_are_whole", "quiet_hours_start = '22:00', quiet_hours_end = NULL", "true"),
    ("notification_preferences", "quiet_hours_have_length", "quiet_hours_start = '22:00', quiet_hours_end = '22:00'", "true"),
    ("notification_preferences", "notification_preferences_user_id_fkey", f"user_id = -{UNKNOWN} - user_id", "true"),
    ("notification_preferences", "notification_preferences_pkey", "user_id = 1", "true"),
    ("notifications", "type_is_known", "type = 'joke'"),
    ("notifications", "template_is_given", "template_id = ''"),
    ("notifications", "channel_is_known", "channel = 'fax'"),
    ("notifications", "status_is_known", "status = 'lost'"),
    ("notifications", "status_has_its_time", "status = 'sent', sent_at = NULL"),
    ("notifications", "status_has_its_time", "status = 'delivered', delivered_at = NULL"),
    ("notifications", "failed_says_why", "status = 'failed', error = NULL"),
    ("notifications", "failed_says_why", "status = 'skipped', error = NULL"),
    ("notifications", "data_is_object", "data = '1'"),
    ("notifications", "notifications_job_id_channel_key", "channel = 'in_app'"),
    ("notifications", "notifications_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("notifications", "notifications_recipient_id_fkey", f"recipient_id = {UNKNOWN}"),
    *(
        (table, constraint, change)
        for table in ("exports", "reports")
        for constraint, change in [
            ("format_is_known", "format = 'doc'"),
            ("file_is_named", "bucket = ''"),
            ("file_is_named", "key = ''"),
            ("checksum_is_sha256", "checksum = 'abc'"),
            ("expires_after_creation", "expires_at = created_at"),
            (f"{table}_job_id_key", f"job_id = (SELECT job_id FROM app.{table} WHERE id = 2)"),
            (f"{table}_bucket_key_key", f"key = (SELECT key FROM app.{table} WHERE id = 2)"),
            (f"{table}_organization_id_fkey", f"organization_id = {UNKNOWN}"),
            (f"{table}_user_id_fkey", f"user_id = {UNKNOWN}"),
        ]
    ),
    ("exports", "entity_is_a_name", "entity = 'Activity logs'"),
    ("exports", "sizes_are_not_negative", "rows = -1"),
    ("exports", "sizes_are_not_negative", "bytes = -1"),
    ("reports", "report_type_is_a_name", "report_type = ''"),
    ("reports", "parameters_are_object", "parameters = '[]'"),
    ("reports", "period_is_whole", "period_end = NULL"),
    ("reports", "period_has_length", "period_end = period_start - 1"),
    ("reports", "size_is_not_negative", "bytes = -1"),
    ("agents", "name_is_given", "name = ''"),
    ("agents", "email_is_an_address", "email = 'nobody'"),
    ("agents", "phone_is_e164", "phone = '0'"),
    ("agents", "agents_organization_id_user_id_key", "user_id = (SELECT user_id FROM app.agents WHERE id = 2)"),
    ("agents", "agents_email", "email = (SELECT upper(email) FROM app.agents WHERE id = 2)"),
    ("agents", "user_is_a_member", f"user_id = {UNKNOWN}"),
    ("listings", "status_is_known", "status = 'sold'"),
    ("listings", "title_is_given", "title = ''"),
    ("listings", "property_type_is_known", "property_type = 'castle'"),
    ("listings", "address_is_whole", "street = ''"),
    ("listings", "address_is_whole", "city = ''"),
    ("listings", "state_is_a_code", "state = 'Washington'"),
    ("listings", "zip_is_a_code", "zip = '2116'"),
    ("listings", "place_is_whole", "longitude = NULL"),
    ("listings", "place_is_on_earth", "latitude = 91"),
    ("listings", "place_is_on_earth", "longitude = 181"),
    ("listings", "price_is_positive", "price = 0"),
    ("listings", "deposit_is_not_negative", "deposit = -1"),
    ("listings", "bedrooms_make_sense", "bedrooms = -1"),
    ("listings", "bathrooms_make_sense", "bathrooms = 1.3"),
    ("listings", "bathrooms_make_sense", "bathrooms = -1"),
    ("listings", "square_feet_are_positive", "square_feet = 0"),
    ("listings", "lease_makes_sense", "lease_months_min = 0"),
    ("listings", "lease_makes_sense", "lease_months_min = 12, lease_months_max = 6"),
    ("listings", "photos_are_urls", "photos = '{}'"),
    ("listings", "photos_are_urls", "photos = '[1]'"),
    ("listings", "photos_are_urls", "photos = '[[\"https://example.com/1.jpg\"]]'"),
    ("listings", "contact_email_is_an_address", "contact_email = 'nobody'"),
    ("listings", "contact_phone_is_e164", "contact_phone = '1'"),
    ("listings", "listings_organization_id_fkey", f"organization_id = {UNKNOWN}", "status = 'draft'"),
    ("listings", "agent_is_the_organizations", f"agent_id = {UNKNOWN}"),
    ("listing_syndications", "platform_is_known", "platform = 'ebay'"),
    ("listing_syndications", "status_is_known", "status = 'lost', removed_at = NULL"),
    ("listing_syndications", "published_has_published_at", "status = 'published', removed_at = NULL, published_at = NULL"),
    ("listing_syndications", "removed_has_removed_at", "status = 'removed', removed_at = NULL"),
    ("listing_syndications", "removed_has_removed_at", "status = 'pending', removed_at = now()"),
    ("listing_syndications", "failed_says_why", "status = 'failed', removed_at = NULL, error = NULL"),
    ("listing_syndications", "listing_syndications_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("listing_syndications", "listing_is_the_organizations", f"listing_id = {UNKNOWN}"),
    ("listing_syndications", "listing_syndications_listing_id_platform_key", "platform = 'zillow'", "listing_id = 2"),
    ("leads", "status_is_known", "status = 'lost'"),
    ("leads", "name_is_given", "name = ''"),
    ("leads", "email_is_an_address", "email = 'nobody'"),
    ("leads", "phone_is_e164", "phone = '+0'"),
    ("leads", "budget_makes_sense", "budget_min = -1"),
    ("leads", "budget_makes_sense", "budget_min = NULL, budget_max = -1"),
    ("leads", "budget_makes_sense", "budget_min = 2, budget_max = 1"),
    ("leads", "bedrooms_make_sense", "bedrooms_min = 2, bedrooms_max = 1"),
    ("leads", "bathrooms_make_sense", "bathrooms_min = -1"),
    ("leads", "move_in_makes_sense", "move_in_from = '2026-02-01', move_in_to = '2026-01-31'"),
    ("leads", "leads_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("leads", "agent_is_the_organizations", f"agent_id = {UNKNOWN}"),
    ("lead_matches", "score_is_a_percentage", "score = 101"),
    ("lead_matches", "score_is_a_percentage", "score = -1"),
    ("lead_matches", "reasons_are_an_array", "reasons = '{}'"),
    ("lead_matches", "lead_matches_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("lead_matches", "listing_is_the_organizations", f"listing_id = {UNKNOWN}"),
    ("lead_matches", "lead_is_the_organizations", f"lead_id = {UNKNOWN}"),
    ("lead_matches", "agent_is_the_organizations", f"agent_id = {UNKNOWN}"),
    ("lead_matches", "lead_matches_listing_id_lead_id_key", "lead_id = (SELECT lead_id FROM app.lead_matches WHERE id = 2)"),
    ("applications", "status_is_known", "status = 'lost', submitted_at = NULL"),
    ("applications", "documents_are_known", "required_documents = '{shoe_size}'"),
    ("applications", "started_is_not_submitted", "submitted_at = created_at"),
    ("applications", "submitted_has_submitted_at", "status = 'submitted'"),
    ("applications", "decided_has_decided_at", "status = 'approved', submitted_at = created_at"),
    ("applications", "decided_has_decided_at", "decided_at = now()"),
    ("applications", "expires_after_creation", "expires_at = created_at"),
    ("applications", "times_are_in_order", "status = 'submitted', submitted_at = created_at - interval '1 day'"),
    (
        "applications",
        "times_are_in_order",
        "status = 'denied', submitted_at = created_at, decided_at = created_at - interval '1 day'",
    ),
    ("applications", "reminders_end_after_start", "reminders_started_at = NULL, reminders_ended_at = now()"),
    ("applications", "reminders_end_after_start", "reminders_ended_at = reminders_started_at - interval '1 day'"),
    ("applications", "applications_organization_id_fkey", f"organization_id = {UNKNOWN}", "status = 'submitted'"),
    ("applications", "listing_is_the_organizations", f"listing_id = {UNKNOWN}"),
    ("applications", "applications_applicant_id_fkey", f"applicant_id = {UNKNOWN}"),
    (
        "applications",
        "applications_open",
        "(listing_id, applicant_id) = (SELECT listing_id, applicant_id FROM app.applications WHERE id = 2)",
    ),
    ("application_documents", "kind_is_known", "kind = 'shoe_size'"),
    ("application_documents", "status_is_known", "status = 'lost', received_at = now(), reviewed_at = NULL"),
    ("application_documents", "received_has_received_at", "status = 'received', received_at = NULL"),
    ("application_documents", "received_has_received_at", "received_at = now()"),
    ("application_documents", "reviewed_has_reviewed_at", "status = 'verified', received_at = now()"),
    ("application_documents", "rejected_says_why", "status = 'rejected', received_at = now(), reviewed_at = now()"),
    ("application_documents", "file_was_received", "file_key = 'key'"),
    ("application_documents", "application_documents_application_id_kind_key", "kind = 'pay_stub'"),
    ("application_documents", "application_documents_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("application_documents", "application_is_the_organizations", f"application_id = {UNKNOWN}"),
    ("application_reminders", "reminder_type_is_a_name", "reminder_type = 'Day 1'"),
    ("application_reminders", "application_reminders_organization_id_fkey", f"organization_id = {UNKNOWN}"),
    ("application_reminders", "application_is_the_organizations", f"application_id = {UNKNOWN}"),
    ("application_reminders", "application_reminders_application_id_reminder_type_key", "reminder_type = 'day3'", "true"),
]  # fmt: skip


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_each_constraint_refuses(
    connection: Database, case: tuple[str, str, str] | tuple[str, str, str, str]
) -> None:
    table, constraint, change = case[:3]
    rows = case[3] if len(case) == 4 else FIRST.format(table=table)
    assert one(connection, f"SELECT count(*) FROM app.{table} WHERE {rows}") > 0
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(psycopg.IntegrityError) as raised, connection.transaction():
        connection.execute(f"UPDATE app.{table} SET {change} WHERE {rows}".encode())
    assert (raised.value.diag.table_name, raised.value.diag.constraint_name) == (table, constraint)


# Whose rows others refer to by their pair: a new one, because an old one's would be refused for that.
REFERRED_TO = {
    "subscriptions": "(organization_id, stripe_subscription_id, plan, status, amount, currency, billing_interval, "
    "current_period_start, current_period_end, started_at, stripe_updated_at) "
    "VALUES (%s, 'sub_1', 'team', 'active', 1, 'USD', 'month', now(), now() + interval '1 day', now(), now())",
    "agents": "(organization_id, name, email) VALUES (%s, 'Ada', 'ada@example.com')",
}


@pytest.mark.parametrize("table", REFERRED_TO)
def test_an_organization_that_is_not_there_is_refused(
    connection: Database, seeded: Seeded, table: str
) -> None:
    insert = f"INSERT INTO app.{table} {REFERRED_TO[table]}".encode()
    connection.execute(insert, [seeded.organization_id])
    connection.execute(f"DELETE FROM app.{table} WHERE id = lastval()".encode())
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as raised, connection.transaction():
        connection.execute(insert, [UNKNOWN])
    assert raised.value.diag.constraint_name == f"{table}_organization_id_fkey"


TIME_ZONES = ["users", "organizations", "notification_preferences"]


@pytest.mark.parametrize("table", TIME_ZONES)
def test_a_time_zone_nobody_knows_is_refused(connection: Database, table: str) -> None:
    with (
        pytest.raises(psycopg.errors.InvalidParameterValue, match="Europe/Atlantis"),
        connection.transaction(),
    ):
        connection.execute(f"UPDATE app.{table} SET time_zone = 'Europe/Atlantis'".encode())


def test_each_constraint_has_a_case(database: Database) -> None:
    declared = ask(
        database,
        """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE connamespace = 'app'::regnamespace AND contype IN ('c', 'f', 'u', 'p')
          AND conrelid <> 'app.seed'::regclass
          AND NOT (contype IN ('u', 'p') AND EXISTS (  -- a key with id can only be broken by a repeated id
              SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = 'id'))
        UNION
        SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = 'app'::regnamespace AND indisunique
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('u', 'p'))
        """,
    )
    tested = {(case[0], case[1]) for case in UPDATES if case[1] != "older_event_is_refused"}
    tested |= {(table, f"{table}_organization_id_fkey") for table in REFERRED_TO}
    tested |= {(table, "time_zone_is_known") for table in TIME_ZONES}
    assert {(t.removeprefix("app."), c.removeprefix("app.")) for t, c in declared} == tested


def test_rows_that_name_no_external_event_are_never_the_same(connection: Database) -> None:
    connection.execute("UPDATE app.activity_logs SET external_id = NULL, source = 'app'")


def test_an_application_that_has_ended_leaves_room_for_another(connection: Database, seeded: Seeded) -> None:
    connection.execute(
        "INSERT INTO app.applications (organization_id, listing_id, applicant_id, expires_at) "
        "SELECT organization_id, listing_id, applicant_id, now() + interval '14 days' "
        "FROM app.applications WHERE id = %s",
        [seeded.withdrawn_application_id],
    )


# --- tenants -------------------------------------------------------------------------------------------------

# A row of the first organization, and what of the other's it must not be given.
CROSSINGS = [
    ("invoices", "subscription_id", "subscriptions", "subscription_is_the_organizations"),
    ("listings", "agent_id", "agents", "agent_is_the_organizations"),
    ("listing_syndications", "listing_id", "listings", "listing_is_the_organizations"),
    ("leads", "agent_id", "agents", "agent_is_the_organizations"),
    ("lead_matches", "listing_id", "listings", "listing_is_the_organizations"),
    ("lead_matches", "lead_id", "leads", "lead_is_the_organizations"),
    ("lead_matches", "agent_id", "agents", "agent_is_the_organizations"),
    ("applications", "listing_id", "listings", "listing_is_the_organizations"),
    ("application_documents", "application_id", "applications", "application_is_the_organizations"),
    ("application_reminders", "application_id", "applications", "application_is_the_organizations"),
]


@pytest.mark.parametrize(("table", "column", "parent", "constraint"), CROSSINGS)
def test_rows_of_two_tenants_cannot_be_connected(
    connection: Database, seeded: Seeded, table: str, column: str, parent: str, constraint: str
) -> None:
    bare = "AND status = 'submitted'" if parent == "applications" else ""  # has no documents that would clash
    theirs = one(
        connection,
        f"SELECT max(id) FROM app.{parent} WHERE organization_id = %s {bare}",
        seeded.other_organization_id,
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as raised, connection.transaction():
        connection.execute(
            f"UPDATE app.{table} SET {column} = %s WHERE id = "
            f"(SELECT min(id) FROM app.{table} WHERE organization_id = %s)".encode(),
            [theirs, seeded.organization_id],
        )
    assert raised.value.diag.constraint_name == constraint


@pytest.mark.parametrize("table", sorted({table for table, *_rest in CROSSINGS}))
def test_a_row_cannot_move_to_another_tenant(connection: Database, seeded: Seeded, table: str) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
        connection.execute(
            f"UPDATE app.{table} SET organization_id = %s WHERE id = "
            f"(SELECT min(id) FROM app.{table} WHERE organization_id = %s)".encode(),
            [seeded.other_organization_id, seeded.organization_id],
        )


def test_an_agent_is_a_member_of_their_own_organization(connection: Database, seeded: Seeded) -> None:
    with (
        pytest.raises(psycopg.errors.ForeignKeyViolation, match="user_is_a_member"),
        connection.transaction(),
    ):
        connection.execute(
            "UPDATE app.agents SET user_id = (SELECT min(user_id) FROM app.memberships WHERE organization_id = %s) "
            "WHERE id = %s",
            [seeded.other_organization_id, seeded.agent_id],
        )


def test_each_reference_between_tenants_rows_names_the_tenant(database: Database) -> None:
    references = ask(
        database,
        """
        SELECT conrelid::regclass::text, parent.attname, confrelid::regclass::text FROM pg_constraint
        JOIN pg_attribute AS parent ON parent.attrelid = confrelid AND parent.attnum = confkey[1]
        WHERE connamespace = 'app'::regnamespace AND contype = 'f'
          AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = conrelid AND attname = 'organization_id')
          AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = confrelid AND attname = 'organization_id')
        """,
    )
    assert len(references) == len(CROSSINGS) + 1  # and agents to memberships
    assert {column for _table, column, _parent in references} == {"organization_id"}


def test_each_tenants_table_has_a_key_to_it_and_an_index_that_begins_with_it(database: Database) -> None:
    tenants = [
        table
        for (table,) in ask(
            database,
            "SELECT table_name FROM information_schema.columns "
            "WHERE table_schema = 'app' AND column_name = 'organization_id'",
        )
    ]
    assert len(tenants) == 15
    for table in tenants:
        keys = ask(
            database,
            "SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass "
            "AND confrelid = 'app.organizations'::regclass",
            f"app.{table}",
        )
        indexes = ask(
            database,
            "SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
            "WHERE indrelid = %s::regclass AND attname = 'organization_id' AND indpred IS NULL",
            f"app.{table}",
        )
        assert len(keys) == 1, table
        assert indexes, table


# --- what is deleted -----------------------------------------------------------------------------------------


# A subscription stays for its invoices' sake too, so they go first.
ELSEWHERE = [
    "invoices",
    "subscriptions",
    "exports",
    "reports",
    "application_documents",
    "listing_syndications",
]


@pytest.mark.parametrize("table", [each for each in ELSEWHERE if each != "invoices"])
def test_an_organization_stays_while_a_row_stands_for_something_elsewhere(
    connection: Database, seeded: Seeded, table: str
) -> None:
    for other in ELSEWHERE:
        if other != table:
            connection.execute(f"DELETE FROM app.{other}".encode())
    assert_stays(connection, seeded)


def test_an_organization_stays_for_an_invoice_of_its_own(connection: Database, seeded: Seeded) -> None:
    connection.execute("UPDATE app.invoices SET subscription_id = NULL")
    for other in ELSEWHERE[1:]:
        connection.execute(f"DELETE FROM app.{other}".encode())
    assert_stays(connection, seeded)


def assert_stays(connection: Database, seeded: Seeded) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
        connection.execute("DELETE FROM app.organizations WHERE id = %s", [seeded.organization_id])


def test_an_organization_takes_along_what_is_only_here(connection: Database, seeded: Seeded) -> None:
    for table in ELSEWHERE:
        connection.execute(f"DELETE FROM app.{table}".encode())
    connection.execute("DELETE FROM app.organizations WHERE id = %s", [seeded.organization_id])
    for table in ("memberships", "agents", "listings", "leads", "lead_matches", "applications",
                  "application_reminders", "notifications", "activity_logs"):  # fmt: skip
        left = {each for (each,) in ask(connection, f"SELECT DISTINCT organization_id FROM app.{table}")}
        assert left == {seeded.other_organization_id}, table


def test_what_a_deleted_user_did_stays(connection: Database, seeded: Seeded) -> None:
    entries = one(connection, "SELECT count(*) FROM app.activity_logs")
    assert one(connection, "SELECT count(*) FROM app.activity_logs WHERE user_id = %s", seeded.member_id)
    connection.execute("UPDATE app.agents SET user_id = NULL WHERE user_id = %s", [seeded.member_id])
    connection.execute("DELETE FROM app.users WHERE id = %s", [seeded.member_id])
    assert one(connection, "SELECT count(*) FROM app.activity_logs") == entries
    assert not ask(connection, "SELECT FROM app.memberships WHERE user_id = %s", seeded.member_id)


@pytest.mark.parametrize(
    ("statement", "landmark"),
    [
        ("DELETE FROM app.users WHERE id = %s", "applicant_id"),
        ("DELETE FROM app.agents WHERE id = %s", "agent_id"),
        ("DELETE FROM app.listings WHERE id = %s", "listing_id"),
        ("DELETE FROM app.memberships WHERE user_id = %s", "owner_id"),  # is an agent
        ("DELETE FROM app.applications WHERE id = %s", "application_id"),
        ("DELETE FROM app.subscriptions WHERE id = %s", "subscription_id"),
    ],
)
def test_what_others_refer_to_stays(
    connection: Database, seeded: Seeded, statement: str, landmark: str
) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
        connection.execute(statement.encode(), [getattr(seeded, landmark)])


def test_only_what_can_be_lost_goes_with_its_parent(database: Database) -> None:
    """CASCADE and SET NULL are here by name; whatever else is referred to stays."""
    rules = ask(
        database,
        """
        SELECT conrelid::regclass::text, confrelid::regclass::text, confdeltype::text FROM pg_constraint
        WHERE connamespace = 'app'::regnamespace AND contype = 'f' AND confdeltype <> 'a'
        """,
    )
    found = {(child[4:], parent[4:], rule) for child, parent, rule in rules}
    tenants = ("memberships", "activity_logs", "notifications", "agents", "listings", "leads", "lead_matches",
               "applications", "application_reminders")  # fmt: skip
    assert found == {
        *((table, "organizations", "c") for table in tenants),
        *((table, "users", "c") for table in ("memberships", "notification_preferences")),
        *((table, "users", "n") for table in ("activity_logs", "exports", "reports")),
        *(("lead_matches", parent, "c") for parent in ("listings", "leads", "agents")),
        ("application_reminders", "applications", "c"),
    }


def test_matches_go_with_their_lead(connection: Database) -> None:
    lead = one(connection, "SELECT min(lead_id) FROM app.lead_matches")
    connection.execute("DELETE FROM app.leads WHERE id = %s", [lead])
    assert not ask(connection, "SELECT FROM app.lead_matches WHERE lead_id = %s", lead)


# --- what triggers keep --------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["subscriptions", "invoices"])
@pytest.mark.parametrize("later", ["0 seconds", "1 second"])
def test_an_event_of_the_same_time_or_later_is_applied(connection: Database, table: str, later: str) -> None:
    connection.execute(f"UPDATE app.{table} SET stripe_updated_at = stripe_updated_at + interval '{later}'".encode())  # fmt: skip


def tables_with(database: Database, column: str) -> list[str]:
    found = ask(
        database,
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'app' AND column_name = %s",
        column,
    )
    return sorted(table for (table,) in found)


def test_an_update_is_noted_in_each_table_that_says_so(connection: Database) -> None:
    tables = tables_with(connection, "updated_at")
    assert len(tables) == 11
    for table in tables:
        connection.execute(f"UPDATE app.{table} SET created_at = created_at".encode())
        assert one(connection, f"SELECT min(updated_at) >= now() FROM app.{table}"), table


def test_a_time_of_update_that_is_given_is_kept(connection: Database, seeded: Seeded) -> None:
    connection.execute(
        "UPDATE app.listings SET updated_at = '2026-03-01Z' WHERE id = %s", [seeded.listing_id]
    )
    assert one(
        connection, "SELECT updated_at FROM app.listings WHERE id = %s", seeded.listing_id
    ) == datetime(2026, 3, 1, tzinfo=UTC)


# --- the schema ----------------------------------------------------------------------------------------------


def test_each_table_is_described_in_a_line_and_seeded(database: Database) -> None:
    described = dict(
        ask(
            database,
            "SELECT relname, obj_description(oid) FROM pg_class "
            "WHERE relnamespace = 'app'::regnamespace AND relkind = 'r' AND relname <> 'seed'",
        )
    )
    assert described.keys() == set(TABLES)
    assert all(text and "\n" not in text and len(text) < 100 for text in described.values())


def test_each_time_has_a_zone_and_each_id_is_a_bigint(database: Database) -> None:
    kinds = ask(
        database,
        "SELECT DISTINCT data_type FROM information_schema.columns "
        "WHERE table_schema = 'app' AND (column_name LIKE '%%\\_at' OR column_name = 'id')",
    )
    assert {kind for (kind,) in kinds} == {"timestamp with time zone", "bigint"}


def test_each_foreign_key_is_served_by_an_index(database: Database) -> None:
    """Else deleting one row of the parent reads the whole child."""
    unserved = ask(
        database,
        """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE connamespace = 'app'::regnamespace AND contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid
              AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey)
        """,
    )
    assert unserved == []


def test_the_core_does_not_need_it(server_url: str, database_url: str) -> None:
    """No reference crosses the schemas, so the application's can be dropped, or never be made."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        core = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        before = one(connection, core)
        connection.execute("DROP SCHEMA app CASCADE")
        assert one(connection, core) == before
        assert migrate(database_url) == []
        connection.execute(
            "INSERT INTO job_executions (job_id, job_type, payload, max_attempts, user_id, organization_id) "
            "VALUES (gen_random_uuid(), 'send-email', '{}', 3, 7, 3)"
        )


def test_its_migrations_name_nothing_of_the_core() -> None:
    for name in OWN:
        code = "\n".join(line.partition("--")[0] for line in (FOLDER / name).read_text("utf-8").splitlines())
        assert "public" not in code
        assert "job_executions" not in code


def test_identifiers_are_quoted_nowhere(database: Database) -> None:
    """Workers write their SQL by hand: no column is a reserved word."""
    columns = ask(database, "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'app'")  # fmt: skip
    for table, column in columns:
        statement = sql.SQL("SELECT {table}.{column}, {column} FROM app.{table} LIMIT 0").format(
            table=sql.SQL(table), column=sql.SQL(column)
        )
        database.execute(statement)
