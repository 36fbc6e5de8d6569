"""Which job runs here: whatever is enqueued meanwhile is noted as its child. Threads of a handler's own do not know it."""

from __future__ import annotations

from contextvars import ContextVar
from uuid import UUID

_running: ContextVar[UUID | None] = ContextVar("running", default=None)


def parent() -> UUID | None:
    """The job that runs here; None where none does, as in an application."""
    return _running.get()


def enter(job_id: UUID | None) -> None:
    """From now on this job runs here; None: no longer any."""
    _running.set(job_id)
