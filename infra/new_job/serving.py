"""A running `make dev` takes a new type up by itself, a moment after its files were written."""

from __future__ import annotations

import time

from infra.local.environment import running

_PATIENCE = 10.0  # seconds
_BETWEEN = 0.1


def is_served(job_type: str, patience: float = _PATIENCE) -> bool | None:
    """Wait until the running `make dev` has a URL for this type, `patience` seconds at most; None where none runs."""
    if running() is None:
        return None
    ends_at = time.monotonic() + patience
    while not _has_url(job_type):
        if time.monotonic() > ends_at:
            return False
        time.sleep(_BETWEEN)
    return True


def _has_url(job_type: str) -> bool:
    return f'"{job_type}":' in (running() or {}).get("JOB_ENDPOINTS", "")
