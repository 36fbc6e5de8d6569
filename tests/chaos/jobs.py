"""The payload of the chaos worker's jobs, and how their type is configured while there is chaos."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from shared.envelope import Payload
from shared.registry import REGISTRY, FlowControl, JobConfig, JobType

Ending = Literal["completes", "raises", "retries", "fails", "cancels", "recovers"]
TIMEOUT = 5  # seconds of one attempt: a lease of 15 s runs out within a run
AT_ONCE = 8  # deliveries that QStash makes at once: there may be few cores
PLENTY = 50  # retries of a job that must succeed


class Effect(Payload, type=JobType.CRM_MATCH):
    """What one job is to do; the first `unlucky` attempts of one that `raises` or `retries` do not succeed.

    `tag` names the job before it has an id, which a producer that is killed never learns. One that `recovers` fails in
    its first run. `next_tag` names the job that a completed one has run `then`.
    """

    tag: str
    ends: Ending = "completes"
    unlucky: int = 0
    milliseconds: int = 0
    next_tag: str | None = None


def install() -> JobConfig:
    """Give the job type a timeout that can be waited for, in this process; returns what it replaced."""
    before = REGISTRY[JobType.CRM_MATCH]
    REGISTRY[JobType.CRM_MATCH] = replace(
        before, timeout=TIMEOUT, flow_control=FlowControl(parallelism=AT_ONCE)
    )
    return before
