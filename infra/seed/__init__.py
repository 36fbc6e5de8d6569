"""Example data for the application's tables: believable, the same every time, and written once.

with psycopg.connect(database_url) as connection:
    seeded = seed(connection, "small")
    enqueue(CrmMatch(listing_id=seeded.listing_id), organization_id=seeded.organization_id)
"""

from __future__ import annotations

from infra.seed.errors import SeedError
from infra.seed.landmarks import Seeded
from infra.seed.seeding import seed

__all__ = ["SeedError", "Seeded", "seed"]
