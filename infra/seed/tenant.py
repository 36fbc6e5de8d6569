"""One organization in the making: its dice, its place, its people, and what all of its parts need to know."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from infra.seed.metros import METROS, City, Metro
from infra.seed.tables import Tables
from infra.seed.words import FIRST_NAMES, LAST_NAMES

T = TypeVar("T")


@dataclass(slots=True)
class World:
    """What all organizations share: the day it is, the tables, and the names that are taken."""

    now: datetime
    tables: Tables = field(default_factory=Tables)
    taken: set[str] = field(default_factory=set)

    def unused(self, name: str, pattern: str = "{}{}") -> str:
        """The name, or the name with the first number that makes it new."""
        number, unused = 1, pattern.format(name, "")
        while unused in self.taken:
            number += 1
            unused = pattern.format(name, number)
        self.taken.add(unused)
        return unused


@dataclass(frozen=True, slots=True)
class Person:
    """A user, an agent or a lead."""

    id: int
    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Home:
    """A listing, as far as others need to know it."""

    id: int
    agent: Person
    status: str
    city: City
    zip: str
    price: int
    bedrooms: int
    cats: bool
    dogs: bool
    available_from: date
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lead:
    """What a lead looks for; money in cents a month."""

    id: int
    agent: Person
    open: bool
    city: str
    budget: int
    bedrooms: int
    cats: bool
    dogs: bool


@dataclass(frozen=True, slots=True)
class Application:
    """Who applied for what, and when."""

    id: int
    applicant: Person
    home: Home
    status: str
    created_at: datetime


@dataclass(slots=True)
class Tenant:
    """One organization. The same number is the same organization whatever the size."""

    world: World
    number: int
    id: int = 0
    name: str = ""
    slug: str = ""
    members: list[Person] = field(default_factory=list)  # the owner first
    agents: list[Person] = field(default_factory=list)
    homes: list[Home] = field(default_factory=list)
    leads: list[Lead] = field(default_factory=list)  # the first home's first
    applications: dict[str, Application] = field(default_factory=dict)  # by the case's name
    subscription_id: int = 0  # the current one
    expired_export_id: int = 0
    bounced_email: str = ""
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"organization {self.number}")  # noqa: S311  # it must not be unpredictable

    @property
    def now(self) -> datetime:
        """Midnight of the day it is."""
        return self.world.now

    @property
    def tables(self) -> Tables:
        """Where rows go."""
        return self.world.tables

    @property
    def on_market(self) -> list[Home]:
        """Its active listings."""
        return [home for home in self.homes if home.status == "active"]

    @property
    def metro(self) -> Metro:
        """Where it works."""
        return METROS[(self.number - 1) % len(METROS)]

    @property
    def founded_at(self) -> datetime:
        """Spread over 24 months, more and more of them later; the first is the oldest."""
        share = ((self.number - 1) * 0.6180339887498949) % 1.0
        return self.ago(days=40 + 720 * (1 - share**0.7), hours=9)

    def ago(self, *, days: float = 0, hours: float = 0) -> datetime:
        """So long before now, to the second."""
        return (self.now - timedelta(days=days, hours=hours)).replace(microsecond=0)

    def some_time(self, newest: float, oldest: float) -> datetime:
        """Some second between so many days ago, not before the organization began."""
        age = (self.now - self.founded_at) / timedelta(days=1)
        return self.ago(days=self.dice.uniform(newest, max(newest, min(oldest, age))))

    def later(self, moment: datetime) -> datetime:
        """Some second between then and now."""
        return (moment + (self.now - moment) * self.dice.random()).replace(microsecond=0)

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return self.dice.random() < share

    def some(self, choices: Sequence[T], most: int, least: int = 0) -> list[T]:
        """A few of them, each once, in their order."""
        picked = set(self.dice.sample(range(len(choices)), min(self.dice.randint(least, most), len(choices))))
        return [each for index, each in enumerate(choices) if index in picked]

    def person(self, host: str) -> tuple[str, str, str]:
        """A new name, with an address nobody else has and a number for fiction."""
        first, last = self.dice.choice(FIRST_NAMES), self.dice.choice(LAST_NAMES)
        email = self.world.unused(f"{first}.{last}".lower(), "{}{}@" + host)
        return f"{first} {last}", email, f"+1{self.metro.area_code}55501{self.dice.randint(0, 99):02}"

    def job_id(self, at: datetime) -> UUID:
        """An id as jobs of that time have: UUIDv7."""
        milliseconds = int(at.timestamp() * 1000)
        bits = milliseconds << 80 | 7 << 76 | self.dice.getrandbits(12) << 64 | 2 << 62
        return UUID(int=bits | self.dice.getrandbits(62))

    def code(self, prefix: str, length: int = 24) -> str:
        """An id as Stripe, Resend and others make them."""
        alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
        return prefix + "".join(self.dice.choices(alphabet, k=length))


def slug_of(name: str) -> str:
    """A name as it stands in URLs."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
