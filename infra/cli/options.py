"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args

import click

from functions.jobs_api.shapes import Status
from infra.cli.session import Session
from infra.cli.values import Id, Moment, Span

P = ParamSpec("P")
R = TypeVar("R")
STATUSES: tuple[str, ...] = get_args(Status)
ID = Id()

_FILTERS = {
    "--type": ("type", {"metavar": "TYPE", "help": "of this job type"}),
    "--status": ("status", {"type": click.Choice(STATUSES), "metavar": "STATUS", "help": "of this status: " + ", ".join(STATUSES)}),
    "--user": ("userId", {"type": ID, "metavar": "ID", "help": "for this user"}),
    "--organization": ("organizationId", {"type": ID, "metavar": "ID", "help": "for this organization"}),
    "--since": ("createdAfter", {"type": Moment(), "help": "accepted then or later: 2h (ago), 2026-01-31T12:00"}),
    "--until": ("createdBefore", {"type": Moment(), "help": "accepted before"}),
    "--error": ("error", {"metavar": "TEXT", "help": "with this in their error; dead letters, without --status"}),
    "--error-group": ("errorGroup", {"metavar": "GROUP", "help": "with this error, as dead-letters names it"}),
    "--idempotency-key": ("idempotencyKey", {"metavar": "KEY", "help": "enqueued with this key"}),
    "--schedule": ("scheduleId", {"metavar": "ID", "help": "runs of this schedule"}),
    "--batch": ("batchId", {"type": click.UUID, "metavar": "ID", "help": "members of this batch"}),
    "--parent": ("parentJobId", {"type": click.UUID, "metavar": "JOB_ID", "help": "enqueued by this job"}),
}  # fmt: skip


def connected(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """A command that is handed the session. Where it goes may be said before the command's name or after it."""
    decorated = click.pass_obj(command)
    for option in (
        click.option("--json", "as_json", is_flag=True, default=None, help="JSON on stdout, and nothing else there."),
        click.option("--env", metavar="ENV", help="A deployed stack, by its environment in samconfig.toml."),
        click.option("--url", metavar="URL", help="The API at this address (else JOBS_API_URL, else make dev)."),
    ):  # fmt: skip
        decorated = option(decorated)
    return _noting(decorated)


def _noting(command: Callable[..., R]) -> Callable[..., R]:
    @wraps(command)
    def noted(*arguments: Any, **options: Any) -> R:
        session = click.get_current_context().find_object(Session)
        assert session is not None  # noqa: S101  # __main__ makes one
        for name in ("url", "env", "as_json"):
            given = options.pop(name)
            if given is not None:
                setattr(session, name, given)
        return command(*arguments, **options)

    return noted


def waiting(command: Callable[P, R]) -> Callable[P, R]:
    """A command that may wait for the job's end."""
    for option in (
        click.option("--timeout", type=Span(), default="5m", show_default=True, help="How long to --wait."),
        click.option("--wait", is_flag=True, help="Wait until the job has ended: 0 if it completed, else 1."),
    ):
        command = option(command)
    return command


def filtered(command: Callable[..., R]) -> Callable[..., R]:
    """A command that is handed `filters`, as the API names them; only those that were given."""

    @wraps(command)
    def gathered(*arguments: Any, **options: Any) -> R:
        given = {wire: options.pop(f"filter_{wire.lower()}") for wire, _kwargs in _FILTERS.values()}
        filters = {wire: _plain(value) for wire, value in given.items() if value is not None}
        return command(*arguments, filters=filters, **options)

    decorated: Callable[..., R] = gathered
    for flag, (wire, kwargs) in reversed(_FILTERS.items()):
        decorated = click.option(flag, f"filter_{wire.lower()}", **kwargs)(decorated)  # type: ignore[arg-type]
    return decorated


def described(filters: dict[str, Any]) -> str:
    """Filters in words, as a question names them."""
    named = {wire: flag.removeprefix("--") for flag, (wire, _kwargs) in _FILTERS.items()}
    return ", ".join(f"{named[wire]} {value}" for wire, value in filters.items() if wire != "status")


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case int() | str():
            return value
        case _:
            return str(value)
