"""Which call of the API is answered where; matched on the raw path, which is never normalised."""

import re

from infra.local.qstash.api import (
    dlq,
    events,
    flow,
    keys,
    messages,
    publish,
    schedules,
)
from infra.local.qstash.api.calls import Call, Handler, Reply
from infra.local.qstash.errors import Refused


def _not_there_yet(call: Call) -> Reply:
    raise Refused(501, f"this server has no {call.argument} yet")


_ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("POST", r"/v2/publish/(.*)", publish.publish),
        ("POST", r"/v2/batch", publish.publish_batch),
        ("GET", r"/v2/messages/([^/]+)", messages.get_message),
        ("DELETE", r"/v2/messages/([^/]+)", messages.cancel_message),
        ("DELETE", r"/v2/messages", messages.cancel_messages),
        ("GET", r"/v2/dlq", dlq.list_dead_letters),
        ("DELETE", r"/v2/dlq", dlq.delete_dead_letters),
        ("POST", r"/v2/dlq/retry", dlq.retry_dead_letters),
        ("POST", r"/v2/dlq/retry/([^/]+)", dlq.retry_dead_letter),
        ("GET", r"/v2/dlq/([^/]+)", dlq.get_dead_letter),
        ("DELETE", r"/v2/dlq/([^/]+)", dlq.delete_dead_letter),
        ("GET", r"/v2/(?:events|logs)", events.list_events),
        ("GET", r"/v2/schedules", schedules.list_schedules),
        ("GET", r"/v2/schedules/([^/]+)", schedules.get_schedule),
        ("DELETE", r"/v2/schedules/([^/]+)", schedules.delete_schedule),
        # The SDKs use PATCH, the documentation says POST.
        ("PATCH", r"/v2/schedules/([^/]+)/pause", schedules.pause_schedule),
        ("POST", r"/v2/schedules/([^/]+)/pause", schedules.pause_schedule),
        ("PATCH", r"/v2/schedules/([^/]+)/resume", schedules.resume_schedule),
        ("POST", r"/v2/schedules/([^/]+)/resume", schedules.resume_schedule),
        ("POST", r"/v2/schedules/(.*)", schedules.put_schedule),
        ("GET", r"/v2/keys", keys.get_keys),
        ("POST", r"/v2/keys/rotate", keys.rotate_keys),
        ("GET", r"/v2/flowControl", flow.list_flow_keys),
        ("GET", r"/v2/flowControl/(.+)", flow.get_flow_key),
        # Left out so far: said plainly, so that nobody takes it for a wrong address.
        ("*", r"/v2/(queues|topics|bulkActions)(?:/.*)?", _not_there_yet),
        ("POST", r"/v2/enqueue/.*", _not_there_yet),
    )
)


def find_handler(method: str, path: str) -> tuple[Handler, str]:
    """The handler for a raw path without its query, and the path's variable end.

    Raises Refused: 404 for an unknown path, 405 for a method it does not take.
    """
    known = False
    for route_method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None and route_method in (method, "*"):
            return handler, match[1] if pattern.groups else "queues"
        known = known or match is not None
    raise Refused(405, "method not allowed") if known else Refused(404, "no such endpoint")


def takes_destination(handler: Handler) -> bool:
    """Whether the path ends in a destination, to which the query belongs too."""
    return handler in (publish.publish, schedules.put_schedule)
