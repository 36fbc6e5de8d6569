"""`python -m infra.api_keys NAME`: a new key of the HTTP API and the dashboard, with its entry for API_KEYS.

The key is printed once and kept nowhere; the entry holds its digest. docs/api.md says where each goes.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
from collections.abc import Sequence

from functions.jobs_api.access.keys import PREFIX, Rights, digest_of

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def new_key(name: str, rights: Rights = "read", organization_id: int | None = None) -> tuple[str, str]:
    """A key, and its entry. Raises ValueError, which says what is wrong.

    >>> new_key("ops", "write")  # doctest: +SKIP
    ('ph_x0…', 'ops:write:*:9f86d08…')
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"NAME is {name!r} and must be 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )
    if organization_id is not None and not 0 < organization_id < 10**18:
        raise ValueError(f"ORGANIZATION is {organization_id} and must be a positive number")
    key = PREFIX + secrets.token_urlsafe(32)
    return key, f"{name}:{rights}:{organization_id or '*'}:{digest_of(key)}"


def main(arguments: Sequence[str]) -> int:
    """Print a key and its entry; the exit code says whether it could be made."""
    parser = argparse.ArgumentParser(prog="python -m infra.api_keys", description="Make an API key.")
    parser.add_argument("name", help="who uses it; every action is noted under this name")
    parser.add_argument("--rights", choices=["read", "write"], default="read")
    parser.add_argument("--organization", type=int, help="bind it to this organization")
    asked = parser.parse_args(arguments)
    try:
        key, entry = new_key(asked.name, asked.rights, asked.organization)
    except ValueError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 2
    print(f"key:   {key}\nentry: {entry}")
    print("Give the key to whoever uses it, and add the entry to API_KEYS, after a comma.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
