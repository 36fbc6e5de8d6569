"""Schedules: write, read, delete, pause and resume."""

import re

from infra.local.qstash.api.calls import Call, Reply
from infra.local.qstash.cron import Cron, parse_cron
from infra.local.qstash.errors import Refused
from infra.local.qstash.records import Schedule
from infra.local.qstash.wire.headers import Headers, first
from infra.local.qstash.wire.shapes import schedule_json

_ID = re.compile(r"[A-Za-z0-9._-]+")


def put_schedule(call: Call) -> Reply:
    """`POST /v2/schedules/{destination}`: a new one, or all of an existing one anew; 202 for a duplicate."""
    schedule_id = _parse_id(call.headers)
    cron = _parse_cron(call.headers)
    if first(call.headers, "Upstash-Not-Before") is not None:
        raise Refused(400, "invalid Upstash-Not-Before header: a schedule takes only Upstash-Delay")
    if first(call.headers, "Upstash-Queue-Name") is not None:
        raise Refused(501, "this server has no queues yet")
    draft = call.account.intake.draft(call.argument, call.headers, call.body, call.caller_ip)
    schedule, deduplicated = call.account.schedules.put(schedule_id, cron, draft)
    if deduplicated:
        return Reply(202, {"scheduleId": schedule.id, "deduplicated": True})
    return Reply(200, {"scheduleId": schedule.id})


def list_schedules(call: Call) -> Reply:
    """`GET /v2/schedules`: all of them, oldest first."""
    return Reply(200, [schedule_json(schedule) for schedule in call.account.schedules.all()])


def get_schedule(call: Call) -> Reply:
    """`GET /v2/schedules/{id}`."""
    return Reply(200, schedule_json(_one(call)))


def delete_schedule(call: Call) -> Reply:
    """`DELETE /v2/schedules/{id}`."""
    call.account.schedules.delete(_one(call))
    return Reply(200)


def pause_schedule(call: Call) -> Reply:
    """`PATCH` or `POST /v2/schedules/{id}/pause`."""
    call.account.schedules.pause(_one(call))
    return Reply(200)


def resume_schedule(call: Call) -> Reply:
    """`PATCH` or `POST /v2/schedules/{id}/resume`."""
    call.account.schedules.resume(_one(call))
    return Reply(200)


def _one(call: Call) -> Schedule:
    schedule = call.account.schedules.get(call.argument)
    if schedule is None:
        raise Refused(404, f"schedule {ascii(call.argument)[1:-1]} not found")
    return schedule


def _parse_id(given: Headers) -> str | None:
    text = first(given, "Upstash-Schedule-Id")
    if text is not None and not _ID.fullmatch(text):
        raise Refused(
            400,
            f"invalid Upstash-Schedule-Id header: {text!a} may hold only letters, digits, '-', '_' and '.'",
        )
    return text


def _parse_cron(given: Headers) -> Cron:
    text = first(given, "Upstash-Cron")
    if text is None:
        raise Refused(400, "the Upstash-Cron header is missing")
    try:
        return parse_cron(text)
    except ValueError as error:
        raise Refused(400, f"invalid Upstash-Cron header: {error}") from error
