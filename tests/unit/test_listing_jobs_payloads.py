"""The payloads of syndicate-listing and crm-match: what they take, and how they travel."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InvalidJob
from shared.jobs.crm_match import CrmMatch
from shared.jobs.syndicate_listing import Platform, SyndicateListing, SyndicationAction
from shared.registry import get_job_config


def test_syndicate_listing_travels_in_camel_case() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    payload = SyndicateListing(
        listing_id=42,
        platforms=[Platform.ZILLOW, Platform.REALTOR],
        action=SyndicationAction.REMOVE,
        requested_at=at,
    )
    wire = payload.model_dump(mode="json", by_alias=True)
    assert wire == {
        "listingId": 42,
        "platforms": ["zillow", "realtor"],
        "action": "remove",
        "requestedAt": "2026-01-02T00:00:00Z",
        "summarize": False,
    }
    assert SyndicateListing.model_validate_json(json.dumps(wire)) == payload


def test_crm_match_travels_in_camel_case() -> None:
    payload = CrmMatch(listing_id=42, agent_id=7)
    assert payload.model_dump(mode="json", by_alias=True) == {"listingId": 42, "agentId": 7}
    assert CrmMatch.model_validate_json('{"listingId": 42, "agentId": 7}') == payload


def test_to_publish_is_what_is_meant() -> None:
    assert SyndicateListing(listing_id=1, platforms=[Platform.ZILLOW]).action is SyndicationAction.PUBLISH


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"platforms": []}, "platforms"),
        ({"platforms": ["zillow", "zillow"]}, "platforms"),
        ({"platforms": ["trulia"]}, "platforms.0"),
        ({"platforms": "zillow"}, "platforms"),
        ({"platforms": None}, "platforms"),
        ({"listing_id": 0}, "listing_id"),
        ({"listing_id": -1}, "listing_id"),
        ({"listing_id": 2**63}, "listing_id"),
        ({"listing_id": "42"}, "listing_id"),
        ({"listing_id": 1.0}, "listing_id"),
        ({"listing_id": True}, "listing_id"),
        ({"action": "delete"}, "action"),
        ({"requested_at": "2026-01-01T00:00:00"}, "requested_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_syndicate_listing_says_what_is_wrong(fields: dict[str, Any], at_fault: str) -> None:
    right: dict[str, Any] = {"listing_id": 1, "platforms": ["zillow"]}
    with pytest.raises(InvalidJob) as refused:
        SyndicateListing(**right | fields)
    assert refused.value.field == at_fault


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"listing_id": 0}, "listing_id"),
        ({"agent_id": "7"}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
        ({"lead_id": 3}, "lead_id"),
    ],
)
def test_crm_match_says_what_is_wrong(fields: dict[str, Any], at_fault: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        CrmMatch(**({"listing_id": 1, "agent_id": 1} | fields))
    assert refused.value.field == at_fault


@pytest.mark.parametrize(
    ("payload", "wire"),
    [
        (SyndicateListing, {"listingId": 1, "platforms": ["zillow"], "priority": 3}),
        (CrmMatch, {"listingId": 1, "agentId": 2, "priority": 3}),
    ],
)
def test_a_field_of_a_newer_version_is_ignored_by_the_worker(payload: Any, wire: dict[str, Any]) -> None:
    assert payload.model_validate_json(json.dumps(wire), extra="ignore").listing_id == 1


@pytest.mark.parametrize("payload", [SyndicateListing, CrmMatch])
def test_the_registry_finds_them(payload: Any) -> None:
    assert get_job_config(payload.job_type).payload is payload
