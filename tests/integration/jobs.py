"""A payload of the tests' own. Its job type has no worker of ours yet, so nothing else is in the way."""

from __future__ import annotations

from shared.envelope import Payload
from shared.registry import JobType


class Note(Payload, type=JobType.CRM_MATCH):
    """A payload with one field."""

    text: str = "hello"
