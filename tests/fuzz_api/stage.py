"""Tables with jobs of several organizations, and keys of every kind."""

from __future__ import annotations

import os
from typing import Any

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.jobs.crm_match import CrmMatch
from shared.schedules import schedule
from tests.fuzz_api.requests import MARK, World
from tests.integration.jobs_api.client import Client, new_key
from tests.integration.jobs_api.rows import batch, failed
from tests.integration.test_executions import put

OWN, FOREIGN = 7, 8
_STATUSES = ("pending", "processing", "retrying", "completed", "failed", "cancelled")


def set_up(connection: Connection) -> World:
    """A world; what is the other organization's carries the mark."""
    keys = {
        "bound": new_key("acme", "write", OWN),
        "reader": new_key("acme-reader", "read", OWN),
        "watcher": new_key("watcher", "read"),
        "wrong": ("ph_wrong", ""),
    }
    os.environ["API_KEYS"] = ",".join(entry for _key, entry in keys.values() if entry)
    clients = {name: Client(key) for name, (key, _entry) in keys.items()} | {"nobody": Client()}
    bound = clients["bound"]
    # Mostly the key that may act, and only on its own: then nothing of the others may change.
    weighted = {
        f"{name}{number}": clients[name] for name in clients for number in range(5 if name == "bound" else 1)
    }
    return World(weighted, _ids(connection), bound)


def operator() -> Client:
    """One who may do everything, of everybody's."""
    key, entry = new_key("ops")
    os.environ["API_KEYS"] += f",{entry}"
    return Client(key)


def _ids(connection: Connection) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = {"job_id": [], "batch_id": [], "schedule_id": []}
    for organization in (OWN, FOREIGN, None):
        mark = None if organization == OWN else MARK
        for status in _STATUSES:
            made = put(connection, status=status, organization_id=organization, error=mark or "no luck", idempotency_key=
                       None if mark is None else f"{mark} {status}", attempt=0 if status == "pending" else 1)  # fmt: skip
            ids["job_id"].append(str(made))
        ids["job_id"].append(
            str(failed(connection, organization_id=organization, payload=Jsonb({"mark": mark})))
        )
        ids["batch_id"].append(str(batch(connection, organization)))
        name = f"s{organization or 0}"
        ids["schedule_id"].append(
            schedule(
                CrmMatch(listing_id=1, agent_id=1),
                "0 3 * * *",
                schedule_id=name,
                organization_id=organization,
            )
        )
    return ids


def others(connection: Connection) -> list[Any]:
    """What is not the bound key's organization's."""
    rows = connection.execute(
        "SELECT * FROM job_executions WHERE organization_id IS DISTINCT FROM %s ORDER BY id", [OWN]
    ).fetchall()
    batches = connection.execute(
        "SELECT * FROM job_batches WHERE (then_job ->> 'organization_id')::bigint IS DISTINCT FROM %s ORDER BY id",
        [OWN],
    ).fetchall()
    return [*rows, *batches]
