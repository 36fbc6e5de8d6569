"""An event on its way to a function."""

import json
import secrets
import time
import uuid
from dataclasses import dataclass

from infra.local.awslambda.function import REQUEST_LIMIT, RequestTooLarge


@dataclass(frozen=True)
class Event:
    """An event's JSON, and the request id that its log lines carry."""

    request_id: str
    body: bytes
    trace_id: str

    @classmethod
    def of(cls, content: object, request_id: str | None = None, trace_id: str | None = None) -> "Event":
        """Make an event of anything JSON can hold. TypeError if it can't, RequestTooLarge above 6 MB."""
        body = json.dumps(content).encode()
        if len(body) > REQUEST_LIMIT:
            raise RequestTooLarge(
                f"Request must be smaller than {REQUEST_LIMIT} bytes for the InvokeFunction operation"
            )
        return cls(request_id or new_request_id(), body, trace_id or new_trace_id())


def new_request_id() -> str:
    """A request id as Lambda makes them."""
    return str(uuid.uuid4())


def new_trace_id() -> str:
    """An X-Ray trace header of a trace that is not sampled."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
