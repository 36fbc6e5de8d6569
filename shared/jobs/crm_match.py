"""The payload of `crm-match`: which listing is compared with which agent's leads."""

from __future__ import annotations

from pydantic import Field

from shared.envelope import Payload
from shared.registry import JobType


class CrmMatch(Payload, type=JobType.CRM_MATCH):
    """A listing and an agent of the job's organization, whose open leads are scored against it.

        CrmMatch(listing_id=42, agent_id=7)

    Raises InvalidJob where an id is no positive whole number.
    """

    listing_id: int = Field(ge=1, lt=2**63, strict=True)
    agent_id: int = Field(ge=1, lt=2**63, strict=True)
