"""Function URLs: what a function gets of a request, and what a caller gets of its answer."""

import base64
import io
import json
import re
from typing import Any

import aiohttp
import pytest

from infra.local.awslambda import Function
from tests.integration.local.conftest import StartServer

ECHO = Function("echo", "echo.handler")
RESPOND = Function("respond", "respond.handler")


async def test_event_has_payload_format_2(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(ECHO)
    headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Cookie", "a=b; c=d"), ("User-Agent", "tester")]
    answer = await client.post(server.url("echo") + "/some/path?x=1&x=2&y=", json={"n": 1}, headers=headers)
    event = await answer.json()
    assert answer.status == 200
    assert answer.content_type == "application/json"
    assert {key: event[key] for key in ("version", "routeKey", "rawPath", "rawQueryString")} == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/some/path",
        "rawQueryString": "x=1&x=2&y=",
    }
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert event["cookies"] == ["a=b", "c=d"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-twice"] == "1,2"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert event["body"] == '{"n": 1}'
    assert event["isBase64Encoded"] is False


async def test_request_context(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(ECHO)
    answer = await client.get(server.url("echo") + "/a%20b", headers={"User-Agent": "tester"})
    event = await answer.json()
    context = event["requestContext"]
    assert event["rawPath"] == "/a%20b"
    assert context["http"] == {
        "method": "GET",
        "path": "/a b",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tester",
    }
    assert context["domainName"] == f"127.0.0.1:{server.url('echo').split(':')[2].split('/')[0]}"
    assert context["domainPrefix"] == context["apiId"] == "echo"
    assert context["accountId"] == "anonymous"
    assert context["stage"] == context["routeKey"] == "$default"
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["time"])
    assert isinstance(context["timeEpoch"], int)
    assert "body" not in event


@pytest.mark.parametrize("suffix", ["", "/"])
async def test_nothing_after_the_name_is_the_root(
    suffix: str, start_server: StartServer, client: aiohttp.ClientSession
) -> None:
    server = await start_server(ECHO)
    event = await (await client.get(server.url("echo") + suffix)).json()
    assert event["rawPath"] == "/"


@pytest.mark.parametrize(
    ("content_type", "body", "is_text"),
    [
        ("text/plain; charset=utf-8", "grüße".encode(), True),
        ("application/json", b"{}", True),
        ("application/cloudevents+json", b"{}", True),
        ("application/xml", b"<a/>", True),
        ("text/plain", b"\xff\xfe", False),
        ("application/octet-stream", b"plain", False),
        ("application/x-www-form-urlencoded", b"a=b", False),
    ],
)
async def test_only_text_travels_as_text(
    content_type: str, body: bytes, is_text: bool, start_server: StartServer, client: aiohttp.ClientSession
) -> None:
    server = await start_server(ECHO)
    answer = await client.post(server.url("echo"), data=body, headers={"Content-Type": content_type})
    event = await answer.json()
    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == (body.decode() if is_text else base64.b64encode(body).decode())


async def test_compressed_body_is_left_alone(
    start_server: StartServer, client: aiohttp.ClientSession
) -> None:
    server = await start_server(ECHO)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/gzip"}
    answer = await client.post(server.url("echo"), data=b"\x1f\x8bnot really", headers=headers)
    assert base64.b64decode((await answer.json())["body"]) == b"\x1f\x8bnot really"


async def ask_for(server: Any, client: aiohttp.ClientSession, response: object) -> aiohttp.ClientResponse:
    body, headers = json.dumps(response), {"Content-Type": "application/json"}
    return await client.post(server.url("respond"), data=body, headers=headers)


async def test_answer_is_unwrapped(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(RESPOND)
    answer = await ask_for(
        server,
        client,
        {
            "statusCode": 489,
            "headers": {
                "Content-Type": "text/plain",
                "Retry-After": 5,
                "X-Flag": True,
                "Content-Length": "999",
            },
            "cookies": ["a=b; Path=/", "c=d"],
            "body": "grüße",
        },
    )
    assert (answer.status, await answer.text()) == (489, "grüße")
    assert answer.content_type == "text/plain"
    assert answer.headers["Retry-After"] == "5"
    assert answer.headers["X-Flag"] == "true"
    assert answer.headers.getall("Set-Cookie") == ["a=b; Path=/", "c=d"]


async def test_binary_answer(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(RESPOND)
    body = base64.b64encode(b"\x00\xff").decode()
    answer = await ask_for(server, client, {"statusCode": 200, "body": body, "isBase64Encoded": True})
    assert await answer.read() == b"\x00\xff"
    assert answer.content_type == "application/json"


@pytest.mark.parametrize("value", [{"a": [1]}, "text", None, 5])
async def test_anything_without_a_status_is_a_json_body(
    value: object, start_server: StartServer, client: aiohttp.ClientSession
) -> None:
    server = await start_server(RESPOND)
    answer = await ask_for(server, client, value)
    assert (answer.status, await answer.json()) == (200, value)


@pytest.mark.parametrize(
    "response",
    [
        {"statusCode": "no"},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "cookies": "a=b"},
        {"statusCode": 200, "body": "!", "isBase64Encoded": True},
    ],
)
async def test_malformed_answer_is_502(
    response: object, start_server: StartServer, client: aiohttp.ClientSession, log: list[str]
) -> None:
    server = await start_server(RESPOND)
    answer = await ask_for(server, client, response)
    assert (answer.status, await answer.text()) == (502, "Internal Server Error")
    assert "cannot use this response" in log[-1]


async def test_unknown_function_is_403(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(ECHO)
    answer = await client.get(server.url("echo") + "-not")
    assert (answer.status, await answer.json()) == (403, {"Message": None})


def large(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


async def test_request_limit(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(ECHO, RESPOND)
    headers = {"Content-Type": "text/plain"}
    within = await client.post(
        server.url("respond"), data=large(json.dumps("x" * 5_000_000)), headers=headers
    )
    above = await client.post(server.url("respond"), data=large("x" * 7_000_000), headers=headers)
    base64_above = await client.post(server.url("respond"), data=large("x" * 5_000_000))
    assert len(await within.read()) == 5_000_002
    assert (within.status, above.status, base64_above.status) == (200, 413, 413)


async def test_port_in_use(start_server: StartServer) -> None:
    server = await start_server(ECHO)
    port = int(server.url("echo").split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"):
        await start_server(ECHO, port=port)
