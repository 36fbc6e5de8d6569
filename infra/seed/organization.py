"""One organization with all that is its."""

from __future__ import annotations

from infra.seed.applications import add_applications
from infra.seed.billing import add_billing
from infra.seed.files import add_files
from infra.seed.homes import add_homes
from infra.seed.leads import add_leads
from infra.seed.messages import add_mails, add_notifications, add_webhooks
from infra.seed.people import add_people
from infra.seed.tenant import Tenant, World


def add_organization(world: World, number: int) -> Tenant:
    """The organization of that number, in the order in which its rows need each other."""
    tenant = Tenant(world, number)
    for add in (
        add_people,
        add_billing,
        add_homes,
        add_leads,
        add_applications,
        add_notifications,
        add_mails,
        add_webhooks,
        add_files,
    ):
        add(tenant)
    return tenant
