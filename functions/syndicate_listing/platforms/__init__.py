"""One module a platform: how it wants a listing told, taken down, and how it says what it made of it."""

from __future__ import annotations

from importlib import import_module

from functions.syndicate_listing.platforms.adapter import Adapter
from shared.jobs.syndicate_listing import Platform


def adapter_of(platform: Platform) -> Adapter:
    """The platform's adapter: `ADAPTER` in the module of its name. A job speaks to one and loads no other."""
    found: Adapter = import_module(f"{__name__}.{platform.value}").ADAPTER
    return found
