"""A schedule as QStash keeps it, read back; and one run of it now, by hand."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from shared import publishing
from shared.endpoints import endpoints
from shared.envelope import Envelope, ScheduleTerms, scheduled_job_id
from shared.observability import logger
from shared.settings import DispatcherSettings

_ZONE = re.compile(r"CRON_TZ=(\S+) +(.*)")


@dataclass(frozen=True, slots=True)
class KeptSchedule:
    """One schedule of this stack: when it runs, and the envelope that each of its runs is delivered with."""

    id: str
    cron: str
    time_zone: str
    paused: bool
    next_run_at: datetime | None
    envelope: Envelope

    @property
    def terms(self) -> ScheduleTerms:
        """What it asks of each run."""
        return self.envelope.metadata.schedule or ScheduleTerms(id=self.id)


def kept_schedules(settings: DispatcherSettings) -> list[KeptSchedule]:
    """The schedules of the account that deliver to this stack's functions, by id. Raises PublishFailed."""
    ours = {url.rstrip("/") for url in endpoints(settings).values()}
    listed = publishing.list_schedules(settings)
    found = [each for each in listed if str(each.get("destination", "")).rstrip("/") in ours]
    return sorted(_readable(found), key=lambda kept: kept.id)


def run_now(kept: KeptSchedule, settings: DispatcherSettings) -> UUID:
    """Deliver what the schedule delivers, once and now; the run's job id. Raises PublishFailed or PublishRejected.

    It is a run like any other: a redelivery meets its row, and with `overlap="skip"` it does nothing while another
    run is not over.
    """
    message_id = publishing.publish_run(
        kept.id, kept.cron, kept.envelope, kept.terms.publish_options, settings
    )
    logger.info("run by hand", extra={"schedule_id": kept.id, "qstash_message_id": message_id})
    return scheduled_job_id(message_id)


def _readable(found: list[dict[str, Any]]) -> Iterator[KeptSchedule]:
    for each in found:
        try:
            envelope = Envelope.model_validate_json(_body(each), extra="ignore")
        except ValidationError:
            continue  # somebody else's message to one of our functions
        zone = _ZONE.fullmatch(str(each["cron"]))
        yield KeptSchedule(
            id=str(each["scheduleId"]),
            cron=zone[2] if zone else str(each["cron"]),
            time_zone=zone[1] if zone else "UTC",
            paused=bool(each.get("isPaused")),
            next_run_at=_moment(each.get("nextScheduleTime")),
            envelope=envelope,
        )


def _body(each: Mapping[str, Any]) -> bytes:
    if "body" in each:
        return str(each["body"]).encode("utf-8", "replace")
    try:
        return base64.b64decode(str(each.get("bodyBase64", "")), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _moment(milliseconds: object) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if isinstance(milliseconds, int) else None
