"""Leads that fit a listing well or badly, and matches of the listings that were looked at before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from psycopg.types.json import Jsonb

from infra.seed.metros import City
from infra.seed.tenant import Home, Lead, Tenant
from infra.seed.words import LEAD_NOTES

_FITS = ("well", "nearly", "badly")  # of three in a row
_BUDGETS = {"well": (1.0, 1.2), "nearly": (0.85, 0.96), "badly": (0.5, 0.7)}  # of the rent


def add_leads(tenant: Tenant) -> None:
    """Leads for each home on the market, and matches for all but the first."""
    for home in tenant.on_market:
        leads = [_add_lead(tenant, home, place) for place in range(tenant.dice.randint(3, 6))]
        if tenant.leads:
            _add_matches(tenant, home, [lead for lead in leads if lead.open])
        tenant.leads += leads


def _add_lead(tenant: Tenant, home: Home, place: int) -> Lead:
    """Somebody this home is for, or is a little dear for, or who wants a cheaper one, elsewhere, and larger."""
    dice, fits = tenant.dice, _FITS[place % len(_FITS)]
    name, email, phone = tenant.person("example.org")
    created = tenant.some_time(2, 60)
    city = _elsewhere(tenant, home.city) if fits == "badly" else home.city
    bedrooms = min(home.bedrooms + 2, 4) if fits == "badly" else home.bedrooms
    budget = round(home.price * dice.uniform(*_BUDGETS[fits]) / 2_500) * 2_500
    status = ("new", "active", "active", "new", "closed")[place % 5]
    cats, dogs = (tenant.chance(0.4) and (allowed or fits == "badly") for allowed in (home.cats, home.dogs))
    move_in = (tenant.now + timedelta(days=dice.randint(0, 30))).date()
    asks = tenant.chance(0.8)
    number = tenant.tables.add(
        "leads",
        organization_id=tenant.id,
        agent_id=home.agent.id,
        status=status,
        name=name,
        email=email,
        phone=phone if tenant.chance(0.7) else None,
        budget_min=round(budget * 0.7 / 5_000) * 5_000 if tenant.chance(0.5) else None,
        budget_max=budget,
        bedrooms_min=bedrooms,
        bedrooms_max=bedrooms + 1 if tenant.chance(0.5) else None,
        bathrooms_min=Decimal("1.0") if tenant.chance(0.6) else None,
        cities=[city.name],
        zips=_zips(home, city) if tenant.chance(0.3) else [],
        move_in_from=move_in if asks else None,
        move_in_to=max(move_in + timedelta(days=14), home.available_from) if asks else None,
        has_cats=cats,
        has_dogs=dogs,
        notes=dice.choice(LEAD_NOTES) if tenant.chance(0.4) else None,
        last_contacted_at=tenant.later(created) if status != "new" else None,
        created_at=created,
        updated_at=created,
    )
    return Lead(number, home.agent, status != "closed", city.name, budget, bedrooms, cats, dogs)


def _elsewhere(tenant: Tenant, city: City) -> City:
    return tenant.dice.choice([each for each in tenant.metro.cities if each != city])


def _zips(home: Home, city: City) -> list[str]:
    return sorted({*city.zips[:2], *([home.zip] if city == home.city else [])})


def _add_matches(tenant: Tenant, home: Home, leads: list[Lead]) -> None:
    at = tenant.some_time(0.1, 1)
    job_id = tenant.job_id(at)
    for lead in leads:
        reasons = list(_reasons(home, lead))
        tenant.tables.add(
            "lead_matches",
            organization_id=tenant.id,
            listing_id=home.id,
            lead_id=lead.id,
            agent_id=lead.agent.id,
            score=sum(points for _criterion, points in reasons),
            reasons=Jsonb([{"criterion": criterion, "points": points} for criterion, points in reasons]),
            job_id=job_id,
            created_at=at,
            updated_at=at,
        )


def _reasons(home: Home, lead: Lead) -> Iterator[tuple[str, int]]:
    yield (
        "budget",
        40 if home.price <= lead.budget else max(0, 40 - 100 * (home.price - lead.budget) // home.price),
    )
    yield "bedrooms", 25 if home.bedrooms >= lead.bedrooms else 0
    yield "city", 20 if home.city.name == lead.city else 0
    yield "pets", 15 if home.cats >= lead.cats and home.dogs >= lead.dogs else 0
