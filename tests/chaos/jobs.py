"""The payload of the chaos worker's jobs."""

from __future__ import annotations

from typing import Literal

from shared.envelope import Payload
from shared.registry import JobType

Ending = Literal["completes", "raises", "retries", "fails", "cancels"]


class Effect(Payload, type=JobType.CRM_MATCH):
    """What one job is to do; the first `unlucky` attempts of one that `raises` or `retries` do not succeed.

    `tag` names the job before it has an id, which a producer that is killed never learns.
    """

    tag: str
    ends: Ending = "completes"
    unlucky: int = 0
    milliseconds: int = 0
