"""The payload of `ping`: empty, for the job does nothing."""

from __future__ import annotations

from shared.envelope import Payload
from shared.registry import JobType


class Ping(Payload, type=JobType.PING):
    """A job that does nothing but complete: `make doctor` sends one through a stack.

    enqueue(Ping())
    """
