"""generate-report: every figure, computed anew from the plain rows by Python, which shares no statement with the job."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pytest

from infra.seed import Seeded
from shared.database import Connection
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.plain_rows import rows_for
from tests.integration.workers.reporting import (
    Reporter,
    add_invoice,
    add_job,
    add_organization,
    add_subscription,
    in_tokyo,
)

DAYS = {"start_date": date(2026, 4, 1), "end_date": date(2026, 6, 30)}


@pytest.fixture
def tokyo(run: Runner, files: Files, connection: Connection) -> Reporter:
    """Makes reports of an organization in Tokyo that has nothing but what the test adds."""
    return Reporter(run, files, add_organization(connection))


@pytest.fixture
def first(run: Runner, files: Files, seeded: Seeded) -> Reporter:
    """Makes reports of the first of the seeded organizations."""
    return Reporter(run, files, seeded.organization_id)


# --- what is to come ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report_type", "chart"),
    [("monthly-analytics", "active_users"), ("job-performance", "jobs"), ("listing-activity", "demand")],
)
def test_a_chart_ends_with_the_day_that_has_begun(first: Reporter, report_type: str, chart: str) -> None:
    """A line must not fall to nothing for the days that are to come."""
    today = datetime.now(UTC).date()
    days = {"start_date": today - timedelta(days=3), "end_date": today + timedelta(days=9)}
    first.report("revenue")  # so that there is a job
    (values, *_others) = first.report(report_type, **days).chart(chart).values()
    assert len(values) in {3, 4}  # the organization's day may be yesterday still
    ahead = {"start_date": date(2090, 1, 1), "end_date": date(2090, 1, 31)}
    assert chart not in [each["name"] for each in first.report(report_type, **ahead).content["charts"]]


# --- revenue ------------------------------------------------------------------------------------------------


def test_recurring_revenue(tokyo: Reporter, connection: Connection) -> None:
    mine = tokyo.organization_id
    add_subscription(connection, mine, 10_000, "2025-01-15")
    add_subscription(connection, mine, 120_000, "2026-05-10", billing_interval="year")
    add_subscription(connection, mine, 9_000, "2025-02-01", "2026-05-20", plan="starter")
    add_subscription(connection, mine, 60_000, "2026-01-01", currency="EUR", interval_count=3)
    add_subscription(connection, mine, 77_000, "2025-01-01", status="unpaid")  # brings nothing
    add_subscription(connection, mine, 88_000, "2026-01-01", status="trialing")
    add_subscription(
        connection, mine, 5_000, "2026-04-02", "2026-04-10", trial_ends_at=in_tokyo("2026-04-16")
    )  # never paid for
    add_subscription(connection, mine, 1_200, "2026-07-01")  # after the period
    report = tokyo.report("revenue", **DAYS)
    figures = report.figures()
    assert {name: figures[name] for name in figures if name.split("_")[0] in {"at", "new", "lost", "churn"}} == {
        "at_end_EUR": 20_000, "new_EUR": 0, "lost_EUR": 0, "churn_EUR": 0,
        "at_end_USD": 20_000, "new_USD": 10_000, "lost_USD": 9_000, "churn_USD": 47.4,
    }  # fmt: skip
    assert (report.before()["at_end_USD"], report.before()["at_end_EUR"]) == (19_000, 20_000)
    months = {(row["month"], row["currency"]): row for row in report.rows("months")}
    recurring = [months[f"2026-{month:02}-01", "USD"]["recurring"] for month in range(3, 7)]
    assert recurring == [19_000, 19_000, 20_000, 20_000]
    assert months["2025-07-01", "USD"]["subscriptions"] == 2
    assert report.chart("recurring_USD")["MRR"][-4:] == recurring
    plans = {(row["plan"], row["currency"]): row["recurring"] for row in report.rows("plans")}
    assert plans == {("team", "USD"): 20_000, ("team", "EUR"): 20_000}


def test_invoices(tokyo: Reporter, connection: Connection) -> None:
    mine = tokyo.organization_id
    add_invoice(connection, mine, 100, in_tokyo("2026-04-01", "00:00"))  # still March in UTC
    add_invoice(connection, mine, 1_000, in_tokyo("2026-06-30", "23:59"), attempt_count=3)
    add_invoice(connection, mine, 55, in_tokyo("2026-03-31", "23:59"))
    add_invoice(connection, mine, 66, in_tokyo("2026-07-01", "00:00"))
    add_invoice(
        connection, mine, 7_000, in_tokyo("2026-06-10"), paid_at=in_tokyo("2026-07-01", "00:00")
    )  # owed at the end
    add_invoice(
        connection, mine, 20_000, in_tokyo("2026-05-01"), status="open", attempt_count=2, amount_paid=500
    )
    add_invoice(connection, mine, 300, in_tokyo("2026-05-01"), status="draft")
    add_invoice(connection, mine, 400, in_tokyo("2026-05-01"), status="void")
    add_invoice(connection, mine, 600, in_tokyo("2026-05-01"), status="uncollectible", attempt_count=4)
    add_invoice(connection, mine, 5_000, in_tokyo("2026-05-05"), currency="JPY")
    report = tokyo.report("revenue", **DAYS)
    figures = report.figures()
    assert figures == {
        "collected_USD": 1_100, "outstanding_USD": 7_000 + 19_500,
        "collected_JPY": 5_000, "outstanding_JPY": 0,
        "failed_payments": 2 + 2 + 4,
    }  # fmt: skip
    assert report.before()["collected_USD"] == 55
    april, may, june = (
        next(row for row in report.rows("months") if (row["month"], row["currency"]) == (month, "USD"))
        for month in ("2026-04-01", "2026-05-01", "2026-06-01")
    )
    assert [row["invoiced"] for row in (april, may, june)] == [100, 20_600, 8_000]
    assert [row["collected"] for row in (april, may, june)] == [100, 0, 1_000]
    assert [row["outstanding"] for row in report.rows("unpaid")] == [19_500, 7_000]


def test_filters_of_revenue(tokyo: Reporter, connection: Connection) -> None:
    mine = tokyo.organization_id
    for currency, plan in (("USD", "team"), ("EUR", "team"), ("USD", "starter")):
        add_subscription(connection, mine, 1_000, "2026-01-01", currency=currency, plan=plan)
        add_invoice(connection, mine, 1_000, in_tokyo("2026-05-01"), currency=currency)
    every = tokyo.report("revenue", **DAYS).figures()
    assert (every["at_end_USD"], every["at_end_EUR"], every["collected_USD"]) == (2_000, 1_000, 2_000)
    dollars = tokyo.report("revenue", filters={"currency": "USD"}, **DAYS).figures()
    assert not [name for name in dollars if name.endswith("EUR")]
    starter = tokyo.report("revenue", filters={"plan": ["starter"]}, **DAYS).figures()
    assert (starter["at_end_USD"], "at_end_EUR" in starter, "collected_USD" in starter) == (
        1_000,
        False,
        False,
    )


def test_seeded_revenue(first: Reporter, seeded: Seeded, connection: Connection) -> None:
    rows, days = rows_for(connection, seeded, 400)
    figures = first.report("revenue", **days).figures()
    paid = [row for row in rows.of("app.invoices") if rows.within(row["paid_at"])]
    assert figures["collected_USD"] == sum(row["amount_paid"] for row in paid) > 0
    running = [
        row["amount"] / (12 if row["billing_interval"] == "year" else 1)
        for row in rows.of("app.subscriptions")
        if row["started_at"] < rows.ends_at and (row["ended_at"] is None or row["ended_at"] >= rows.ends_at)
    ]
    assert figures["at_end_USD"] == round(sum(running)) > 0


# --- monthly analytics --------------------------------------------------------------------------------------


def test_seeded_analytics(first: Reporter, seeded: Seeded, connection: Connection) -> None:
    rows, days = rows_for(connection, seeded)
    report = first.report("monthly-analytics", **days)
    logs = [row for row in rows.of("app.activity_logs") if rows.within(row["occurred_at"])]
    mails = [row for row in rows.of("app.notifications") if row["channel"] == "email"]
    paid = [row for row in rows.of("app.invoices") if rows.within(row["paid_at"])]
    figures = report.figures()
    assert figures["active_users"] == len({row["user_id"] for row in logs} - {None}) > 0
    assert figures["activities"] == len(logs) > 0
    assert figures["members"] == len(rows.of("app.memberships"))
    assert figures["new_members"] == rows.count("app.memberships")
    assert figures["applications"] == rows.count("app.applications") > 0
    assert figures["listings_published"] == sum(map(rows.within, rows.published().values())) > 0
    assert figures["mails"] == sum(rows.within(row["sent_at"]) for row in mails) > 0
    assert (figures["paid_USD"], figures["collected_USD"]) == (
        len(paid),
        sum(row["amount_paid"] for row in paid),
    )
    steps = report.rows("steps")
    assert sum(row["activities"] for row in steps) == figures["activities"]
    assert sum(row["applications"] for row in steps) == figures["applications"]
    assert sum(row["invoices_paid"] for row in steps) == len(paid)
    weeks = Counter(
        rows.day(row["occurred_at"]) - timedelta(rows.day(row["occurred_at"]).weekday()) for row in logs
    )
    for row in steps[1:]:
        assert row["activities"] == weeks[date.fromisoformat(row["first"])]
    actions = Counter(row["action"] for row in logs)
    assert {row["action"]: row["times"] for row in report.rows("actions")} == dict(actions.most_common(10))


def test_a_mail_that_two_tables_tell_of_is_one(
    tokyo: Reporter, seeded: Seeded, connection: Connection
) -> None:
    at = in_tokyo("2026-05-05")
    job_id = add_job(connection, tokyo.organization_id, at, 1)
    for provider_id in ("both", "delivery"):
        connection.execute(
            """INSERT INTO app.email_deliveries (provider_id, recipient, status, job_id, queued_at, sent_at)
            VALUES (%s, 'a@example.org', 'sent', %s, %s, %s)""",
            [provider_id, job_id, at, at],
        )
    for provider_id in ("both", "notice"):
        connection.execute(
            """INSERT INTO app.notifications (organization_id, recipient_id, type, template_id, channel, status, provider_id,
                created_at, sent_at) VALUES (%s, %s, 'reminder', 'x', 'email', 'sent', %s, %s, %s)""",
            [tokyo.organization_id, seeded.owner_id, provider_id, at, at],
        )
    assert tokyo.report("monthly-analytics", **DAYS).figures()["mails"] == 3


# --- job performance ----------------------------------------------------------------------------------------


def test_job_performance(tokyo: Reporter, seeded: Seeded, connection: Connection) -> None:
    mine, at = tokyo.organization_id, in_tokyo("2026-05-05")
    durations = [0.1, 0.2, 0.4, 0.8, 1.6, 60.0]
    for seconds in durations:
        add_job(connection, mine, at, seconds, attempt=2)
    add_job(connection, mine, in_tokyo("2026-06-30", "23:59"), 9, status="failed", error="no", attempt=5)
    add_job(connection, mine, at, 9, status="cancelled", job_type="export-data")
    add_job(connection, mine, at, 9, status="pending", completed_at=None, started_at=None, attempt=0)
    add_job(connection, mine, in_tokyo("2026-07-01", "00:00"), 9)
    add_job(connection, seeded.organization_id, at, 9)
    report = tokyo.report("job-performance", **DAYS)
    assert report.figures() == {
        "jobs": 9, "failure_rate": 14.3, "dead_letters": 1, "retries": 10, "p50": 0.6, "p95": 45.4,
    }  # fmt: skip
    assert median(durations) == pytest.approx(0.6)
    mails, exports = report.rows("types")
    assert mails == {
        "job_type": "send-email", "jobs": 8, "completed": 6, "dead_letters": 1, "cancelled": 0, "unfinished": 1,
        "failure_rate": 14.3, "retries": 10, "p50": 0.6, "p95": 45.4,
    }  # fmt: skip
    assert (exports["job_type"], exports["cancelled"], exports["failure_rate"]) == ("export-data", 1, None)
    assert report.chart("jobs") == {
        "Completed": [0, 6, 0], "Dead letters": [0, 0, 1], "Cancelled": [0, 1, 0], "Not over": [0, 1, 0],
    }  # fmt: skip
    only = tokyo.report("job-performance", filters={"job_type": "export-data"}, **DAYS)
    assert only.figures()["jobs"] == 1
