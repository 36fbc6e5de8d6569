"""The six listing platforms: they check accounts and feeds, and remember by our reference what they advertise."""

from __future__ import annotations

from infra.local.platforms.server import Advertisement, ListingPlatforms

__all__ = ["Advertisement", "ListingPlatforms"]
