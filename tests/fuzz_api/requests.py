"""Sends what schemathesis makes of the OpenAPI document, valid and not, and checks every answer.

Each request is sent with one of several keys. An answer must never be an error of ours, must have the shape that the
document gives it, and must tell nothing of another organization; what is another organization's, or none's, must
lie in the tables afterwards as it lay there before.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode

import jsonschema
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation.modes import GenerationMode

from functions.jobs_api.access import limits
from functions.jobs_api.api.openapi import DOCUMENT
from tests.integration.jobs_api.client import Answer, Client

MARK = "only-the-other-organization-knows-this"


@dataclass
class World:
    """Who sends, and which ids there are: a guessed one would never be met."""

    clients: Mapping[str, Client]
    ids: Mapping[str, list[str]]
    bound: Client
    answers: Counter[int] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """How many requests were answered."""
        return sum(self.answers.values())


def send_many(world: World, requests: int, first_seed: int) -> None:
    """Send at least so many requests, spread over all operations. Raises AssertionError at the first wrong answer."""
    schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text("utf-8")))
    operations: list[Any] = [result.ok() for result in schema.get_all_operations()]  # type: ignore[union-attr]
    before = world.sent
    for seed_ in count(first_seed, 1_000):  # some operations cannot be asked wrongly: others are asked more
        left = requests - (world.sent - before)
        if left <= 0:
            return
        each = -(-left // (2 * len(operations)))
        for number, operation in enumerate(operations):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _send(world, operation, mode, each, seed_ + number)


def _send(world: World, operation: Any, mode: GenerationMode, requests: int, seed_: int) -> None:
    shapes = _Shapes(operation.path, operation.method)

    @seed(seed_)
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), chance=st.randoms(use_true_random=False))
    def run(case: Any, chance: random.Random) -> None:
        client = chance.choice(list(world.clients.values()))
        limits.forget()
        answer = _sent(client, case, world, chance)
        world.answers[answer.status] += 1
        told = f"{case.method} {case.path} {case.path_parameters} {case.query} {case.body!r}: {answer.status} {answer.text[:500]}"
        assert answer.status < 500 or case.path == "/health", told  # 503 is what it is there for
        shapes.check(answer, told)
        if client is world.bound:
            assert MARK not in answer.text, told

    with suppress(Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
        run()


def _sent(client: Client, case: Any, world: World, chance: random.Random) -> Answer:
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        known = world.ids[name]
        path = path.replace(f"{{{name}}}", chance.choice(known) if chance.random() < 0.5 else _quoted(value))
    query = urlencode(list(_pairs(case.query)), errors="surrogatepass")
    body, headers = _encoded(case)
    return client.send(case.method, path, query=query, body=body, headers=headers)


def _pairs(query: Any) -> Iterator[tuple[str, str]]:
    for name, value in (query or {}).items():
        for each in value if isinstance(value, list) else [value]:
            yield str(name), each if isinstance(each, str) else json.dumps(each)


def _encoded(case: Any) -> tuple[bytes, dict[str, str]]:
    if case.method == "GET" or not isinstance(case.body, dict | list | str | int | float | bool | None):
        return b"", {}
    return json.dumps(case.body).encode("utf-8", "surrogatepass"), {"Content-Type": "application/json"}


def _quoted(value: Any) -> str:
    return urlencode({"": str(value)}, errors="surrogatepass")[1:].replace("+", "%20")


class _Shapes:
    """What the document says that an operation answers."""

    def __init__(self, path: str, method: str) -> None:
        document = json.loads(DOCUMENT.read_text("utf-8"))
        self._responses = document["paths"][path][method.lower()]["responses"]
        self._components = document["components"]

    def check(self, answer: Answer, told: str) -> None:
        """Raise AssertionError unless the answer is one of those."""
        if answer.status == 404 and "nothing at this path" in answer.text:
            return  # what was sent is another path
        assert str(answer.status) in self._responses, told
        assert answer.headers["content-type"] == "application/json", told
        schema = self._responses[str(answer.status)]["content"]["application/json"]["schema"]
        try:
            jsonschema.validate(answer.json, schema | {"components": self._components})
        except jsonschema.ValidationError as error:
            raise AssertionError(f"{told}\n{error.message}") from None
