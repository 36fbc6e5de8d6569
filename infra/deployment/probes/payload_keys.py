"""PAYLOAD_KEYS must be usable, and nothing be sealed under a key that would be gone."""

from __future__ import annotations

import psycopg
from psycopg.rows import dict_row

from infra.deployment.probes.wrong import Works, Wrong
from infra.schedules.stack import entered
from shared import executions, sealing
from shared.errors import SecretUnavailable


def probe_payload_keys(keys: str) -> Works:
    """Read them as the functions do. Raises Wrong."""
    with entered({"PAYLOAD_KEYS": keys}):
        try:
            sealing.check_keys()
        except SecretUnavailable as error:
            raise Wrong(str(error), "`make payload-key` prints one") from None
    return Works(f"{len(_by_id(keys))} of them, {next(iter(_by_id(keys)))} seals")


def probe_replaced_keys(before: str, after: str, database_url: str | None) -> Works:
    """Whether what was sealed under the keys of before can still be opened. Raises Wrong."""
    old, new = _by_id(before), _by_id(after)
    lost = {key_id for key_id, key in old.items() if new.get(key_id) != key}
    if not lost:
        return Works("every key of before is there")
    used = lost if database_url is None else lost & _used(database_url)
    if used:
        raise Wrong(
            f"PAYLOAD_KEYS would lose {', '.join(sorted(used))}, under which payloads are or may be sealed",
            "put the new key before the old ones: NEW,OLD (docs/sensitive-payloads.md says when an old one may go)",
        )
    return Works(f"nothing is sealed under {', '.join(sorted(lost))}")


def _used(database_url: str) -> set[str]:
    try:
        with psycopg.connect(
            database_url, autocommit=True, row_factory=dict_row, connect_timeout=5, prepare_threshold=None
        ) as connection:
            return {each.key_id for each in executions.count_by_payload_key(connection)}
    except psycopg.errors.UndefinedTable:  # not migrated yet: nothing is sealed
        return set()
    except psycopg.Error:
        raise Wrong(
            "it cannot be seen what is sealed under the keys that would go",
            "give a DATABASE_URL that works first",
        ) from None


def _by_id(keys: str) -> dict[str, str]:
    entries = (entry.strip().partition(":") for entry in keys.split(",") if entry.strip())
    return {key_id: key for key_id, _, key in entries}
