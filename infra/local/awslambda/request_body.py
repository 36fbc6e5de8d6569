"""Reading a request's body with a limit on its size."""

from aiohttp import web


async def read_body(request: web.BaseRequest, limit: int) -> bytes | None:
    """The whole body, or None if it has more than `limit` bytes.

    An oversized body is read to its end and dropped: a client that is cut off while it sends never sees the answer.
    """
    _allow_body(request)
    body = bytearray()
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size <= limit:
            body += chunk
    return bytes(body) if size <= limit else None


def _allow_body(request: web.BaseRequest) -> None:
    # libcurl asks before it sends a large body, and waits a second if nobody answers.
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
