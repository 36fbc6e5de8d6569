"""How often: per minute, counted in Postgres where it must hold across processes, else in this one.

A function has no memory of its own beyond one process, of which Lambda runs as many as are asked for. Attempts without
a key and actions are counted in Postgres. Reads are counted per process: one answers one request at a time anyway.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from functions.jobs_api.errors import Refused
from functions.jobs_api.sql import statement
from shared import database

FAILED_ATTEMPTS = 20  # a minute and address, without a valid key
ACTIONS = 300  # a minute and key
READS = 1_200  # a minute, key and process
_MINUTE = 60.0
_KEPT = timedelta(hours=1)
_refused_until: dict[str, float] = {}
_reads: dict[str, tuple[int, int]] = {}


def count_failed_attempt(source_ip: str) -> None:
    """Count a request whose key is none of ours. Raises Refused from the twenty-first of a minute on."""
    address = _counted_as(source_ip)
    if time.time() < _refused_until.get(address, 0.0):  # a flood must not become one of Postgres
        raise _too_often("without a valid key", FAILED_ATTEMPTS)
    if _count(f"failed attempts of {address}") > FAILED_ATTEMPTS:
        if len(_refused_until) > 10_000:
            _refused_until.clear()
        _refused_until[address] = (time.time() // _MINUTE + 1) * _MINUTE
        raise _too_often("without a valid key", FAILED_ATTEMPTS)


def count_action(key_name: str) -> None:
    """Count something done with this key. Raises Refused beyond the limit."""
    if _count(f"actions of {key_name}") > ACTIONS:
        raise _too_often("with this key, of those that act", ACTIONS)


def count_read(key_name: str) -> None:
    """Count a request with this key, in this process. Raises Refused beyond the limit."""
    minute = int(time.time() // _MINUTE)
    counted_in, times = _reads.get(key_name, (minute, 0))
    times = times + 1 if counted_in == minute else 1
    _reads[key_name] = (minute, times)
    if times > READS:
        raise _too_often("with this key", READS)


def forget() -> None:
    """Start counting anew in this process."""
    _refused_until.clear()
    _reads.clear()


def _counted_as(source_ip: str) -> str:
    """An address of version 6 counts as its network: whoever has one has 2^64 of them."""
    try:
        address = ip_address(source_ip)
    except ValueError:
        return source_ip
    return source_ip if address.version == 4 else str(ip_network((int(address) >> 64 << 64, 64)))


def _count(what: str) -> int:
    row = database.run(lambda kept: kept.execute(statement("count_time"), {"counted": what}).fetchone())
    assert row is not None  # noqa: S101  # an upsert returns its row
    if row["times"] == 1:  # about once a minute
        database.run(
            lambda kept: kept.execute(statement("remove_counts"), {"before": _before(row["minute"])})
        )
    times: int = row["times"]
    return times


def _before(minute: datetime) -> datetime:
    return minute - _KEPT


def _too_often(what: str, limit: int) -> Refused:
    wait = int(_MINUTE - time.time() % _MINUTE) + 1
    return Refused(
        429, f"too many requests {what}: {limit} a minute. Try again in {wait} s", retry_after=wait
    )
