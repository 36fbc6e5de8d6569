"""API_KEYS must be readable: with one bad entry the HTTP API and the dashboard let nobody in."""

from __future__ import annotations

from functions.jobs_api.access.keys import parse
from infra.deployment.probes.wrong import Works, Wrong
from shared.errors import SecretUnavailable


def probe_api_keys(keys: str) -> Works:
    """Read them as the function does. Raises Wrong."""
    try:
        entries = parse(keys)
    except SecretUnavailable as error:
        raise Wrong(str(error), "take the entries as `make api-key` printed them") from None
    return Works(f"{len(entries)} of them: {', '.join(each.name for each in entries)}")
