"""`python -m infra.payload_keys`: a new key for sensitive payloads; with `--use`, what is sealed under each key.

The count is of the database at DATABASE_URL. docs/sensitive-payloads.md says how keys are rotated.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
from psycopg.rows import dict_row

from shared import executions
from shared.rows import KeyUse


def new_entry() -> str:
    """A fresh entry for PAYLOAD_KEYS: an id made of today's date, and 32 random bytes."""
    key_id = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(2)}"
    return f"{key_id}:{secrets.token_urlsafe(32)}"


def main(arguments: Sequence[str]) -> int:
    """Print an entry, or the count; the exit code says whether it could be done."""
    match arguments:
        case []:
            print(new_entry())
            return 0
        case ["--use"]:
            return _print_use()
    print("usage: python -m infra.payload_keys [--use]", file=sys.stderr)
    return 2


def _print_use() -> int:
    url = os.environ.get("DATABASE_URL")
    if not url:
        print("✗ DATABASE_URL is missing: set it to your Postgres's connection string", file=sys.stderr)
        return 2
    try:
        with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5) as connection:
            found = executions.count_by_payload_key(connection)
    except psycopg.Error as error:
        print(f"✗ not counted: {str(error).strip().splitlines()[0]}", file=sys.stderr)
        return 1
    print("\n".join(map(_line, found)) or "nothing is sealed")
    return 0


def _line(use: KeyUse) -> str:
    return (
        f"{use.key_id}: {use.jobs} jobs ({use.unfinished_jobs} of them not ended), "
        f"{use.schedules} payloads of schedules, {use.batches} completions of batches"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
