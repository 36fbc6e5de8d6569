"""Fields of a payload that whoever looks at a job does not see: links that open without signing in, tokens.

They travel and are stored as the rest of the payload is. A job all of whose payload is to be kept from the table too
is marked as sensitive in the registry instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from shared.columns import OMITTED, REDACTED
from shared.errors import UnknownJobType
from shared.registry import get_job_config

Tree = Mapping[
    str, "Tree | None"
]  # a field's name on the wire, and what is marked within it; None: all of it


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Marks a payload's field as shown to nobody. It is stored and travels as the rest does.

        reset_url: Annotated[str, Sensitive()]

    The HTTP API and the dashboard show it as `{"redacted": "sensitive"}`.
    """


def redacted(job_type: str, payload: Any) -> Any:
    """The payload of a job of this type as it may be shown. One of a type that is gone is shown whole."""
    return _without(payload, _marked_of(job_type))


def restored(job_type: str, edited: Any, stored: Any) -> Any:
    """An edited payload, with what is still redacted in it as it is stored."""
    return _with(edited, stored, _marked_of(job_type))


def left_out(payload: Any, place: str = "") -> Iterator[str]:
    """Where a payload holds what lists and pages show in place of a value: as a value it must not be stored."""
    if payload in (REDACTED, OMITTED):
        yield place or "payload"
    elif isinstance(payload, dict):
        for name, each in payload.items():
            yield from left_out(each, f"{place}.{name}" if place else str(name))
    elif isinstance(payload, list):
        for position, each in enumerate(payload):
            yield from left_out(each, f"{place}[{position}]")


def _marked_of(job_type: str) -> Tree:
    try:
        return _marked_in(get_job_config(job_type).payload)
    except UnknownJobType:
        return {}


@cache
def _marked_in(model: type[BaseModel]) -> Tree:
    tree: dict[str, Tree | None] = {}
    for name, field in model.model_fields.items():
        if any(isinstance(each, Sensitive) for each in (*field.metadata, *_metadata(field.annotation))):
            tree[field.alias or name] = None
            continue
        within: dict[str, Tree | None] = {}
        for inner in _models_in(field.annotation):
            within.update(_marked_in(inner))
        if within:
            tree[field.alias or name] = within
    return tree


def _metadata(annotation: Any) -> Iterator[Any]:
    """The marks within an annotation, such as those of an optional field."""
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        if not (isinstance(part, type) and issubclass(part, BaseModel)):
            yield from _metadata(part)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _without(value: Any, tree: Tree | None) -> Any:
    if tree is None:
        return None if value is None else REDACTED
    if isinstance(value, list):
        return [_without(each, tree) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _without(each, tree[name]) if name in tree else each for name, each in value.items()}


def _with(edited: Any, stored: Any, tree: Tree | None) -> Any:
    if tree is None:
        return stored if edited == REDACTED else edited
    if isinstance(edited, list) and isinstance(stored, list) and len(edited) == len(stored):
        return [_with(each, kept, tree) for each, kept in zip(edited, stored, strict=True)]
    if not isinstance(edited, dict) or not isinstance(stored, dict):
        return edited
    return {
        name: _with(each, stored.get(name), tree[name]) if name in tree else each
        for name, each in edited.items()
    }
