"""The four fixed users of a development server, each with a world of its own."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .bulk_actions import BulkActions
from .delivery.courier import Courier, Rules
from .delivery.sender import Sender
from .delivery.signing import SigningKeys
from .intake import Intake
from .journal import AccountJournal, Journal
from .plans import Plan
from .schedules import Schedules
from .store import Store
from .timer import Timer
from .url_groups import UrlGroups


class Identity(NamedTuple):
    """A user's token and first signing keys. They are public: a development server has no secrets."""

    token: str
    current_key: str
    next_key: str

    @property
    def name(self) -> str:
        """The user's name, which the token holds."""
        return str(json.loads(base64.b64decode(self.token))["UserID"])

    @property
    def read_only_token(self) -> str:
        """A second token, which only reads. Not of the official server, whose tokens of this kind are not documented."""
        return base64.b64encode(json.dumps({"UserID": self.name, "Access": "read"}).encode()).decode()


DEFAULT_USER = Identity(
    "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=",
    "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
    "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
)
IDENTITIES = (
    DEFAULT_USER,
    Identity(
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjEiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_7GVPjvuwsfqF65iC8fSrs1dfYruM",
        "sig_5NoELc3EFnZn4DVS5bDs2Nk4b7Ua",
    ),
    Identity(
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjIiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_6jWGaWRxHsw4vMSPJprXadyvrybF",
        "sig_7qHbvhmahe5GwfePDiS5Lg3pi6Qx",
    ),
    Identity(
        "eyJVc2VySUQiOiJ0ZXN0VXNlcjMiLCJQYXNzd29yZCI6InRlc3RQYXNzd29yZCJ9",
        "sig_5T8FcSsynBjn9mMLBsXhpacRovJf",
        "sig_7GFR4YaDshFcqsxWRZpRB161jguD",
    ),
)


@dataclass(frozen=True, slots=True)
class Account:
    """One user's world: its messages' way in, and all that is kept for it."""

    identity: Identity
    plan: Plan
    intake: Intake
    courier: Courier
    schedules: Schedules
    groups: UrlGroups
    actions: BulkActions
    read_only_token: str


def open_account(
    identity: Identity,
    *,
    plan: Plan,
    rules: Rules,
    timer: Timer,
    sender: Sender,
    journal: Journal,
    on_change: Callable[[], None],
) -> Account:
    """An account in which nothing has happened yet."""
    own = AccountJournal(journal, identity.name)
    courier = Courier(
        store=Store(rules.clock, plan, own),
        keys=SigningKeys(identity.current_key, identity.next_key),
        rules=rules,
        timer=timer,
        sender=sender,
        plan=plan,
        journal=own,
        on_change=on_change,
    )
    groups = UrlGroups(clock=rules.clock, plan=plan, journal=own)
    intake = Intake(courier, groups, plan, rules.clock)
    schedules = Schedules(
        courier=courier,
        intake=intake,
        timer=timer,
        clock=rules.clock,
        limit=plan.max_schedules,
        journal=own,
        on_change=on_change,
    )
    actions = BulkActions(rules.clock, own)
    return Account(identity, plan, intake, courier, schedules, groups, actions, identity.read_only_token)
