"""Resend's `GET /domains`, for its real SDK: the account's domains, or its words for a key that may not ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

DOMAINS = {"acme.io": "verified", "new.io": "pending"}
FULL, SENDING = "re_local", "re_sending"  # may do all; may only send
_RESTRICTED = {
    "statusCode": 401,
    "name": "restricted_api_key",
    "message": "This API key is restricted to only send emails",
}
_INVALID = {"statusCode": 400, "name": "validation_error", "message": "API key is invalid"}


@contextmanager
def resend_answers() -> Iterator[str]:
    """The address that Resend has meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/domains"
            key = self.headers["Authorization"].removeprefix("Bearer ")
            if key == FULL:
                self._send(
                    200,
                    {"object": "list", "data": [{"name": name, "status": DOMAINS[name]} for name in DOMAINS]},
                )
            elif key == SENDING:
                self._send(401, _RESTRICTED)
            else:
                self._send(400, _INVALID)

        def _send(self, status: int, body: dict[str, object]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
