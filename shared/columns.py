"""What the statements in `shared/sql/` select for each shape of row, in place of `{unpublished}`, `{listed}` and so on.

Columns are named as the shape's fields are; some are computed. A payload that travels by reference is read only where
somebody needs it: it may be large, and an outbox or a list holds many. A sealed one is shown to nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

from shared.rows import BatchMember, ClaimedJob, Execution, UnpublishedJob

REDACTED = {"redacted": "sensitive"}
OMITTED = {"omitted": "too large for a list"}

_Shape = type[UnpublishedJob | Execution | ClaimedJob | BatchMember]
_NO_COLUMNS = {"within_reach", "transaction"}
_SECONDS = "extract(epoch FROM clock_timestamp() - {})::double precision"
_REDACTED, _OMITTED = f"'{json.dumps(REDACTED)}'::jsonb", f"'{json.dumps(OMITTED)}'::jsonb"
_SHOWN_RESULT = f"CASE WHEN result_key IS NULL THEN result ELSE {_REDACTED} END"

_CLAIMED = {
    "payload": "payload::text",
    "waited": _SECONDS.format("greatest(created_at, not_before)"),
    # Of an attempt that was lost we know only when that was noticed.
    "since_last_error": "CASE WHEN errors -> -1 ->> 'type' <> 'AttemptLost' THEN "
    + _SECONDS.format("(errors -> -1 ->> 'at')::timestamptz")
    + " END",
}
_UNPUBLISHED = {"payload": "CASE WHEN by_reference THEN '{}'::jsonb ELSE payload END"}
_FOUND = {
    "payload": f"CASE WHEN payload_key IS NULL THEN payload ELSE {_REDACTED} END",
    "result": _SHOWN_RESULT,
}
_LISTED = {
    "payload": f"CASE WHEN payload_key IS NOT NULL THEN {_REDACTED} WHEN by_reference THEN {_OMITTED} ELSE payload END",
    "result": _SHOWN_RESULT,
}
_PLACEHOLDERS: Mapping[str, tuple[_Shape, Mapping[str, str]]] = {
    "{unpublished}": (UnpublishedJob, _UNPUBLISHED),
    "{claimed}": (ClaimedJob, _CLAIMED),
    "{execution}": (Execution, _FOUND),
    "{listed}": (Execution, _LISTED),
    "{member}": (BatchMember, {"result": "result::text"}),  # it may be sealed
}


def filled_in(statement: str, table: str) -> str:
    """The statement with the table's columns for its placeholders."""
    for placeholder, (shape, computed) in _PLACEHOLDERS.items():
        if placeholder in statement:
            statement = statement.replace(placeholder, _columns(shape, computed, table))
    return statement


def _columns(shape: _Shape, computed: Mapping[str, str], table: str) -> str:
    names = [field.name for field in fields(shape) if field.name not in _NO_COLUMNS]
    return ", ".join(
        f"{computed[name]} AS {name}" if name in computed else f"{table}.{name}" for name in names
    )
