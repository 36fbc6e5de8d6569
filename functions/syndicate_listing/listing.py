"""A listing as every platform's feed needs it, read once and fit for XML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from shared.database import Connection

# What XML 1.0 cannot carry, escaped or not. People paste such characters; nobody can see them, and nobody misses them.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FIND = (Path(__file__).parent / "sql" / "find_listing.sql").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Listing:
    """A home to let; `price` and `deposit` in cents, `url` is its page in the application."""

    id: int
    organization_id: int
    organization: str
    status: str
    title: str
    description: str
    property_type: str
    street: str
    unit: str | None
    city: str
    state: str
    zip: str
    latitude: Decimal | None
    longitude: Decimal | None
    price: int
    deposit: int | None
    bedrooms: int
    bathrooms: Decimal
    square_feet: int | None
    available_from: date | None
    lease_months_min: int
    lease_months_max: int | None
    cats_allowed: bool
    dogs_allowed: bool
    amenities: tuple[str, ...]
    photos: tuple[str, ...]
    agent_id: int
    contact_name: str
    contact_email: str
    contact_phone: str | None
    updated_at: datetime
    url: str

    @property
    def reference(self) -> str:
        """Our name for it, by which a platform knows it again."""
        return str(self.id)

    @property
    def full_baths(self) -> int:
        """Bathrooms with a bath or a shower."""
        return int(self.bathrooms)

    @property
    def half_baths(self) -> int:
        """Bathrooms without."""
        return 1 if self.bathrooms % 1 else 0

    @property
    def amenity_names(self) -> tuple[str, ...]:
        """The amenities in words: bike storage for bike_storage."""
        return tuple(name.replace("_", " ") for name in self.amenities)

    @property
    def lease_term(self) -> str:
        """How long it is let for, in words."""
        if self.lease_months_max is None or self.lease_months_max == self.lease_months_min:
            return f"{self.lease_months_min} months"
        return f"{self.lease_months_min} to {self.lease_months_max} months"


def find_listing(
    connection: Connection, listing_id: int, organization_id: int, app_url: str
) -> Listing | None:
    """The organization's listing as it is now; None where the organization has none of this id."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_FIND, {"id": listing_id, "organization_id": organization_id}).fetchone()
    if row is None:
        return None
    return Listing(
        **{name: _clean(value) for name, value in row.items()}, url=f"{app_url}/listings/{listing_id}"
    )


def dollars(cents: int) -> str:
    """Cents as the platforms write money: 2450, or 2450.50.

    >>> dollars(245_000), dollars(245_050)
    ('2450', '2450.50')
    """
    return str(cents // 100) if cents % 100 == 0 else f"{cents // 100}.{cents % 100:02}"


def _clean(value: Any) -> Any:
    match value:
        case str():
            return _NOT_IN_XML.sub("", value).strip()
        case list():
            return tuple(filter(None, map(_clean, value)))
        case datetime():
            return value.astimezone(UTC)  # whatever the database's time zone is, the feed stays the same
    return value
