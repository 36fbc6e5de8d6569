"""What all platforms have in common, and what each may do its own way."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from functions.syndicate_listing.listing import Listing


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a platform calls the listing and where it shows it, as far as it says."""

    external_id: str | None = None
    external_url: str | None = None


class Adapter(ABC):
    """One platform's way to be told of a listing.

    A new platform is a subclass, `ADAPTER` in a module of the platform's name, and a schema in `schemas/`.
    """

    content_type: ClassVar[str] = "application/xml; charset=utf-8"
    needs: ClassVar[tuple[str, ...]] = ()  # fields that a listing may lack and this platform insists on

    @abstractmethod
    def feed(self, listing: Listing) -> bytes:
        """The listing in the platform's format. The same listing always makes the same bytes."""

    def removal(self, listing: Listing) -> bytes | None:  # noqa: ARG002  # for those that can
        """The feed that takes it down; None where the format has no word for that, and DELETE has to say it."""
        return None

    def headers(self, account: Mapping[str, str]) -> dict[str, str]:
        """The headers that show who asks."""
        return {"Authorization": f"Bearer {account['API_KEY']}"}

    def sign(self, feed: bytes, account: Mapping[str, str]) -> bytes:  # noqa: ARG002  # for those that do
        """The feed as it travels, where the format wants the account inside."""
        return feed

    def receipt(self, body: bytes) -> Receipt:
        """What the answer to a feed says. Raises PlatformRefused where a 2xx says no after all."""
        answer = json_object(body)
        return Receipt(_text(answer.get("id")), _text(answer.get("url")))


def json_object(body: bytes) -> dict[str, Any]:
    """A JSON object; an empty one where the body is something else, for an accepted feed stays accepted."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def missing(adapter: Adapter, listing: Listing) -> list[str]:
    """What the platform insists on and the listing lacks."""
    return [name for name in adapter.needs if getattr(listing, name) in {None, "", ()}]


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
