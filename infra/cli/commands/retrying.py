"""`retry`: one job again, also with a corrected payload."""

from __future__ import annotations

import json
from typing import Any

import click

from functions.jobs_api.shapes import Done, Job
from infra.cli.api import part
from infra.cli.errors import Invalid, NotDone
from infra.cli.options import connected, waiting
from infra.cli.session import Session
from infra.cli.values import JobId, JsonObject, read_object
from infra.cli.waiting import wait_for_end


@click.command("retry")
@click.argument("job_id", type=JobId())
@click.option("--payload", type=JsonObject(), help="A corrected payload.")
@click.option("--edit", is_flag=True, help="Correct the payload in $EDITOR.")
@waiting
@connected
def retry_job(
    session: Session,
    /,
    *,
    job_id: str,
    payload: dict[str, Any] | None,
    edit: bool,
    wait: bool,
    timeout: float,
) -> None:
    """Run one failed or cancelled job again, with a corrected payload where one is given.

    What shows as {"redacted": "sensitive"} keeps its value where it is left so.
    """
    if edit and payload is not None:
        raise click.UsageError("--payload and --edit are two payloads: give one of them")
    if edit:
        _retry_edited(session, job_id)
    else:
        retry(session, job_id, payload)
    if wait:
        wait_for_end(session, job_id, timeout)
    elif session.as_json:
        session.screen.emit({"jobId": job_id})
    else:
        session.screen.show(f"{job_id} runs again")


def retry(session: Session, job_id: str, payload: dict[str, Any] | None = None) -> None:
    """Run a job again. Raises NotDone."""
    session.api.post(
        f"/v1/jobs/{part(job_id)}/retry", Done, None if payload is None else {"payload": payload}
    )


def _retry_edited(session: Session, job_id: str) -> None:
    """Hand the payload to an editor until it is taken. Raises NotDone where nothing was changed."""
    job = session.api.get(f"/v1/jobs/{part(job_id)}", Job)
    text = before = json.dumps(job.payload, indent=2, ensure_ascii=False) + "\n"
    while True:
        edited = click.edit(text, extension=".json", require_save=False)
        if edited is None or edited.strip() in {"", before.strip()}:
            raise NotDone("the payload was not changed: nothing was done")
        text = edited
        try:
            retry(session, job_id, read_object(text))
        except (ValueError, Invalid) as error:
            session.screen.say(f"✗ {error}", "red")
            if not click.confirm("Edit it again?", default=True, err=True):
                raise NotDone("nothing was done") from None
        else:
            return
