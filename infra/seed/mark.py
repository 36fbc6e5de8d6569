"""How a database remembers that, and with what, it was seeded: one row of a table that only seeded databases have."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from infra.seed.errors import SeedError
from infra.seed.landmarks import Seeded
from infra.seed.sizes import Size
from infra.seed.tables import Cursor

_LOCK = 0x7365656473  # any constant that no other lock has


@dataclass(frozen=True, slots=True)
class Mark:
    """What was asked for when the database was seeded, and what it was given."""

    size: Size
    seeded: Seeded

    def seeded_as(self, size: Size, now: datetime | None) -> Seeded:
        """What was seeded. Raises SeedError if other data is asked for."""
        if size != self.size or now not in {None, self.seeded.now}:
            raise SeedError(
                f"this database was seeded with {_described(self.size, self.seeded.now)}, "
                f"not {_described(size, now or self.seeded.now)}: use an empty database, or empty its tables "
                "as docs/application-data.md says"
            )
        return replace(self.seeded, created=False)


def _described(size: Size, now: datetime) -> str:
    return f"{size.organizations} organizations, export={size.export_rows} and now={now.isoformat()}"


def lock(cursor: Cursor) -> None:
    """Wait for whoever else is seeding. Raises SeedError if the tables are missing."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if _missing(cursor, "app.applications"):
        raise SeedError("the application's tables are missing: run `make migrate` first")


def find(cursor: Cursor) -> Mark | None:
    """The mark, if the database was seeded."""
    if _missing(cursor, "app.seed"):
        return None
    row = cursor.execute("SELECT organizations, export_rows, now, landmarks FROM app.seed").fetchone()
    if row is None:
        return None
    organizations, export_rows, now, landmarks = row
    return Mark(Size(organizations, export_rows), Seeded(**landmarks, created=True, now=now.astimezone(UTC)))


def leave(cursor: Cursor, size: Size, seeded: Seeded) -> None:
    """Remember it."""
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS app.seed (organizations integer NOT NULL, export_rows bigint NOT NULL, "
        "now timestamptz NOT NULL, landmarks jsonb NOT NULL)"
    )
    cursor.execute("COMMENT ON TABLE app.seed IS 'What `make seed` wrote into this database'")
    cursor.execute("DELETE FROM app.seed")
    ids: dict[str, Any] = {
        name: value for name, value in asdict(seeded).items() if name not in {"created", "now"}
    }
    cursor.execute(
        "INSERT INTO app.seed VALUES (%s, %s, %s, %s)",
        [size.organizations, size.export_rows, seeded.now, Jsonb(ids)],
    )


def _missing(cursor: Cursor, table: str) -> bool:
    return cursor.execute("SELECT to_regclass(%s) IS NULL", [table]).fetchone() == (True,)
