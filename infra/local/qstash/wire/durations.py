"""Durations as Go writes them, plus days: `10s`, `1h30m`, `1d10h30m`."""

import re

_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([^0-9.]+)")
_LONGEST = 2**63 * 1e-9


def parse_duration(text: str) -> float:
    """Seconds in `text`.

    Raises ValueError in Go's words: for a number without a unit, an unknown unit, a sign, or more than 292 years.
    """
    if text == "0":
        return 0.0
    if _NUMBER.fullmatch(text):
        raise ValueError(f'time: missing unit in duration "{text}"')
    if not re.fullmatch(f"(?:{_PART.pattern})+", text):
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = sum(_seconds(number, unit, text) for number, unit in _PART.findall(text))
    if seconds >= _LONGEST:
        raise ValueError(f'time: invalid duration "{text}"')
    return seconds


def _seconds(number: str, unit: str, text: str) -> float:
    if unit not in _UNITS:
        raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
    return float(number) * _UNITS[unit]
