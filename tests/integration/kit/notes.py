"""Payloads of these tests' own. Their job types have other payloads, which is none of the kit's business."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from shared.envelope import Payload, WireModel
from shared.registry import JobType


class Tone(StrEnum):
    """How it sounds."""

    KIND = "kind"
    FIRM = "firm"


class Author(WireModel):
    """A nested model."""

    name: str = "Ada"
    email: str = "ada@example.com"


class Note(Payload, type=JobType.CRM_MATCH):
    """A payload with fields of several kinds, one of them named as an option is."""

    text: str = "hello"
    tone: Tone = Tone.KIND
    author: Author = Author()
    day: date = date(2026, 1, 2)
    user_id: int = 1


class Bell(Payload, type=JobType.PING):
    """Another type's."""

    rings: int = 1


class Secret(Payload, type=JobType.SEND_NOTIFICATION):
    """A sensitive type's."""

    ssn: str = "078-05-1120"
