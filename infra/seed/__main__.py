"""`python -m infra.seed --size small`: fill the application's tables in the database at --url or DATABASE_URL."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime

import psycopg

from infra.local.console import fail, out
from infra.local.environment import running
from infra.seed import Seeded, SeedError, seed


def main() -> int:
    """Seed and say what is there; the exit code."""
    options = _options()
    url = options.url or os.environ.get("DATABASE_URL") or _url_of_dev()
    if not url:
        return fail("there is no database to seed: start `make dev`, or set DATABASE_URL to an empty one")
    started = time.monotonic()
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            seeded = seed(connection, options.size, options.now, options.rows)
            _show(connection, seeded, time.monotonic() - started)
    except (SeedError, psycopg.Error) as error:
        return fail(f"not seeded: {str(error).strip().splitlines()[0]}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.seed", description="Fill the application's tables."
    )
    parser.add_argument("--size", default="small", help="small, medium, large or a number of organizations")
    parser.add_argument("--url", help="the database; DATABASE_URL, or that of the running make dev")
    parser.add_argument("--rows", type=_rows, default={}, metavar="export=NUMBER", help="activity_logs of the first organization")  # fmt: skip
    parser.add_argument("--now", type=_time, help="what times are relative to; today at 00:00 UTC")
    return parser.parse_args()


def _rows(text: str) -> dict[str, int]:
    name, _, number = text.partition("=")
    if not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} should be like export=1000000")
    return {name: int(number)}


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} should be a time like 2026-01-01 or 2026-01-01T12:00Z"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _url_of_dev() -> str | None:
    return (running() or {}).get("DATABASE_URL")


def _show(connection: psycopg.Connection, seeded: Seeded, seconds: float) -> None:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM app.organizations), (SELECT count(*) FROM app.users), "
        "(SELECT count(*) FROM app.listings), (SELECT count(*) FROM app.activity_logs)"
    ).fetchone()
    organizations, users, listings, entries = row or (0, 0, 0, 0)
    what = f"seeded in {seconds:.1f} s" if seeded.created else "was seeded before; nothing was changed"
    begin = f"owner {seeded.owner_id}, listing {seeded.listing_id}, application {seeded.application_id}"
    lines = (
        f"[green]✓[/] {connection.info.dbname} on {connection.info.host}: {what}",
        f"  {organizations:,} organizations, {users:,} users, {listings:,} listings, {entries:,} activity_logs",
        f"  begin with organization {seeded.organization_id}: {begin}",
    )
    out.print("\n".join(lines), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
