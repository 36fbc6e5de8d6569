"""`Custom::QStashSchedule`: one schedule at QStash that the template declares."""

from __future__ import annotations

from functions.provision.answer import Answer
from functions.provision.request import Request
from infra.schedules.changes import make_so
from infra.schedules.declaration import ScheduleSettings, declared, id_prefix, schedule_id
from shared import publishing, secrets

_LATER = "the secret at QSTASH_SECRET_ARN has no QSTASH_TOKEN yet: put it there, then run `make schedules` with ENV"


def answer_schedule(request: Request) -> Answer:
    """Make QStash have it, or have it no more.

    Without a token nothing can be at QStash and nothing is asked of it: a first deploy succeeds and says what to do.
    Raises InvalidJob, SecretUnavailable, PublishRejected or PublishFailed.
    """
    if request.request_type == "Delete":
        return _delete(request, request.physical_resource_id or "")
    name = schedule_id(request.stack, request.logical_resource_id)
    settings = ScheduleSettings.load()
    planned = declared(request.logical_resource_id, request.resource_properties, request.stack, settings)
    if secrets.find("QSTASH_TOKEN") is None:
        return Answer("SUCCESS", name, f"Not scheduled: {_LATER}", {"ScheduleId": name, "Note": _LATER})
    make_so(planned, settings)
    return Answer("SUCCESS", name, data={"ScheduleId": name, "Note": ""})


def _delete(request: Request, name: str) -> Answer:
    """Only what is this stack's own: the resource may have been given another id when it could not be made."""
    if not name.startswith(id_prefix(request.stack)) or secrets.find("QSTASH_TOKEN") is None:
        return Answer("SUCCESS", name, "There is nothing to delete.")
    publishing.act_on_schedule(name, "delete", ScheduleSettings.load())
    return Answer("SUCCESS", name)
