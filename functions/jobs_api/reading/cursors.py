"""Where a page ended: opaque to callers, and nothing but a place. Filters and rights are asked anew at each page."""

from __future__ import annotations

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from functions.jobs_api.errors import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = struct.Struct(">BqQ")
_VERSION = 1


class Place(NamedTuple):
    """The last row of a page."""

    at: datetime
    id: int


def to_cursor(place: Place) -> str:
    """The cursor of the page after this place."""
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(_FORM.pack(_VERSION, microseconds, place.id)).decode().rstrip("=")


def read_cursor(text: str | None) -> Place | None:
    """The place that a cursor stands for. Raises Refused for what is none of ours."""
    if text is None:
        return None
    try:
        version, microseconds, row_id = _FORM.unpack(base64.b64decode(text + "=", b"-_", validate=True))
        place = Place(_EPOCH + timedelta(microseconds=microseconds), row_id)
    except (binascii.Error, struct.error, OverflowError, ValueError):
        raise _broken() from None
    if version != _VERSION or not 0 <= row_id < 2**63 or to_cursor(place) != text:
        raise _broken()
    return place


def _broken() -> Refused:
    return Refused(400, "the cursor is none of ours: begin without one", [("cursor", "is broken")])
