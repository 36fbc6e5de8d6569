"""The four fixed users of a development server, each with a world of its own."""

from dataclasses import dataclass
from typing import NamedTuple

from infra.local.qstash.delivery.courier import Courier
from infra.local.qstash.intake import Intake
from infra.local.qstash.schedules import Schedules


class Identity(NamedTuple):
    """A user's token and first signing keys. They are public: a development server has no secrets."""

    token: str
    current_key: str
    next_key: str


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
    """One user's world: its messages' way in, its schedules, and its courier, which holds the rest."""

    intake: Intake
    courier: Courier
    schedules: Schedules
