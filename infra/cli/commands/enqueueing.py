"""`enqueue`: a job of any type, with the options that `enqueue` has in Python."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from functions.jobs_api.shapes import Accepted
from infra.cli.errors import Invalid, Wrong
from infra.cli.options import ID, connected, waiting
from infra.cli.session import Session
from infra.cli.values import JsonObject, Moment, Span
from infra.cli.waiting import wait_for_end


def _headers(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, str] | None:
    pairs = [each.partition("=") for each in given]
    for name, sign, _value in pairs:
        if not sign or not name:
            raise click.BadParameter(f"{name!r} is no NAME=VALUE")
    return {name: value for name, _sign, value in pairs} or None


@click.command("enqueue")
@click.argument("job_type", metavar="TYPE")
@click.option("--payload", type=JsonObject(), default="{}", help="What the job takes: see types TYPE.")
@click.option("--delay", type=Span(), help="Not before so long from now: 30s, 15m, 2h.")
@click.option("--not-before", type=Moment(ahead=True), help="Not before this time.")
@click.option("--idempotency-key", metavar="KEY", help="Repeated with the same payload, it is the same job.")
@click.option("--user", type=ID, metavar="ID", help="The user that it is for.")
@click.option("--organization", type=ID, metavar="ID", help="The organization that it is for.")
@click.option("--retries", type=click.IntRange(0, 50), help="Further attempts, instead of the type's own.")
@click.option(
    "--header", "headers", multiple=True, metavar="NAME=VALUE", callback=_headers, help="Reaches the worker."
)
@click.option("--callback", metavar="URL", help="QStash calls it after each attempt.")
@click.option("--failure-callback", metavar="URL", help="Called once the job has failed.")
@waiting
@connected
def enqueue_job(
    session: Session,
    /,
    *,
    job_type: str,
    payload: dict[str, Any],
    not_before: datetime | None,
    idempotency_key: str | None,
    failure_callback: str | None,
    wait: bool,
    timeout: float,
    **options: Any,
) -> None:
    r"""Enqueue a job, and print its id.

    \b
    enqueue send-email --payload '{"to": "ada@example.com", "data": {"name": "Ada"}}'
    enqueue send-email --payload @mail.json --delay 15m --wait
    """
    if options["delay"] is not None and not_before is not None:
        raise click.UsageError("--delay and --not-before are two times: give one of them")
    asked = {
        "type": job_type,
        "payload": payload,
        "delay": options["delay"],
        "notBefore": None if not_before is None else not_before.isoformat(),
        "idempotencyKey": idempotency_key,
        "userId": options["user"],
        "organizationId": options["organization"],
        "retries": options["retries"],
        "headers": options["headers"],
        "callback": options["callback"],
        "failureCallback": failure_callback,
    }
    try:
        with session.knowing_types(job_type):
            accepted = session.api.post("/v1/jobs", Accepted, _given(asked))
    except Invalid as error:
        raise Wrong(f"{error}. The command `types {job_type}` shows what it takes") from None
    if wait:
        session.screen.say(f"accepted as {accepted.job_id}")
        wait_for_end(session, str(accepted.job_id), timeout)
    elif session.as_json:
        session.screen.emit(accepted)
    else:
        session.screen.show(str(accepted.job_id))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
