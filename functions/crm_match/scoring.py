"""How well a home suits a lead: points for each wish that it meets, 100 in all.

| criterion | points | all of them | some of them | excluded |
| --- | --- | --- | --- | --- |
| price | 30 | within the budget | over it: the fewer the dearer | more than a quarter over the budget |
| area | 25 | in a ZIP code they named, or in a city if they named none | 15: in the city, another ZIP code | elsewhere |
| bedrooms | 20 | as many as they want | 10: one fewer, or one more | two fewer |
| moveIn | 15 | free within the time they move | 7: up to 30 days too late, or more than 60 too early | |
| bathrooms | 5 | as many as they want | | |
| pets | 5 | theirs are welcome | | theirs are not |

A lead who does not wish for anything of a kind gets all of its points. A home is never worse for being cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

_TOO_LATE = timedelta(days=30)
_TOO_EARLY = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Home:
    """What of a listing counts; `price` in cents a month."""

    price: int
    bedrooms: int
    bathrooms: Decimal
    city: str
    zip: str
    available_from: date | None
    cats_allowed: bool
    dogs_allowed: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a lead looks for; `budget_max` in cents a month. What is None or empty does not matter to them."""

    budget_max: int | None = None
    bedrooms_min: int | None = None
    bedrooms_max: int | None = None
    bathrooms_min: Decimal | None = None
    cities: Sequence[str] = ()
    zips: Sequence[str] = ()
    move_in_from: date | None = None
    move_in_to: date | None = None
    has_cats: bool = False
    has_dogs: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """What one criterion brought, and in a few words why; no words where there was no such wish."""

    criterion: str
    points: int
    of: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """0 to 100 points, and what they are made of."""

    points: int
    reasons: tuple[Reason, ...]


Verdict = tuple[int, str | None]  # points and words
_Judge = Callable[[Home, Wishes, int], Verdict | None]


def score(home: Home, wishes: Wishes) -> Score | None:
    """How well the home suits the lead; None where it is out of the question, whatever else speaks for it.

    >>> score(Home(200_000, 2, Decimal(1), "Austin", "78702", None, False, False), Wishes(budget_max=160_000))
    """
    reasons = []
    for criterion, (of, judge) in _CRITERIA.items():
        verdict = judge(home, wishes, of)
        if verdict is None:
            return None
        reasons.append(Reason(criterion, verdict[0], of, verdict[1]))
    return Score(sum(reason.points for reason in reasons), tuple(reasons))


def _price(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    budget = wishes.budget_max
    if budget is None:
        return of, None
    if home.price <= budget:
        return of, "within budget"
    if 4 * home.price > 5 * budget:
        return None
    over = -(-100 * (home.price - budget) // budget)
    return of * (5 * budget - 4 * home.price) // budget, f"{over}% over budget"


def _area(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    if not wishes.cities and not wishes.zips:
        return of, None
    if home.zip[:5] in {code[:5] for code in wishes.zips}:
        return of, f"in {home.zip[:5]}"
    if home.city.casefold() in {city.casefold() for city in wishes.cities}:
        return (of * 3 // 5, f"in {home.city}, another ZIP code") if wishes.zips else (of, f"in {home.city}")
    return None


def _bedrooms(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    if wishes.bedrooms_min is None and wishes.bedrooms_max is None:
        return of, None
    too_few = (wishes.bedrooms_min or 0) - home.bedrooms
    too_many = 0 if wishes.bedrooms_max is None else home.bedrooms - wishes.bedrooms_max
    if too_few > 1:
        return None
    if too_few == 1:
        return of // 2, "one bedroom fewer"
    if too_many > 0:
        return (of // 2 if too_many == 1 else 0), "more bedrooms"
    return of, "a studio" if home.bedrooms == 0 else f"{home.bedrooms} bedroom{'s' * (home.bedrooms > 1)}"


def _move_in(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    begins, ends = wishes.move_in_from, wishes.move_in_to
    if begins is None and ends is None:
        return of, None
    free = home.available_from
    if free is not None and ends is not None and free > ends:
        return (of // 2 if free - ends <= _TOO_LATE else 0), "free too late"
    if free is not None and begins is not None and begins - free > _TOO_EARLY:
        return of // 2, "free long before"
    return of, "free in time"


def _bathrooms(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    if wishes.bathrooms_min is None:
        return of, None
    enough = home.bathrooms >= wishes.bathrooms_min
    return (of, "enough bathrooms") if enough else (0, "too few bathrooms")


def _pets(home: Home, wishes: Wishes, of: int) -> Verdict | None:
    if not (wishes.has_cats or wishes.has_dogs):
        return of, None
    if (wishes.has_cats and not home.cats_allowed) or (wishes.has_dogs and not home.dogs_allowed):
        return None
    return of, "pets welcome"


_CRITERIA: dict[str, tuple[int, _Judge]] = {
    "price": (30, _price),
    "area": (25, _area),
    "bedrooms": (20, _bedrooms),
    "moveIn": (15, _move_in),
    "bathrooms": (5, _bathrooms),
    "pets": (5, _pets),
}
