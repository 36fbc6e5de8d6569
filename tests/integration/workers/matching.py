"""A seeded listing, its agent and a worker, and what tests look at and change around them."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from uuid import UUID

from infra.seed import Seeded
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.jobs.crm_match import CrmMatch
from shared.registry import JobType
from shared.rows import Execution
from tests.integration.workers.conftest import Runner


class World:
    """A seeded listing, its agent, and a worker."""

    def __init__(self, connection: Connection, run: Runner, seeded: Seeded) -> None:
        self.connection, self.run, self.seeded = connection, run, seeded
        self.payload = CrmMatch(listing_id=seeded.listing_id, agent_id=seeded.agent_id)
        # It asks for its environment when it is imported.
        self.handler = import_module("functions.crm_match.handler").handler

    def accept(self) -> UUID:
        return enqueue(self.payload, organization_id=self.seeded.organization_id, user_id=7)

    def match(self) -> Execution:
        """One job, delivered once."""
        return self.run(self.handler, self.payload, organization_id=self.seeded.organization_id, user_id=7)

    def matches(self) -> dict[int, dict[str, Any]]:
        """What is stored for the listing, by lead."""
        rows = self.connection.execute(
            "SELECT * FROM app.lead_matches WHERE listing_id = %s", [self.seeded.listing_id]
        ).fetchall()
        return {row["lead_id"]: row for row in rows}

    def mails(self) -> list[Execution]:
        return self.run.accepted(JobType.SEND_EMAIL)

    def change(self, table: str, column: str, value: object) -> None:
        """Change the listing, or all of the agent's leads."""
        where = {"listings": "id = %s", "agents": "id = %s", "leads": "agent_id = %s"}[table]
        which = self.seeded.listing_id if table == "listings" else self.seeded.agent_id
        self.connection.execute(
            f"UPDATE app.{table} SET {column} = %s WHERE {where}".encode(), [value, which]
        )

    def only_lead(self, **columns: object) -> int:
        """An agent of one lead, who wishes for nothing but this."""
        self.connection.execute("DELETE FROM app.leads WHERE agent_id = %s", [self.seeded.agent_id])
        values = {
            "organization_id": self.seeded.organization_id,
            "agent_id": self.seeded.agent_id,
            "name": "Ada",
            "email": "ada@example.org",
        } | columns
        names, places = ", ".join(values), ", ".join(["%s"] * len(values))
        row = self.connection.execute(
            f"INSERT INTO app.leads ({names}) VALUES ({places}) RETURNING id".encode(), list(values.values())
        ).fetchone()
        assert row is not None
        lead_id: int = row["id"]
        return lead_id
