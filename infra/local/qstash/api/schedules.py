"""Schedules: write, read, delete, pause and resume."""

from ..cron import Cron, parse_cron
from ..errors import Refused
from ..intake import Order
from ..records import Schedule
from ..wire.headers import Headers, first
from ..wire.names import check_name
from ..wire.shapes import schedule_json
from .calls import Call, Reply


def put_schedule(call: Call) -> Reply:
    """`POST /v2/schedules/{destination}`: a new one, or all of an existing one anew; 202 for a duplicate."""
    schedule_id = _parse_id(call.headers)
    cron = _parse_cron(call.headers)
    if first(call.headers, "Upstash-Not-Before") is not None:
        raise Refused(400, "invalid Upstash-Not-Before header: a schedule takes only Upstash-Delay")
    template = call.account.intake.template(
        Order(call.argument, call.headers, call.body, call.caller_ip, _parse_queue(call.headers))
    )
    schedule, deduplicated = call.account.schedules.put(schedule_id, cron, template)
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
    return None if text is None else check_name(text, "Upstash-Schedule-Id header")


def _parse_queue(given: Headers) -> str | None:
    text = first(given, "Upstash-Queue-Name")
    return None if text is None else check_name(text, "Upstash-Queue-Name header")


def _parse_cron(given: Headers) -> Cron:
    text = first(given, "Upstash-Cron")
    if text is None:
        raise Refused(400, "the Upstash-Cron header is missing")
    try:
        return parse_cron(text)
    except ValueError as error:
        raise Refused(400, f"invalid Upstash-Cron header: {error}") from error
