"""Who did what, and when: noted before it is done, and what became of it after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from functions.jobs_api.access.callers import Caller, current
from functions.jobs_api.access.limits import count_action
from functions.jobs_api.access.requests import method_of, path_of
from functions.jobs_api.errors import Refused, refusal
from functions.jobs_api.sql import statement
from shared import database
from shared.errors import DatabaseUnavailable
from shared.observability import logger

_LONGEST_OUTCOME, _LONGEST_REQUEST = 500, 200  # characters


@dataclass(slots=True)
class Action:
    """An action under way; what is put in here is noted with its end."""

    target: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def require_write(caller: Caller, event: Mapping[str, Any]) -> None:
    """Raise Refused unless the caller may act; that it tried is noted."""
    try:
        caller.require_write()
    except Refused as refused:
        count_action(caller.key.name)
        request = f"{method_of(event)} {path_of(event)}"[:_LONGEST_REQUEST]
        tried = note(caller, "try to act", details={"request": _storable(request)})
        end(tried, Action(), f"refused: {refused.message}")
        raise


@contextmanager
def recorded(action: str, target: str | None = None, **details: Any) -> Iterator[Action]:
    """Do what is within as the current caller, if it may write, and note it.

    Raises Refused without the right, or too often; DatabaseUnavailable, and nothing was done: what cannot be noted is
    not done.
    """
    caller = current()
    caller.require_write()
    count_action(caller.key.name)
    action_id = note(caller, action, target, details)
    under_way = Action()
    try:
        yield under_way
    except Exception as error:
        known = refusal(error)
        end(action_id, under_way, f"refused: {known.message}" if known else f"failed: {type(error).__name__}")
        raise
    end(action_id, under_way, "done")


def note(
    caller: Caller, action: str, target: str | None = None, details: dict[str, Any] | None = None
) -> int:
    """Note that something is about to be done; the note's id."""
    values = {
        "key_name": caller.key.name,
        "organization_id": caller.organization_id,
        "via": caller.via,
        "source_ip": caller.source_ip,
        "action": action,
        "target": target,
        "details": Jsonb({name: value for name, value in (details or {}).items() if value is not None}),
    }
    row = database.run(lambda kept: kept.execute(statement("insert_action"), values).fetchone())
    assert row is not None  # noqa: S101  # an insert returns its row
    logger.info("action", extra={name: values[name] for name in ("key_name", "via", "action", "target")})
    action_id: int = row["id"]
    return action_id


def end(action_id: int, action: Action, outcome: str) -> None:
    """Note how it ended. What was done stays done where that fails: the note then says that it was under way."""
    values = {
        "id": action_id,
        "outcome": _storable(outcome)[:_LONGEST_OUTCOME],
        "target": action.target,
        "details": Jsonb(action.details),
    }
    with suppress(DatabaseUnavailable, psycopg.Error):
        database.run(lambda kept: kept.execute(statement("end_action"), values))


def _storable(text: str) -> str:
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
