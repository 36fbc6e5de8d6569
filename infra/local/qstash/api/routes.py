"""Which call of the API is answered where; matched on the raw path, which is never normalised."""

import re

from ..errors import Refused
from . import (
    bulk_actions,
    dlq,
    events,
    flow,
    keys,
    messages,
    publish,
    queues,
    schedules,
    url_groups,
)
from .calls import Handler

_ROUTES: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("POST", r"/v2/publish/(.*)", publish.publish),
        ("POST", r"/v2/enqueue/(.*)", publish.enqueue),
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
        # The SDKs do not escape a key's slashes, so its end tells what is asked for.
        ("GET", r"/v2/flowControl/(.+)", flow.get_flow_key),
        ("POST", r"/v2/flowControl/(.+)/pause", flow.pause_flow_key),
        ("POST", r"/v2/flowControl/(.+)/resume", flow.resume_flow_key),
        ("POST", r"/v2/flowControl/(.+)/pin", flow.pin_flow_key),
        ("POST", r"/v2/flowControl/(.+)/unpin", flow.unpin_flow_key),
        ("POST", r"/v2/flowControl/(.+)/resetRate", flow.reset_rate),
        ("GET", r"/v2/globalParallelism", flow.get_global_parallelism),
        ("GET", r"/v2/queues", queues.list_queues),
        ("POST", r"/v2/queues", queues.put_queue),
        ("GET", r"/v2/queues/([^/]+)", queues.get_queue),
        ("DELETE", r"/v2/queues/([^/]+)", queues.delete_queue),
        ("POST", r"/v2/queues/([^/]+)/pause", queues.pause_queue),
        ("POST", r"/v2/queues/([^/]+)/resume", queues.resume_queue),
        ("GET", r"/v2/topics", url_groups.list_groups),
        ("GET", r"/v2/topics/([^/]+)", url_groups.get_group),
        ("DELETE", r"/v2/topics/([^/]+)", url_groups.delete_group),
        ("PATCH", r"/v2/topics/([^/]+)", url_groups.set_headers),
        ("POST", r"/v2/topics/([^/]+)/endpoints", url_groups.put_endpoints),
        ("DELETE", r"/v2/topics/([^/]+)/endpoints", url_groups.remove_endpoints),
        ("GET", r"/v2/bulkActions", bulk_actions.list_actions),
        ("GET", r"/v2/bulkActions/([^/]+)", bulk_actions.get_action),
    )
)


def find_handler(method: str, path: str) -> tuple[Handler, str]:
    """The handler for a raw path without its query, and the path's variable end.

    Raises Refused: 404 for an unknown path, 405 for a method it does not take.
    """
    known = False
    for route_method, pattern, handler in _ROUTES:
        match = pattern.fullmatch(path)
        if match is not None and route_method == method:
            return handler, match[1] if pattern.groups else ""
        known = known or match is not None
    raise Refused(405, "method not allowed") if known else Refused(404, "no such endpoint")


def takes_destination(handler: Handler) -> bool:
    """Whether the path ends in a destination, to which the query belongs too."""
    return handler in (publish.publish, publish.enqueue, schedules.put_schedule)
