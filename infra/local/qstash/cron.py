"""Cron expressions: five fields, in UTC or in the zone of a `CRON_TZ=Europe/Paris ` before them."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter  # type: ignore[import-untyped]

_ZONE = re.compile(r"CRON_TZ=(\S*)\s+(.*)", re.DOTALL)
_VALUE = "(?:[0-9]{1,2}|[a-z]{3})"
_ITEM = rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/[0-9]{{1,2}})?"
# The library takes more (`L`, `#`, `H`, seconds, years), of which the API's documentation knows nothing.
_FIELD = re.compile(f"{_ITEM}(?:,{_ITEM})*", re.IGNORECASE | re.ASCII)
_RANGE = re.compile("([0-9]+)-([0-9]+)")
_SPAN = re.compile("([0-9a-z]+)-([0-9a-z]+)(?:/[0-9]+)?", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)} | {
    name: number for number, name in enumerate(_WEEKDAYS)
}


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked expression: `text` as it was given, without space around it, and what it means."""

    text: str
    fields: str
    zone: ZoneInfo

    def next_after(self, moment: float) -> float:
        """The first time to fire after `moment`, both in seconds since 1970.

        Where the clocks go back, an expression whose hour is `*` fires in both of the equal hours and any other only
        in the first. Where they go forward, times that are left out are made up for once, when the gap ends, except
        where the hour is `*`.
        """
        # Whole seconds, because a fraction might be rounded up to the very minute that is to come.
        found: datetime = datetime.fromtimestamp(math.floor(moment), self.zone)
        while True:
            found = croniter(self.fields, found).get_next(datetime)
            if not found.fold or self._fires_every_hour:
                return found.timestamp()

    @property
    def _fires_every_hour(self) -> bool:
        return self.fields.split()[1] == "*"


def parse_cron(text: str) -> Cron:
    """The expression in `text`. Raises ValueError, saying what is wrong with it."""
    text = text.strip()
    match = _ZONE.fullmatch(text)
    zone, rest = match.groups() if match else ("UTC", text)
    fields = re.findall(r"\S+", rest, re.ASCII)
    if len(fields) != 5:
        raise ValueError(f"expected 5 fields, found {len(fields)}: {rest!a}")
    for field in fields:
        _check_field(field)
    cron = Cron(text, " ".join(map(_collapse_points, fields)), _find_zone(zone))
    _check_it_fires(cron)
    return cron


def _check_field(field: str) -> None:
    if not _FIELD.fullmatch(field):
        raise ValueError(f"cannot parse {field!a}")
    for low, high in _RANGE.findall(field):
        if int(low) > int(high):
            raise ValueError(f"the range {low}-{high} runs backwards")


def _collapse_points(field: str) -> str:
    """The field with `5-5` as `5`: the library takes a value to itself for all values."""
    return ",".join(_collapse_point(item) for item in field.split(","))


def _collapse_point(item: str) -> str:
    match = _SPAN.fullmatch(item)
    return match[1] if match is not None and _number(match[1]) == _number(match[2]) else item


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else _NUMBERS.get(text.lower(), text)


def _check_it_fires(cron: Cron) -> None:
    try:
        cron.next_after(0.0)
    except CroniterBadDateError as error:
        raise ValueError(f"{cron.fields!a} never fires") from error
    except CroniterError as error:
        raise ValueError(str(error)) from error


def _find_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name!a}") from error
