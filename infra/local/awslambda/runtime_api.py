"""The Lambda Runtime API of one execution environment: what its runtime client talks to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from infra.local.awslambda.function import RESPONSE_LIMIT, FunctionError, InvokeResult
from infra.local.awslambda.request_body import read_body

PREFIX = "/2018-06-01/runtime/"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
# awslambdaric puts the whole stack trace in a header of up to 1 MB.
HEADER_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True)
class Invocation:
    """One event on its way to a runtime; `deadline_ms` is Unix time in milliseconds."""

    request_id: str
    event: bytes
    deadline_ms: int
    arn: str
    trace_id: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer to `invocation/next`."""
        return {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Lambda-Runtime-Trace-Id": self.trace_id,
        }


class RuntimeApi:
    """One listening port for one runtime, since a runtime client knows nothing of itself but this address.

    `on_next` is called each time the runtime asks for an event: it has then finished what it was doing, be it its
    init or an invocation. `result` is what it answered to the last event, `init_error` why it could not start.
    """

    def __init__(self, on_next: Callable[[], None]) -> None:
        self.result: InvokeResult | None = None
        self.init_error: FunctionError | None = None
        self.address = ""
        self._on_next = on_next
        self._request_id = ""
        self._next: asyncio.Future[Invocation | None] | None = None
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, host: str) -> None:
        """Listen on a free port of `host`; `address` is then its host:port."""
        self._server = web.Server(
            self._handle, access_log=None, max_field_size=HEADER_LIMIT, max_line_size=HEADER_LIMIT
        )
        self._listener = await asyncio.get_running_loop().create_server(self._server, host, 0)
        self.address = f"{host}:{self._listener.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and drop the runtime's connections."""
        self._answer_next(None)
        if self._listener is not None:
            self._listener.close()
        if self._server is not None:
            await self._server.shutdown(1)

    def submit(self, invocation: Invocation) -> None:
        """Give the waiting runtime its next event."""
        self.result = None
        self._request_id = invocation.request_id
        self._answer_next(invocation)

    def _answer_next(self, invocation: Invocation | None) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(invocation)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await read_body(request, RESPONSE_LIMIT)
        match request.method, request.path.removeprefix(PREFIX).split("/"):
            case "GET", ["invocation", "next"]:
                return await self._wait_for_next()
            case "POST", ["invocation", self._request_id, "response"]:
                return self._accept_response(body)
            case "POST", ["invocation", self._request_id, "error"]:
                return self._accept_error(request, body)
            case "POST", ["init", "error"]:
                self.init_error = FunctionError.parse(
                    body or b"", request.headers.get(ERROR_TYPE, "Runtime.Unknown")
                )
                return _accepted()
            case "POST", ["invocation", _, "response" | "error"]:
                return _refused(400, "InvalidRequestID", "Invalid request ID")
            case _:
                return _refused(404, "NotFound", "No such path")

    async def _wait_for_next(self) -> web.Response:
        self._next = asyncio.get_running_loop().create_future()
        self._on_next()
        invocation = await self._next
        if invocation is None:
            return _refused(410, "Gone", "The environment is shut down")
        # Without a charset: awslambdaric hands the event over unparsed if this says anything more.
        return web.Response(
            body=invocation.event, headers=invocation.headers, content_type="application/json"
        )

    def _accept_response(self, body: bytes | None) -> web.Response:
        if body is None:
            message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
            self._fail(FunctionError("Function.ResponseSizeTooLarge", message))
            return _refused(413, "RequestEntityTooLarge", message)
        self.result = InvokeResult(self._request_id, body)
        return _accepted()

    def _accept_error(self, request: web.BaseRequest, body: bytes | None) -> web.Response:
        self._fail(FunctionError.parse(body or b"", request.headers.get(ERROR_TYPE, "Unhandled")))
        return _accepted()

    def _fail(self, error: FunctionError) -> None:
        self.result = InvokeResult(self._request_id, error=error)


def _accepted() -> web.Response:
    return web.json_response({"status": "OK"}, status=202)


def _refused(status: int, error_type: str, message: str) -> web.Response:
    return web.json_response({"errorType": error_type, "errorMessage": message}, status=status)
