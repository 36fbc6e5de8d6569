"""Which call of the API is answered where; matched on the raw path, which is never normalised."""

import re

from infra.local.qstash import (
    api_dlq,
    api_events,
    api_flow,
    api_keys,
    api_messages,
    api_publish,
    api_schedules,
)
from infra.local.qstash.calls import Call, Handler, Reply
from infra.local.qstash.errors import Refused


def _not_there_yet(call: Call) -> Reply:
    raise Refused(501, f"this server has no {call.argument} yet")


_ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("POST", r"/v2/publish/(.*)", api_publish.publish),
        ("POST", r"/v2/batch", api_publish.publish_batch),
        ("GET", r"/v2/messages/([^/]+)", api_messages.get_message),
        ("DELETE", r"/v2/messages/([^/]+)", api_messages.cancel_message),
        ("DELETE", r"/v2/messages", api_messages.cancel_messages),
        ("GET", r"/v2/dlq", api_dlq.list_dead_letters),
        ("DELETE", r"/v2/dlq", api_dlq.delete_dead_letters),
        ("POST", r"/v2/dlq/retry", api_dlq.retry_dead_letters),
        ("POST", r"/v2/dlq/retry/([^/]+)", api_dlq.retry_dead_letter),
        ("GET", r"/v2/dlq/([^/]+)", api_dlq.get_dead_letter),
        ("DELETE", r"/v2/dlq/([^/]+)", api_dlq.delete_dead_letter),
        ("GET", r"/v2/(?:events|logs)", api_events.list_events),
        ("GET", r"/v2/schedules", api_schedules.list_schedules),
        ("GET", r"/v2/schedules/([^/]+)", api_schedules.get_schedule),
        ("DELETE", r"/v2/schedules/([^/]+)", api_schedules.delete_schedule),
        # The SDKs use PATCH, the documentation says POST.
        ("PATCH", r"/v2/schedules/([^/]+)/pause", api_schedules.pause_schedule),
        ("POST", r"/v2/schedules/([^/]+)/pause", api_schedules.pause_schedule),
        ("PATCH", r"/v2/schedules/([^/]+)/resume", api_schedules.resume_schedule),
        ("POST", r"/v2/schedules/([^/]+)/resume", api_schedules.resume_schedule),
        ("POST", r"/v2/schedules/(.*)", api_schedules.put_schedule),
        ("GET", r"/v2/keys", api_keys.get_keys),
        ("POST", r"/v2/keys/rotate", api_keys.rotate_keys),
        ("GET", r"/v2/flowControl", api_flow.list_flow_keys),
        ("GET", r"/v2/flowControl/(.+)", api_flow.get_flow_key),
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
    return handler in (api_publish.publish, api_schedules.put_schedule)
