"""Who did what, latest first."""

from __future__ import annotations

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.shapes import ActionNote, ActionPage
from functions.jobs_api.sql import statement
from shared import database

LIMIT, MOST = 50, 200


def list_actions(
    caller: Caller, *, target: str | None = None, limit: int = LIMIT, before: int | None = None
) -> ActionPage:
    """A page of actions, those of keys bound to the caller's organization where its own is; of a `target` if given."""
    values = {
        "organization_id": caller.organization_id,
        "target": target,
        "before": before,
        "limit": limit + 1,
    }
    rows = database.run(lambda kept: kept.execute(statement("list_actions"), values).fetchall())
    notes = [ActionNote.model_validate(row) for row in rows]
    following = str(notes[limit - 1].id) if len(notes) > limit else None
    return ActionPage(actions=notes[:limit], next=following)
