"""A request to the API and the answer to it, free of any web framework."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ..accounts import Account
from ..errors import Refused
from ..wire.filters import Pairs
from ..wire.headers import Headers


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request. `argument` is what the path ends in, raw; for publish, the destination."""

    account: Account
    argument: str
    query: Pairs
    headers: Headers
    body: bytes
    caller_ip: str

    def json_body(self) -> object:
        """The parsed body, None where it is empty. Raises Refused (400) if it is not JSON."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refused(400, "the body is not valid JSON") from error


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer: a status and its JSON, or no body at all where that is None."""

    status: int
    json: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler: TypeAlias = Callable[[Call], Reply]


def string_list(call: Call, name: str) -> list[str] | None:
    """The list of strings under `name` in the JSON body; None where there is no such body.

    Raises Refused (400) for any other body.
    """
    body = call.json_body()
    if body is None:
        return None
    values = body.get(name) if isinstance(body, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refused(400, f"the body must be an object with a list of strings named {name}")
    return values


def json_object(call: Call) -> dict[str, object]:
    """The JSON body, which must be an object. Raises Refused (400) for any other."""
    body = call.json_body()
    if not isinstance(body, dict):
        raise Refused(400, "the body must be an object")
    return body
