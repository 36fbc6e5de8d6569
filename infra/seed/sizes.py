"""How much is seeded: a name or a number of organizations, and how many rows the first one has to export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.seed.errors import SeedError

LEAST = 2  # a tenant, and another that must not see its rows
MOST = 20_000
MOST_ROWS = 50_000_000
LOGS_PER_ORGANIZATION = 150


@dataclass(frozen=True, slots=True)
class Size:
    """How many organizations there are, and how many activity_logs the first has; the others have 150 each."""

    organizations: int
    export_rows: int


_NAMED = {"small": Size(20, 2_000), "medium": Size(200, 20_000), "large": Size(2_000, 100_000)}


def size_of(size: str | int, rows: Mapping[str, int]) -> Size:
    """A size by its name or its number of organizations, with `rows["export"]` where given. Raises SeedError."""
    base = _NAMED.get(str(size)) or _numbered(str(size))
    if unknown := rows.keys() - {"export"}:
        raise SeedError(f"there are no rows called {min(unknown)!r}: only export=NUMBER is known")
    export_rows = rows.get("export", base.export_rows)
    if not 0 <= export_rows <= MOST_ROWS:
        raise SeedError(f"export={export_rows} is out of range: 0 to {MOST_ROWS} rows")
    return Size(base.organizations, export_rows)


def _numbered(text: str) -> Size:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0
    if not LEAST <= number <= MOST:
        raise SeedError(
            f"{text!r} is no size: use {', '.join(_NAMED)}, or a number of organizations, {LEAST} to {MOST}"
        )
    return Size(number, _NAMED["small"].export_rows)
