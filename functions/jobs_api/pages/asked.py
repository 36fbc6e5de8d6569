"""What a page's address asks for: filters as the API's, with what is wrong in words for the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from functions.jobs_api.errors import Refused
from functions.jobs_api.shapes import Filters

# In the order of the form.
NAMES = tuple(field.alias or name for name, field in Filters.model_fields.items())
_MOMENTS = {"createdAfter", "createdBefore"}
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """Filters as they were given, and as they were understood; `problems` by their names."""

    given: Mapping[str, str]
    filters: Filters
    problems: Mapping[str, str]


def read_id(text: str, what: str) -> UUID:
    """An id within an address. Raises Refused for other spellings that a UUID may have: line breaks are among them."""
    if not _ID.fullmatch(text):
        raise Refused(404, f"there is no such {what}")
    return UUID(text)


def read_filters(query: Mapping[str, str]) -> Asked:
    """The filters of an address or a form; an empty one is none."""
    given = {name: query[name].strip() for name in NAMES if query.get(name, "").strip()}
    try:
        return Asked(
            given, Filters.model_validate({name: _value(name, value) for name, value in given.items()}), {}
        )
    except ValidationError as error:
        problems = {str(each["loc"][0]): each["msg"] for each in error.errors(include_input=False)}
        usable: dict[str, Any] = {name: _value(name, given[name]) for name in given if name not in problems}
        return Asked(given, Filters.model_validate(usable), problems)


def _value(name: str, value: str) -> str:
    """A moment without an offset, as browsers' inputs give it, is meant in UTC."""
    if (
        name in _MOMENTS
        and "T" in value
        and not value.endswith("Z")
        and "+" not in value
        and value.count("-") < 3
    ):
        return f"{value}Z"
    return value
