"""How well a home suits a lead: the table, criterion by criterion, and what must hold of any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from functions.crm_match.scoring import _CRITERIA, Home, Wishes, score

HOME = Home(
    price=200_000,
    bedrooms=2,
    bathrooms=Decimal("1.5"),
    city="Brooklyn",
    zip="11201",
    available_from=date(2026, 6, 1),
    cats_allowed=True,
    dogs_allowed=False,
)
JUNE: dict[str, Any] = {"move_in_from": date(2026, 6, 1), "move_in_to": date(2026, 6, 30)}


def points(wishes: Wishes, home: Home = HOME) -> dict[str, int] | None:
    found = score(home, wishes)
    return None if found is None else {reason.criterion: reason.points for reason in found.reasons}


def test_the_weights_make_a_hundred() -> None:
    assert sum(weight for weight, _judge in _CRITERIA.values()) == 100


def test_who_has_no_wishes_has_them_all_met() -> None:
    found = score(HOME, Wishes())
    assert found is not None
    assert found.points == 100
    assert [reason.note for reason in found.reasons] == [None] * 6


@pytest.mark.parametrize(
    ("criterion", "wishes", "expected"),
    [
        ("price", {"budget_max": 200_000}, 30),
        ("price", {"budget_max": 190_000}, 23),
        ("price", {"budget_max": 160_000}, 0),
        ("area", {"zips": ["11201"]}, 25),
        ("area", {"zips": ["11201-0001"]}, 25),
        ("area", {"cities": ["Astoria", "BROOKLYN"]}, 25),
        ("area", {"cities": ["Brooklyn"], "zips": ["11215"]}, 15),
        ("bedrooms", {"bedrooms_min": 2, "bedrooms_max": 2}, 20),
        ("bedrooms", {"bedrooms_min": 1}, 20),
        ("bedrooms", {"bedrooms_min": 3}, 10),
        ("bedrooms", {"bedrooms_max": 1}, 10),
        ("bedrooms", {"bedrooms_max": 0}, 0),
        ("moveIn", JUNE, 15),
        ("moveIn", {"move_in_from": date(2026, 7, 31)}, 15),
        ("moveIn", {"move_in_from": date(2026, 8, 1)}, 7),
        ("moveIn", {"move_in_to": date(2026, 5, 2)}, 7),
        ("moveIn", {"move_in_to": date(2026, 5, 1)}, 0),
        ("bathrooms", {"bathrooms_min": Decimal("1.5")}, 5),
        ("bathrooms", {"bathrooms_min": Decimal(2)}, 0),
        ("pets", {"has_cats": True}, 5),
    ],
)
def test_what_each_criterion_brings(criterion: str, wishes: dict[str, Any], expected: int) -> None:
    found = points(Wishes(**wishes))
    assert found is not None
    assert found[criterion] == expected
    assert sum(found.values()) == 100 - _CRITERIA[criterion][0] + expected


@pytest.mark.parametrize(
    "wishes",
    [
        {"budget_max": 159_999},
        {"budget_max": 0},
        {"cities": ["Astoria"]},
        {"zips": ["11215"]},
        {"bedrooms_min": 4},
        {"has_dogs": True},
        {"has_cats": True, "has_dogs": True},
    ],
)
def test_what_is_out_of_the_question(wishes: dict[str, Any]) -> None:
    assert score(HOME, Wishes(**wishes)) is None


def test_a_home_that_is_free_now_is_free_in_time() -> None:
    found = points(Wishes(**JUNE), replace(HOME, available_from=None))
    assert found is not None
    assert found["moveIn"] == 15


STANDARD = settings(max_examples=100, deadline=None)

# --- what holds of any home and any lead -----------------------------------------------------------------------

dates = st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31))
cities = st.sampled_from(["Brooklyn", "Astoria", "brooklyn"])
zips = st.sampled_from(["11201", "11215", "11201-0001"])
homes = st.builds(
    Home,
    price=st.integers(1, 1_000_000),
    bedrooms=st.integers(0, 6),
    bathrooms=st.sampled_from([Decimal(1), Decimal("1.5"), Decimal(2)]),
    city=cities,
    zip=zips,
    available_from=dates,
    cats_allowed=st.booleans(),
    dogs_allowed=st.booleans(),
)
wishes = st.builds(
    Wishes,
    budget_max=st.none() | st.integers(0, 1_000_000),
    bedrooms_min=st.none() | st.integers(0, 6),
    bedrooms_max=st.none() | st.integers(0, 6),
    bathrooms_min=st.none() | st.sampled_from([Decimal(1), Decimal("1.5"), Decimal(2)]),
    cities=st.lists(cities, max_size=2),
    zips=st.lists(zips, max_size=2),
    move_in_from=dates,
    move_in_to=dates,
    has_cats=st.booleans(),
    has_dogs=st.booleans(),
)


def total(home: Home, wish: Wishes) -> int:
    """The points; -1 for what is out of the question."""
    found = score(home, wish)
    return -1 if found is None else found.points


@STANDARD
@given(homes, wishes)
def test_a_score_is_a_whole_number_from_0_to_100(home: Home, wish: Wishes) -> None:
    found = score(home, wish)
    assume(found is not None)
    assert found is not None
    assert type(found.points) is int
    assert 0 <= found.points <= 100
    assert all(0 <= reason.points <= reason.of for reason in found.reasons)
    assert sum(reason.of for reason in found.reasons) == 100


@STANDARD
@given(homes, wishes, st.integers(0, 1_000_000))
def test_cheaper_is_never_worse(home: Home, wish: Wishes, less: int) -> None:
    cheaper = replace(home, price=max(1, home.price - less))
    assert total(cheaper, wish) >= total(home, wish)


@STANDARD
@given(homes, wishes)
def test_to_welcome_pets_is_never_worse(home: Home, wish: Wishes) -> None:
    assert total(replace(home, cats_allowed=True, dogs_allowed=True), wish) >= total(home, wish)


@STANDARD
@given(homes, wishes)
def test_more_bathrooms_are_never_worse(home: Home, wish: Wishes) -> None:
    assert total(replace(home, bathrooms=home.bathrooms + 1), wish) >= total(home, wish)


@STANDARD
@given(homes, wishes, st.integers(1, 500_000))
def test_a_larger_budget_is_never_worse(home: Home, wish: Wishes, more: int) -> None:
    assume(wish.budget_max is not None)
    assert wish.budget_max is not None
    assert total(home, replace(wish, budget_max=wish.budget_max + more)) >= total(home, wish)


@STANDARD
@given(homes, wishes, st.integers(0, 400))
def test_a_longer_time_to_move_is_never_worse(home: Home, wish: Wishes, days: int) -> None:
    assume(wish.move_in_to is not None)
    assert wish.move_in_to is not None
    longer = replace(wish, move_in_to=wish.move_in_to + timedelta(days=days))
    assert total(home, longer) >= total(home, wish)


@pytest.mark.parametrize(
    "dropped",
    [
        {"budget_max": None},
        {"cities": [], "zips": []},
        {"bedrooms_min": None, "bedrooms_max": None},
        {"move_in_from": None, "move_in_to": None},
        {"bathrooms_min": None},
        {"has_cats": False, "has_dogs": False},
    ],
)
@STANDARD
@given(home=homes, wish=wishes)
def test_who_wishes_for_less_gets_no_less(dropped: dict[str, Any], home: Home, wish: Wishes) -> None:
    assert total(home, replace(wish, **dropped)) >= total(home, wish)
