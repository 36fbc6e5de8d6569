"""Where each entity's rows are, and in what order they are read."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from shared.jobs.export_data import EntityType


@dataclass(frozen=True, slots=True)
class Entity:
    """One table, known as `entity` in the statements.

    `order` names the columns that the file is in the order of: unique together, never null, and led by an index of the
    organization's rows. `what` is the entity in the words of a mail.
    """

    what: str
    table: sql.SQL
    order: tuple[str, ...]
    organization: tuple[str, str] = ("entity", "organization_id")
    created: str = "created_at"


ENTITIES = {
    EntityType.USERS: Entity(
        "Users",
        # As the organization's members: a user may belong to several.
        sql.SQL("app.memberships AS membership JOIN app.users AS entity ON entity.id = membership.user_id"),
        ("id",),
        organization=("membership", "organization_id"),
    ),
    EntityType.MEMBERSHIPS: Entity("Members", sql.SQL("app.memberships AS entity"), ("user_id",)),
    EntityType.SUBSCRIPTIONS: Entity("Subscriptions", sql.SQL("app.subscriptions AS entity"), ("id",)),
    EntityType.INVOICES: Entity("Invoices", sql.SQL("app.invoices AS entity"), ("created_at", "id")),
    EntityType.ACTIVITY_LOGS: Entity(
        "Activity log", sql.SQL("app.activity_logs AS entity"), ("occurred_at", "id"), created="occurred_at"
    ),
    EntityType.LISTINGS: Entity("Listings", sql.SQL("app.listings AS entity"), ("id",)),
    EntityType.APPLICATIONS: Entity("Applications", sql.SQL("app.applications AS entity"), ("id",)),
    EntityType.JOB_EXECUTIONS: Entity("Jobs", sql.SQL("job_executions AS entity"), ("created_at", "id")),
}
