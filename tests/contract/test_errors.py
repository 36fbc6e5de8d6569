import asyncio
import json
import random
from typing import Any

import pytest

from tests.contract.conftest import Build
from tests.contract.world import PATIENCE, World

INVALID_SCHEME = "invalid destination url: endpoint has invalid scheme, add http:// or https://"


@pytest.mark.parametrize("token", ["", "wrong", "eyJ", "\xff"])
async def test_an_unknown_token(world: World, token: str) -> None:
    expected = (401, {"error": "unable to authenticate: invalid token"})
    assert await world.http("GET", "/v2/keys", token=token) == expected
    assert (
        await world.http("POST", f"/v2/publish/{world.destination.url}?qstash_token=wrong", token=token)
        == expected
    )
    assert world.server.pending() == 0


@pytest.mark.parametrize(
    ("destination", "status", "text"),
    [
        ("https%3A%2F%2Fexample.com", 400, INVALID_SCHEME),
        ("ftp://example.com", 400, INVALID_SCHEME),
        ("", 400, INVALID_SCHEME),
        ("my-group", 404, "url group my-group not found"),
        ("http://", 400, "invalid destination url: cannot parse 'http://'"),
        ("http:///path", 400, "invalid destination url: cannot parse 'http:///path'"),
        ("http://a:b/", 400, "invalid destination url: cannot parse 'http://a:b/'"),
        ("http://[::1/", 400, "invalid destination url: cannot parse 'http://[::1/'"),
    ],
)
async def test_bad_destinations(world: World, destination: str, status: int, text: str) -> None:
    assert await world.http("POST", f"/v2/publish/{destination}", "x") == (status, {"error": text})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Upstash-Delay", "60", 'invalid Upstash-Delay header: time: missing unit in duration "60"'),
        ("Upstash-Timeout", "0s", "invalid Upstash-Timeout header: it must be positive"),
        ("Upstash-Timeout", "soon", 'invalid Upstash-Timeout header: time: invalid duration "soon"'),
        ("Upstash-Not-Before", "tomorrow", "invalid Upstash-Not-Before header: 'tomorrow' is not a whole number"),
        ("Upstash-Retries", "-1", "invalid Upstash-Retries header: '-1' is not a whole number"),
        ("Upstash-Retry-Delay", "open(1)", "invalid Upstash-Retry-Delay header: unexpected 'open(1)'"),
        ("Upstash-Retry-Delay", "1 +", "invalid Upstash-Retry-Delay header: cannot parse '1 +'"),
        ("Upstash-Deduplication-Id", "a:b", "DeduplicationId cannot contain ':'"),
        ("Upstash-Content-Based-Deduplication", "yes", "invalid Upstash-Content-Based-Deduplication header: 'yes' is not a boolean"),
        ("Upstash-Method", "BREW", "invalid Upstash-Method header: 'BREW' is not one of GET, POST, PUT, PATCH, DELETE"),
    ],
)  # fmt: skip
async def test_bad_headers(world: World, name: str, value: str, text: str) -> None:
    answer = await world.http("POST", f"/v2/publish/{world.destination.url}", "x", **{name: value})
    assert answer == (400, {"error": text})
    assert world.server.pending() == 0


@pytest.mark.parametrize(
    "value", ["parallelism=0", "rate=-1", "speed=3", "rate", "period=8d", "period=0s", "rate=1.5"]
)
async def test_bad_flow_control(world: World, value: str) -> None:
    status, answer = await world.http(
        "POST",
        f"/v2/publish/{world.destination.url}",
        Upstash_Flow_Control_Key="k",
        Upstash_Flow_Control_Value=value,
    )
    assert status == 400
    assert answer["error"].startswith("invalid Upstash-Flow-Control-Value header: ")


async def test_quotas(build_world: Build) -> None:
    world = await build_world(max_retries=2, max_delay=604_800)
    publish = f"/v2/publish/{world.destination.url}"
    too_late = (412, {"error": "quota maxDelay exceeded, current limit: 604800"})
    assert await world.http("POST", publish, Upstash_Retries="3") == (
        412,
        {"error": "quota maxRetries exceeded"},
    )
    assert await world.http("POST", publish, Upstash_Delay="8d") == too_late
    assert await world.http("POST", publish, Upstash_Not_Before=str(int(world.clock()) + 700_000)) == too_late
    assert (await world.http("POST", publish, Upstash_Delay="7d"))[0] == 200
    _, answer = await world.http("POST", publish, Upstash_Delay="1h")
    assert (await world.http("GET", f"/v2/messages/{answer['messageId']}"))[1]["maxRetries"] == 2


async def test_no_quotas(build_world: Build) -> None:
    world = await build_world(max_retries=None, max_delay=None)
    status, _ = await world.http(
        "POST", f"/v2/publish/{world.destination.url}", Upstash_Retries="999", Upstash_Delay="400d"
    )
    assert status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "//v2/keys", 404),
        ("GET", "/index.html", 404),
        ("POST", "/", 405),
        ("GET", "/v2/keys/", 404),
        ("GET", "/v3/keys", 404),
        ("POST", "/v2/keys", 405),
        ("GET", "/v2/publish/http://a.b", 405),
        ("GET", "/v2/dlq/1-1", 404),
        ("DELETE", "/v2/dlq/1-1", 404),
        ("POST", "/v2/dlq/retry/1-1", 404),
        ("DELETE", "/v2/messages/msg_x", 404),
        ("POST", "/v2/schedules", 405),
        ("PUT", "/v2/schedules/http://a.b", 405),
        ("GET", "/v2/schedules/", 405),
        ("GET", "/v2/queues/q", 404),
        ("POST", "/v2/queues/q/pause", 404),
        ("GET", "/v2/topics/t", 404),
        ("DELETE", "/v2/topics/t/endpoints", 404),
        ("PUT", "/v2/topics/t", 405),
        ("POST", "/v2/enqueue/q", 400),
        ("POST", "/v2/enqueue/a%20b/http://a.b", 400),
        ("GET", "/v2/enqueue/q/http://a.b", 405),
        ("POST", "/v2/publish/api/llm", 400),
        ("GET", "/v2/bulkActions/act_x", 404),
        ("POST", "/v2/flowControl/k/resume", 404),
        ("POST", "/v2/flowControl/k/pin", 400),
        ("GET", "/control/nothing", 404),
        ("GET", "/control/clock/x", 404),
        ("OPTIONS", "/v2/keys", 405),
    ],
)
async def test_paths(world: World, method: str, path: str, status: int) -> None:
    got, answer = await world.http(method, path)
    assert got == status
    assert isinstance(answer["error"], str)


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "{}", "null", "1", '"x"', "[1]", "[null]", "[{}]", '[{"destination": 1}]', "[" * 100_000,
        '[{"destination": "http://a.b", "headers": []}]', '[{"destination": "http://a.b", "headers": {"a": 1}}]',
        '[{"destination": "http://a.b", "headers": {"a b": "1"}}]', '[{"destination": "http://a.b", "body": {}}]',
        '[{"destination": "http://a.b", "headers": {"Upstash-Forward-A": "1\\r\\nB: 2"}}]', b"\xff\xfe\x00",
    ],
)  # fmt: skip
async def test_bad_batches(world: World, body: str | bytes) -> None:
    status, answer = await world.http("POST", "/v2/batch", body)
    assert status == 400
    assert isinstance(answer["error"], str)
    assert world.server.pending() == 0


@pytest.mark.parametrize("path", ["/v2/messages", "/v2/dlq"])
@pytest.mark.parametrize(
    "body", ["{", "[]", "1", '{"messageIds": "x"}', '{"dlqIds": [1]}', '{"messageIds": null}', "\xff"]
)
async def test_bad_lists_of_ids_touch_nothing(world: World, path: str, body: str) -> None:
    await world.publish(delay=60)
    assert (await world.http("DELETE", path, body))[0] == 400
    assert world.server.pending() == 1


async def test_noise_is_never_an_error_of_ours(world: World) -> None:
    noise = random.Random(7)
    names = ["Delay", "Timeout", "Retries", "Retry-Delay", "Not-Before", "Method", "Label", "Callback", "Forward-X",
             "Flow-Control-Value", "Callback-Retries", "Deduplication-Id", "Failure-Callback-Retry-Delay", "Cron", "Schedule-Id"]  # fmt: skip
    signs = "0123456789smhd .,:;=+-*/()[]{}%&?#@!abcE\xe9\xff\t\"'\\" + "http://"
    for _ in range(300):
        headers: dict[str, str] = {"Upstash-Flow-Control-Key": "k", "Upstash-Callback": "http://127.0.0.1:1/"}
        for name in noise.sample(names, 2):
            headers[f"Upstash-{name}"] = "".join(noise.choices(signs, k=noise.randint(0, 12)))
        path = noise.choice(
            [
                "/v2/publish/http://127.0.0.1:1/",
                "/v2/publish/",
                "/v2/dlq?",
                "/v2/events?count=",
                "/v2/",
                "/v2/schedules/http://127.0.0.1:1/",
                "/v2/schedules/",
            ]
        )
        tail = "".join(noise.choices("/?&=%2Fa..;#[]:@", k=noise.randint(0, 8)))
        status, _answer = await world.http(
            noise.choice(["POST", "GET", "DELETE"]), path + tail, "x", **headers
        )
        assert status < 500, path + tail


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /v2/publish/http://a.b/\xc3\xa4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nContent-Length: 0\r\n\r\n",
        b"POST /v2/publish/http://a.b/\xff HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nContent-Length: 0\r\n\r\n",
        b"POST http://a.b/v2/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nContent-Length: 0\r\n\r\n",
        b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nContent-Length: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_broken_requests(world: World, request_bytes: bytes) -> None:
    host, _, port = world.server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_bytes.replace(b"Bearer T", f"Bearer {world.server.token}".encode()))
    async with asyncio.timeout(PATIENCE):
        status_line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert 400 <= int(status_line.split()[1]) < 500
    assert world.server.pending() == 0


async def test_long_lines_and_headers(world: World) -> None:
    """The TypeScript SDK names the messages to cancel in the query, and tokens in headers may be long."""
    ids = "&".join(f"messageIds=msg_{number:032}" for number in range(500))
    assert await world.http("DELETE", f"/v2/messages?{ids}") == (202, {"cancelled": 0})
    status, _ = await world.http(
        "POST", f"/v2/publish/{world.destination.url}", Upstash_Forward_Long="x" * 2**16
    )
    await world.idle()
    assert (status, world.destination.deliveries[0].headers["Long"]) == (200, "x" * 2**16)


async def test_a_client_that_goes_away_is_no_error(world: World, caplog: pytest.LogCaptureFixture) -> None:
    host, _, port = world.server.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v2/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await world.http("GET", "/v2/keys")
    assert caplog.records == []


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", "http://8.8.8.8"]
)
async def test_no_website_may_ask(world: World, origin: str) -> None:
    """The token is public, and a browser sends what its page likes to addresses of this machine."""
    for path in (f"/v2/publish/{world.destination.url}?qstash_token={world.server.token}", "/control/reset"):
        status, answer = await world.http("POST", path, "x", Origin=origin)
        assert (status, answer["error"]) == (403, "a page of another origin may not do this")
    assert not world.destination.deliveries


async def test_pages_of_this_machine_may_ask(build_world: Build) -> None:
    world = await build_world(allowed_hosts=["dev.example"])
    for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "https://dev.example"):
        status, _ = await world.http("POST", f"/v2/publish/{world.destination.url}", "x", Origin=origin)
        assert status == 200


async def test_every_error_is_json(build_world: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that the web framework finds first."""
    monkeypatch.setattr("infra.local.qstash.api.app.LARGEST_BODY", 1000)
    world = await build_world()
    too_large = await world.http("POST", f"/v2/publish/{world.destination.url}", "x" * 1001)
    assert too_large[0] == 413
    answers: list[Any] = [
        too_large[1],
        (await world.http("POST", "/v2/batch", "{"))[1],
        (await world.http("PATCH", "/v2/keys"))[1],
        (await world.http("GET", "/v2/keys", token="x"))[1],
    ]
    assert all(set(answer) == {"error"} for answer in answers), json.dumps(answers)
