"""What producers want run, and how each of it must end: made up at random from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.chaos.jobs import PLENTY, Effect, Ending

Way = Literal[
    "plain", "keyed", "transaction", "bare", "rolled back", "many", "batch", "chain", "cancelled", "replayed"
]
_WAYS: dict[Way, float] = {
    "plain": 10, "keyed": 4, "transaction": 4, "bare": 1, "rolled back": 2, "many": 0.7, "batch": 0.7, "chain": 2,
    "cancelled": 2, "replayed": 2,
}  # fmt: skip
_ENDINGS: dict[Ending, str] = {
    "completes": "completed",
    "raises": "completed",
    "retries": "completed",
    "recovers": "failed",  # in its first run
    "fails": "failed",
    "cancels": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One job. `ends_as` is the status it must get, whatever breaks, unless somebody cancels or replays it."""

    payload: Effect
    way: Way
    retries: int = PLENTY
    delay: float | None = None
    key: str | None = None
    told: bool = False  # it names a failure callback

    @property
    def tag(self) -> str:
        """Its name."""
        return self.payload.tag

    @property
    def ends_as(self) -> str:
        """How it must end."""
        return "failed" if self.payload.unlucky > self.retries else _ENDINGS[self.payload.ends]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a producer asks for at once, after a `pause` in seconds.

    Of a batch the last wish is the completion job, of a chain it is the next job.
    """

    way: Way
    wishes: tuple[Wish, ...]
    pause: float
    chance: float = field(default=0.5)  # for what its way leaves open

    @property
    def tag(self) -> str:
        """The name of the job asked for."""
        return self.wishes[0].tag


def errands(chance: random.Random, prefix: str, jobs: int, pause: float) -> list[Errand]:
    """Errands for about so many jobs, whose tags begin with `prefix`; `pause` seconds a job on average."""
    made: list[Errand] = []
    count = 0
    while count < jobs:
        made.append(_errand(chance, f"{prefix}/{len(made)}", pause))
        count += len(made[-1].wishes)
    return made


def _errand(chance: random.Random, tag: str, pause: float) -> Errand:
    way: Way = chance.choices(list(_WAYS), list(_WAYS.values()))[0]
    wishes = _wishes(chance, tag, way)
    return Errand(way, wishes, chance.uniform(0, 2 * pause) * len(wishes), chance.random())


def _wishes(chance: random.Random, tag: str, way: Way) -> tuple[Wish, ...]:
    match way:
        case "keyed":
            return (replace(_wish(chance, tag, way), key=tag),)
        case "many":
            members = [_wish(chance, f"{tag}/{number}", way) for number in range(chance.randint(2, 20))]
            return tuple(replace(each, key=each.tag) if chance.random() < 0.3 else each for each in members)
        case "batch":
            members = [_wish(chance, f"{tag}/{number}", way) for number in range(chance.randint(1, 5))]
            return (*members, Wish(Effect(tag=f"{tag}/then"), way))
        case "chain":
            first, following = _wish(chance, tag, way), Wish(Effect(tag=f"{tag}/then"), way)
            return replace(
                first, payload=first.payload.model_copy(update={"next_tag": following.tag})
            ), following
        case "cancelled":
            delay = chance.choice([None, None, 1.0])
            return (Wish(Effect(tag=tag, milliseconds=chance.choice([0, 150, 400, 800])), way, delay=delay),)
        case "replayed":
            return (Wish(Effect(tag=tag, ends="recovers"), way, told=chance.random() < 0.5),)
    return (_wish(chance, tag, way),)


def _wish(chance: random.Random, tag: str, way: Way) -> Wish:
    endings: list[Ending] = ["completes", "raises", "retries", "fails", "cancels"]
    ends = chance.choices(endings, [12, 4, 2, 2, 1])[0]
    doomed = chance.random() < 0.05
    unlucky = 9 if doomed else chance.randint(1, 2)
    payload = Effect(
        tag=tag,
        ends="raises" if doomed else ends,
        unlucky=unlucky if doomed or ends in {"raises", "retries"} else 0,
        milliseconds=chance.choice([0, 0, 2, 5, 20, 60, 150]),
    )
    return Wish(
        payload=payload,
        way=way,
        retries=2 if doomed else PLENTY,
        delay=chance.choice([0.3, 1.0]) if chance.random() < 0.1 else None,
        told=chance.random() < 0.3,
    )


def by_tag(asked: Sequence[Errand]) -> dict[str, Wish]:
    """Every wish in them, by its name."""
    return {wish.tag: wish for errand in asked for wish in errand.wishes}
