"""What is old: each table's rows that nothing needs any more, once their days are over."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from shared.jobs.cleanup_old_data import Retention

_SINCE = sql.SQL("now() - make_interval(days => %(days)s)")
# created_at has the index, and a job ended after it. A batch's completion looks at how each member ended, and again if
# it is replayed: members are kept until it has completed or is gone itself.
_JOBS = sql.SQL("""
    old.status = {status} AND old.created_at < {since} AND old.completed_at < {since}
    AND (old.batch_id IS NULL OR NOT EXISTS (
        SELECT FROM job_batches AS batch
        LEFT JOIN job_executions AS completion ON completion.job_id = batch.then_job_id
        WHERE batch.id = old.batch_id AND (batch.fired_at IS NULL OR completion.status <> 'completed')))
    AND (old.status <> 'failed' OR old.failure_callback IS NULL OR old.failure_called_at IS NOT NULL)
""")
_BATCHES = sql.SQL("""
    old.fired_at < {since}
    AND NOT EXISTS (SELECT FROM job_executions WHERE batch_id = old.id)
    AND NOT EXISTS (SELECT FROM job_executions WHERE job_id = old.then_job_id AND status <> 'completed')
""")
# An event that failed is kept for as long as its job can be replayed.
_EVENTS = sql.SQL("""
    old.received_at < {since} AND (
        old.status IN ('processed', 'ignored')
        OR old.status = 'failed' AND NOT EXISTS (
            SELECT FROM job_executions WHERE job_id = old.job_id AND status <> 'completed'))
""")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that may go. The statements know the table as `old`.

    `name` is theirs in the job's result; `order` is led by an index; `retention` is the payload's field with their days,
    or a number of days that nobody can change.
    """

    name: str
    table: sql.Identifier
    old: sql.Composed
    order: str
    retention: str | int
    has_organization: bool = False

    def days(self, retention: Retention) -> int | None:
        """For how many days its rows are kept; None for good."""
        if isinstance(self.retention, int):
            return self.retention
        days: int | None = getattr(retention, self.retention)
        return days


def _jobs(status: str) -> Table:
    old = _JOBS.format(status=sql.Literal(status), since=_SINCE)
    name = f"{status}_jobs"
    return Table(name, sql.Identifier("job_executions"), old, "created_at", name, has_organization=True)


def _by_age(name: str, age: str, *, has_organization: bool = False) -> Table:
    old = sql.SQL("{} < {}").format(sql.Identifier("old", age), _SINCE)
    return Table(name, sql.Identifier("app", name), old, age, name, has_organization)


TABLES = (
    _jobs("completed"),
    _jobs("cancelled"),
    _jobs("failed"),
    Table(
        "job_batches",
        sql.Identifier("job_batches"),
        _BATCHES.format(since=_SINCE),
        "created_at",
        "completed_jobs",
    ),
    Table(
        "schedule_payloads",
        sql.Identifier("schedule_payloads"),
        sql.SQL("old.removed_at < {}").format(_SINCE),
        "created_at",
        30,  # messages name the payload they were sent with, and QStash may deliver one days after its schedule changed
    ),
    Table(
        "webhook_events",
        sql.Identifier("app", "webhook_events"),
        _EVENTS.format(since=_SINCE),
        "received_at",
        "webhook_events",
    ),
    _by_age("email_deliveries", "queued_at"),
    _by_age("activity_logs", "occurred_at", has_organization=True),
    Table(
        "api_actions",  # who did what over the HTTP API
        sql.Identifier("api_actions"),
        sql.SQL("old.at < {}").format(_SINCE),
        "at",
        "activity_logs",
    ),
)
