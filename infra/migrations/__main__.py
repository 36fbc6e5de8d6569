"""`python -m infra.migrations`: bring the database at DATABASE_URL up to date."""

import os
import re
import sys

import psycopg

from infra.migrations import MigrationError, migrate

_NO_DATABASE = re.compile(r"database \".*\" does not exist")


def main() -> int:
    """Apply what is missing; the exit code says whether the schema is now current."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        print(
            "✗ DATABASE_URL is missing: set it to a direct connection string of your Postgres",
            file=sys.stderr,
        )
        return 2
    try:
        applied = migrate(url)
    except (MigrationError, psycopg.Error) as error:
        print(f"✗ migration failed: {str(error).strip().splitlines()[0]}{_remedy(error)}", file=sys.stderr)
        return 1
    print("\n".join(f"applied {name}" for name in applied) or "the schema is current")
    return 0


def _remedy(error: Exception) -> str:
    """What to do about a database that nobody has made yet."""
    return ": create it first" if _NO_DATABASE.search(str(error)) else ""


if __name__ == "__main__":
    sys.exit(main())
