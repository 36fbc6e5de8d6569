"""Listings at plausible prices, and where they are advertised."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal

from psycopg.types.json import Jsonb

from infra.seed.metros import RENT_FACTOR, SQUARE_FEET, City
from infra.seed.tables import Row
from infra.seed.tenant import Home, Person, Tenant
from infra.seed.words import ADJECTIVES, AMENITIES, SENTENCES, STREETS

_STATUSES = ("active", "active", "active", "rented", "active", "rented", "draft", "withdrawn")
_PLATFORMS = ("zillow", "apartments", "craigslist", "facebook", "realtor")


def add_homes(tenant: Tenant) -> None:
    """Eight to twenty listings, and what the platforms have of those that are or were on the market."""
    for place in range(tenant.dice.randint(8, 20)):
        home = _add_listing(
            tenant, tenant.agents[place % len(tenant.agents)], _STATUSES[place % len(_STATUSES)]
        )
        tenant.homes.append(home)
        # The first one is on the market and on no platform yet: the next thing to do with it is to syndicate it.
        if place > 0 and home.status != "draft":
            _add_syndications(tenant, home)


def _add_listing(tenant: Tenant, agent: Person, status: str) -> Home:
    dice = tenant.dice
    city = dice.choice(tenant.metro.cities)
    bedrooms = dice.choices((0, 1, 2, 3, 4), (2, 5, 5, 3, 1))[0]
    bathrooms = max(1, bedrooms - 1) + dice.choice((0, 0, 0.5))
    price = round(city.rent * RENT_FACTOR[bedrooms] * dice.uniform(0.88, 1.15) / 25) * 25
    kind = dice.choice(("house", "townhouse") if bedrooms >= 3 else ("apartment", "apartment", "condo"))
    created = tenant.some_time(1, 20) if status == "draft" else tenant.some_time(25, 300)
    cats, dogs = tenant.chance(0.6), tenant.chance(0.4)
    available = (tenant.now + timedelta(days=dice.randint(0, 60))).date()
    zip_code = dice.choice(city.zips)
    number = tenant.tables.add(
        "listings",
        organization_id=tenant.id,
        agent_id=agent.id,
        status=status,
        title=_title(tenant, bedrooms, kind, city),
        description=" ".join(dice.sample(SENTENCES, 4)),
        property_type=kind,
        **_address(tenant, city, zip_code, kind),
        price=price * 100,
        deposit=price * 100 if tenant.chance(0.8) else None,
        bedrooms=bedrooms,
        bathrooms=Decimal(str(bathrooms)),
        square_feet=round(SQUARE_FEET[bedrooms] * dice.uniform(0.85, 1.2)),
        available_from=available if tenant.chance(0.8) else None,
        lease_months_min=dice.choice((6, 12, 12, 12)),
        lease_months_max=dice.choice((12, 18, 24, None)),
        cats_allowed=cats,
        dogs_allowed=dogs,
        amenities=tenant.some(AMENITIES, 7, 2),
        photos=_photos(tenant),
        contact_name=agent.name,
        contact_email=agent.email,
        contact_phone=agent.phone,
        created_at=created,
        updated_at=tenant.later(created),
    )
    return Home(
        id=number,
        agent=agent,
        status=status,
        city=city,
        zip=zip_code,
        price=price * 100,
        bedrooms=bedrooms,
        cats=cats,
        dogs=dogs,
        available_from=available,
        created_at=created,
    )


def _title(tenant: Tenant, bedrooms: int, kind: str, city: City) -> str:
    size = f"{bedrooms}-bedroom {kind}" if bedrooms else "studio"
    return f"{tenant.dice.choice(ADJECTIVES)} {size} in {city.name}"


def _address(tenant: Tenant, city: City, zip_code: str, kind: str) -> Row:
    dice = tenant.dice
    return {
        "street": f"{dice.randint(100, 9899)} {dice.choice(STREETS)}",
        "unit": f"{dice.randint(1, 9)}{dice.choice('ABCDEF')}" if kind in {"apartment", "condo"} else None,
        "city": city.name,
        "state": tenant.metro.state,
        "zip": zip_code,
        "latitude": Decimal(f"{city.latitude + dice.uniform(-0.03, 0.03):.6f}"),
        "longitude": Decimal(f"{city.longitude + dice.uniform(-0.03, 0.03):.6f}"),
    }


def _photos(tenant: Tenant) -> Jsonb:
    folder, count = tenant.code("", 10), tenant.dice.randint(2, 7)
    return Jsonb([f"https://images.example.com/{folder}/{number}.jpg" for number in range(1, count + 1)])


def _add_syndications(tenant: Tenant, home: Home) -> None:
    platforms = (*_PLATFORMS, "streeteasy") if tenant.metro.state == "NY" else _PLATFORMS
    for platform in tenant.some(platforms, 4, 1):
        _add_syndication(tenant, home, platform, _state(tenant, home))


def _state(tenant: Tenant, home: Home) -> str:
    if home.status in {"rented", "withdrawn"}:
        return "removed" if tenant.chance(0.9) else "published"  # one forgotten: it is to be taken down
    return tenant.dice.choices(("published", "updated", "failed", "pending"), (6, 3, 1, 1))[0]


def _add_syndication(tenant: Tenant, home: Home, platform: str, status: str) -> None:
    tried = home.created_at + timedelta(minutes=tenant.dice.randint(1, 600))
    out = status in {"published", "updated", "removed"}
    code = tenant.code("", 12).lower()
    attempted = status != "pending"
    tenant.tables.add(
        "listing_syndications",
        organization_id=tenant.id,
        listing_id=home.id,
        platform=platform,
        status=status,
        external_id=code if out else None,
        external_url=f"https://{platform}.example.com/{code}" if out else None,
        feed_checksum=hashlib.sha256(code.encode()).hexdigest() if out else None,
        error="422: the photos' resolution is below 1024 x 768" if status == "failed" else None,
        job_id=tenant.job_id(tried) if attempted else None,
        last_attempt_at=tried if attempted else None,
        published_at=tried if out else None,
        removed_at=min(tried + timedelta(days=40), tenant.now) if status == "removed" else None,
        created_at=home.created_at,
        updated_at=tried,
    )
