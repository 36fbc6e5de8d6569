"""CloudFormation's side of a custom resource: its requests, and the signed URL that takes the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STACK = "posthaste-test"
STACK_ID = (
    f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{STACK}/0a1b2c3d-0000-11ee-be56-0242ac120002"
)
# As S3 signs them: the path and the query must arrive as they are.
SIGNED = (
    "/cloudformation-custom-resource-response-eucentral1/arn%3Aaws%3Acloudformation%3Aeu-central-1%3A123456789012%3A"
    "stack/posthaste-test/0a1b%7CCleanupSchedule%7Cc0ffee?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    "X-Amz-Credential=AKIA%2F20261122%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Signature=ab%2Bc%3D"
)


@dataclass
class Put:
    """One request that the URL got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class ResponseUrl:
    """Where answers go; it answers with `statuses` first, then with 200."""

    url: str = ""
    puts: list[Put] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def answer(self) -> dict[str, Any]:
        """The one answer that was taken since the last look."""
        (put,) = self.puts
        self.puts.clear()
        return put.answer


@contextmanager
def listening() -> Iterator[ResponseUrl]:
    """A real server at the URL."""
    response = ResponseUrl()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            response.puts.append(Put(self.path, headers, body))
            self.send_response(response.statuses.pop(0) if response.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        response.url = f"http://127.0.0.1:{server.server_port}{SIGNED}"
        yield response
        server.shutdown()
        thread.join()


class Context:
    """What Lambda gives a handler."""

    aws_request_id = "request-1"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def request(kind: str, resource: str, url: str, properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request as CloudFormation makes it: every value of the properties is text."""
    return {
        "RequestType": kind,
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:provision:live",
        "ResponseURL": url,
        "StackId": STACK_ID,
        "RequestId": "c0ffee00-1111-2222-3333-444455556666",
        "LogicalResourceId": "Thing",
        "ResourceType": resource,
        "ResourceProperties": {"ServiceToken": "arn:…", "ServiceTimeout": "900", **properties},
        **more,
    }
