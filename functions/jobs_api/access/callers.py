"""Whoever asks: the key behind the request, and what it may see and do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from functions.jobs_api.access.keys import ApiKey
from functions.jobs_api.errors import Refused

Via = Literal["api", "dashboard"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that a request carries, itself or by a session, and where it came from."""

    key: ApiKey
    via: Via
    source_ip: str
    csrf_token: str = ""

    @property
    def organization_id(self) -> int | None:
        """The one organization whose jobs it sees; None for all."""
        return self.key.organization_id

    @property
    def may_write(self) -> bool:
        """Whether it may act."""
        return self.key.rights == "write"

    def require_write(self) -> None:
        """Raise Refused unless it may act."""
        if not self.may_write:
            raise Refused(403, f"the key {self.key.name!r} may read only: acting takes a key with write")

    def scoped(self, organization_id: int | None) -> int | None:
        """The organization to look at. Raises Refused where another than its own is asked for."""
        own = self.organization_id
        if own is None:
            return organization_id
        if organization_id not in {None, own}:
            raise Refused(403, f"the key {self.key.name!r} is bound to organization {own}")
        return own

    def sees(self, organization_id: int | None) -> bool:
        """Whether a job of this organization is there for it."""
        return self.organization_id is None or self.organization_id == organization_id


_caller: ContextVar[Caller] = ContextVar("caller")


def current() -> Caller:
    """Whose request is being answered. Raises Refused where it came without a key."""
    try:
        return _caller.get()
    except LookupError:
        raise Refused(401, "this takes an API key: Authorization: Bearer ph_…") from None


def current_or_none() -> Caller | None:
    """Whose request is being answered, where it came with a key."""
    return _caller.get(None)


@contextmanager
def acting_as(caller: Caller | None) -> Iterator[None]:
    """Answer a request as this caller's."""
    if caller is None:
        yield
        return
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)
