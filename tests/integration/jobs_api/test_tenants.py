"""A key bound to an organization: others' jobs, batches and schedules are not there for it, by whatever route."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from functions.jobs_api.api.openapi import DOCUMENT
from functions.jobs_api.reading import listing
from infra.local.qstash import QStashServer
from shared.database import Connection
from shared.jobs.crm_match import CrmMatch
from shared.registry import REGISTRY
from shared.schedules import schedule
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import batch, everything, failed
from tests.integration.test_executions import put

MARK = "only-the-other-organization-knows-this"
ROUTES = [
    (method.upper(), path)
    for path, operations in json.loads(DOCUMENT.read_text())["paths"].items()
    for method in operations
]


@pytest.fixture
def foreign(keys: Keys, qstash: QStashServer, connection: Connection) -> dict[str, Any]:
    """Another organization's job of each kind, batch and schedule; and the same of none."""
    ids: dict[str, Any] = {}
    for organization in (None, FOREIGN):
        put(connection, organization_id=organization, idempotency_key=MARK)
        job_id = failed(
            connection,
            organization_id=organization,
            error=MARK,
            payload=Jsonb({"listingId": 1, "mark": MARK}),
        )
        schedule_id = schedule(CrmMatch(listing_id=1, agent_id=1), "0 3 * * *", organization_id=organization,
                               schedule_id=f"{MARK}-{organization}")  # fmt: skip
        ids = {"job_id": job_id, "batch_id": batch(connection, organization), "schedule_id": schedule_id}
    keys.foreign.post(f"/v1/jobs/{ids['job_id']}/cancel", {"reason": MARK})
    return ids


def body_for(path: str) -> dict[str, Any]:
    """What asks for the most."""
    match path:
        case "/v1/jobs":
            return {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}, "organizationId": FOREIGN}
        case "/v1/jobs/replay" | "/v1/jobs/cancel":
            return {"filter": {"type": "crm-match"}}
        case path if path.endswith("/retry"):
            return {"payload": {"listingId": 3, "agentId": 3}}
        case _:
            return {}


def test_no_route_tells_of_others_or_touches_them(
    keys: Keys, foreign: dict[str, Any], connection: Connection
) -> None:
    before = everything(connection)
    assert len(ROUTES) > 15
    for method, path in ROUTES:
        asked = path.format(**foreign)
        for client in (keys.own, keys.own_reader):
            answer = client.get(asked) if method == "GET" else client.post(asked, body_for(path))
            text = answer.text
            for name in re.findall(r"{(\w+)}", path):  # what was asked for may be repeated
                text = text.replace(str(foreign[name]), "")
            assert MARK not in text, (method, path, text)
            assert str(foreign["job_id"]) not in text, (method, path, text)
            if "{" in path:
                expected = 403 if method == "POST" and client is keys.own_reader else 404
                assert answer.status == expected, (method, path, text)
        assert everything(connection) == before, (method, path)


def test_another_organization_cannot_be_asked_for(
    keys: Keys, foreign: dict[str, Any], connection: Connection
) -> None:
    before = everything(connection)
    for path in ("/v1/jobs", "/v1/jobs/count", "/v1/statistics", "/v1/dead-letters"):
        answer = keys.own.get(path, organizationId=FOREIGN)
        assert (answer.status, answer.json["error"]) == (
            403,
            f"the key 'acme' is bound to organization {OWN}",
        )
    for path in ("/v1/jobs/replay", "/v1/jobs/cancel"):
        assert keys.own.post(path, {"filter": {"organizationId": FOREIGN}}).status == 403
    assert keys.own.post("/v1/jobs", body_for("/v1/jobs")).status == 403
    assert everything(connection) == before


def test_its_own_are_all_there(keys: Keys, foreign: dict[str, Any], connection: Connection) -> None:
    job_id, batch_id = failed(connection, organization_id=OWN), batch(connection, OWN)
    listed = {job["organizationId"] for job in keys.own.get("/v1/jobs").json["jobs"]}
    assert listed == {OWN}
    assert keys.own.get(f"/v1/jobs/{job_id}").status == 200
    assert len(keys.own.get(f"/v1/batches/{batch_id}/jobs").json["jobs"]) == 2
    assert keys.own.post(f"/v1/jobs/{job_id}/retry").status == 200
    assert keys.own.get("/health").json["totalJobs"] == 3
    accepted = keys.own.post("/v1/jobs", {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}})
    assert keys.own.get(f"/v1/jobs/{accepted.json['jobId']}").json["organizationId"] == OWN


def test_of_a_mixed_batch_it_sees_its_own_jobs(keys: Keys, connection: Connection) -> None:
    batch_id = batch(connection, OWN)
    put(connection, batch_id=batch_id, organization_id=FOREIGN)
    jobs = keys.own.get(f"/v1/batches/{batch_id}/jobs").json["jobs"]
    assert [job["organizationId"] for job in jobs] == [OWN, OWN]


@pytest.mark.parametrize("config", REGISTRY.values(), ids=lambda config: config.type.value)
def test_it_enqueues_only_what_keeps_to_its_organization(
    keys: Keys, connection: Connection, config: Any
) -> None:
    """A forged webhook could change another organization's subscription."""
    answer = keys.own.post("/v1/jobs", {"type": config.type.value, "payload": {}})
    assert answer.status == (400 if config.within_organization else 403)
    assert everything(connection) == []
    job_id = failed(connection, job_type=config.type.value, organization_id=OWN)
    answer = keys.own.post(f"/v1/jobs/{job_id}/retry", {"payload": {"x": 1}})
    assert answer.status == (400 if config.within_organization else 403)
    assert status_of(connection, job_id) == "failed"


def status_of(connection: Connection, job_id: UUID) -> str:
    row = connection.execute("SELECT status FROM job_executions WHERE job_id = %s", [job_id]).fetchone() or {}
    return str(row["status"])


@pytest.mark.parametrize(
    "query",
    [{"userId": 5}, {"scheduleId": "s"}, {"status": "failed"}, {"type": "crm-match", "status": "failed"}],
)
def test_how_far_a_search_came_tells_nothing_of_others(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch, query: dict[str, Any]
) -> None:
    monkeypatch.setattr(listing, "_SCAN", 2)
    for _number in range(5):
        failed(connection, organization_id=FOREIGN, user_id=5, schedule_id="s")
    page = keys.own.get("/v1/jobs", **query).json
    assert page == {"jobs": [], "next": None, "searchedTo": None}
