"""The one port behind which all function URLs are: the first segment of the path names the function."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from multidict import CIMultiDict

from infra.local.awslambda.event import Event, new_request_id, new_trace_id
from infra.local.awslambda.function import (
    REQUEST_LIMIT,
    FunctionNotFound,
    InvokeResult,
    RequestTooLarge,
    ServerStopped,
    TooManyRequests,
)
from infra.local.awslambda.function_url import MalformedResponse, UrlRequest, UrlResponse, unwrap
from infra.local.awslambda.request_body import read_body
from infra.local.qstash.listener import Listener, listen

HEADER_LIMIT = 10_240

INTERNAL_ERROR = UrlResponse(502, b"Internal Server Error")
TOO_LARGE = UrlResponse(
    413, json.dumps({"message": f"Request must be smaller than {REQUEST_LIMIT} bytes"}).encode()
)
THROTTLED = UrlResponse(
    429,
    b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
    (("content-type", "application/json"), ("x-amzn-errortype", "TooManyRequestsException")),
)
# A host name that belongs to no function is answered like this.
NO_FUNCTION = UrlResponse(
    403,
    b'{"Message":null}',
    (("content-type", "application/json"), ("x-amzn-errortype", "AccessDeniedException")),
)
UNAVAILABLE = UrlResponse(503, b'{"message":"Service Unavailable"}')

Invoke = Callable[[str, Event], Awaitable[InvokeResult]]


class Gateway:
    """Listens for requests to function URLs and hands each to `invoke`; `log` hears of answers that are no HTTP."""

    def __init__(self, invoke: Invoke, log: Callable[[str, str], None], host: str, port: int) -> None:
        self._invoke = invoke
        self._log = log
        self._host = host
        self._port = port
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port listened on; RuntimeError before the start."""
        if self._listener is None:
            raise RuntimeError("the server has not been started")
        return self._listener.port

    async def start(self) -> None:
        """Listen. OSError if the port is taken."""
        server = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            max_field_size=HEADER_LIMIT,
            max_line_size=HEADER_LIMIT,
        )
        self._listener = await listen(web.ServerRunner(server, shutdown_timeout=2), self._host, self._port)

    async def stop_listening(self) -> None:
        """Take no new connections; those that wait for an answer still get one."""
        if self._listener is not None:
            await self._listener.stop_accepting()

    async def stop(self) -> None:
        """Close all connections."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        request_id = new_request_id()
        response = await self._answer(request, request_id)
        headers = CIMultiDict(response.headers)
        headers["x-amzn-requestid"] = request_id
        return web.Response(status=response.status, body=response.body, headers=headers)

    async def _answer(self, request: web.BaseRequest, request_id: str) -> UrlResponse:
        body = await read_body(request, REQUEST_LIMIT)
        if body is None:
            return TOO_LARGE
        url_request = _url_request(request, request_id, body)
        try:
            event = Event.of(url_request.event(), request_id, url_request.trace_id)
            result = await self._invoke(url_request.function, event)
        except RequestTooLarge:
            return TOO_LARGE
        except FunctionNotFound:
            return NO_FUNCTION
        except TooManyRequests:
            return THROTTLED
        except ServerStopped:
            return UNAVAILABLE
        return INTERNAL_ERROR if result.error else self._unwrap(url_request.function, result)

    def _unwrap(self, name: str, result: InvokeResult) -> UrlResponse:
        try:
            return unwrap(result.body)
        except MalformedResponse as error:
            self._log(
                name, f"RequestId: {result.request_id} the function URL cannot use this response: {error}"
            )
            return INTERNAL_ERROR


def _url_request(request: web.BaseRequest, request_id: str, body: bytes) -> UrlRequest:
    target, _, query = request.raw_path.partition("?")
    name, _, path = target.lstrip("/").partition("/")
    return UrlRequest(
        function=name,
        request_id=request_id,
        trace_id=new_trace_id(),
        method=request.method,
        path=f"/{path}",
        query=query,
        headers=tuple(request.headers.items()),
        body=body,
        host=request.host,
        source_ip=request.remote or "",
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
    )
