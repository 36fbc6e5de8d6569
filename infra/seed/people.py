"""Organizations with their members, preferences and agents."""

from __future__ import annotations

from datetime import time, timedelta

from infra.seed.tenant import Person, Tenant, slug_of
from infra.seed.words import FIRM_KINDS, FIRM_NAMES

_FIRST_GITHUB_ACCOUNT = 90_000_000


def add_people(tenant: Tenant) -> None:
    """The organization, three to eight members, one to three agents of whom all but one sign in."""
    _add_organization(tenant)
    for place in range(tenant.dice.randint(3, 8)):
        _add_member(tenant, "owner" if place == 0 else "admin" if place == 1 else "member")
    for place in range(tenant.dice.randint(2, 3)):
        _add_agent(tenant, tenant.members[place])
    _add_agent(tenant, None)


def add_user(tenant: Tenant, host: str = "example.com", *, newest: float = 0, oldest: float = 0) -> Person:
    """Somebody who signs in; some time ago, or when the organization began."""
    name, email, phone = tenant.person(host)
    created = tenant.some_time(newest, oldest) if oldest else tenant.founded_at
    number = tenant.tables.add(
        "users",
        email=email,
        name=name,
        phone=phone if tenant.chance(0.8) else None,
        locale=tenant.dice.choice(("en-US", "en-US", "en-US", "es-US")),
        time_zone=tenant.metro.time_zone,
        created_at=created,
        updated_at=created,
    )
    if tenant.chance(0.5):
        _add_preferences(tenant, number)
    return Person(number, name, email, phone)


def _add_organization(tenant: Tenant) -> None:
    tenant.name = tenant.world.unused(
        f"{tenant.dice.choice(FIRM_NAMES)} {tenant.dice.choice(FIRM_KINDS)}", "{} {}"
    ).strip()
    tenant.slug = slug_of(tenant.name)
    tenant.id = tenant.tables.add(
        "organizations",
        name=tenant.name,
        slug=tenant.slug,
        time_zone=tenant.metro.time_zone,
        stripe_customer_id=tenant.code("cus_", 14),
        github_account_id=_FIRST_GITHUB_ACCOUNT + tenant.number,
        created_at=tenant.founded_at,
        updated_at=tenant.founded_at,
    )


def _add_member(tenant: Tenant, role: str) -> None:
    person = add_user(tenant)
    tenant.members.append(person)
    joined = tenant.founded_at if role == "owner" else tenant.founded_at + timedelta(days=len(tenant.members))
    tenant.tables.add(
        "memberships",
        organization_id=tenant.id,
        user_id=person.id,
        role=role,
        created_at=min(joined, tenant.now),
    )


def _add_preferences(tenant: Tenant, user_id: int) -> None:
    quiet = tenant.chance(0.6)
    tenant.tables.add(
        "notification_preferences",
        user_id=user_id,
        channels=["email", *tenant.some(("sms", "in_app"), 2)],
        muted_types=["reminder"] if tenant.chance(0.1) else [],
        quiet_hours_start=time(tenant.dice.choice((20, 21, 22))) if quiet else None,
        quiet_hours_end=time(tenant.dice.choice((6, 7, 8))) if quiet else None,
        time_zone=tenant.metro.time_zone,
        created_at=tenant.founded_at,
        updated_at=tenant.founded_at,
    )


def _add_agent(tenant: Tenant, member: Person | None) -> None:
    """An agent who is a member, or one who does not sign in."""
    name, email, phone = (member.name, member.email, member.phone) if member else tenant.person("example.com")
    number = tenant.tables.add(
        "agents",
        organization_id=tenant.id,
        user_id=member.id if member else None,
        license=f"{tenant.metro.state}-{tenant.dice.randint(100_000, 999_999)}",
        name=name,
        email=email,
        phone=phone,
        active=member is not None or tenant.chance(0.5),
        created_at=tenant.founded_at,
        updated_at=tenant.founded_at,
    )
    tenant.agents.append(Person(number, name, email, phone))
