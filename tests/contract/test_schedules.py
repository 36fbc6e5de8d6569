import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from qstash.errors import QStashError
from qstash.schedule import Schedule, ScheduleState

from infra.local.qstash.accounts import IDENTITIES
from tests.contract.conftest import Build
from tests.contract.world import PATIENCE, Answer, World, verify

MINUTE = 60


@pytest.fixture
async def world(world: World) -> World:
    """The usual one, early in a minute, so that none begins by itself; not ahead, for the SDK trusts no such signature."""
    world.advance(-((world.clock() - 20) % MINUTE))
    return world


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def set_clock(world: World, moment: float) -> None:
    world.advance(moment - world.clock())


async def create(world: World, **options: Any) -> str:
    """A schedule made by the SDK, for the destination and each minute unless told otherwise; its id."""
    given = {"destination": world.destination.url, "cron": "* * * * *"} | options
    return await world.ask(lambda sdk: sdk.schedule.create(**given))


async def get(world: World, schedule_id: str) -> Schedule:
    return await world.ask(lambda sdk: sdk.schedule.get(schedule_id))


async def post(world: World, **headers: str) -> tuple[int, Any]:
    given = {"Upstash_Cron": "* * * * *"} | headers
    return await world.http("POST", f"/v2/schedules/{world.destination.url}", **given)


async def pass_minutes(world: World, count: int = 1) -> None:
    world.advance(count * MINUTE)
    await world.idle()


async def test_a_schedule_tells_how_it_was_created(world: World) -> None:
    schedule_id = await create(
        world,
        cron="CRON_TZ=Europe/Paris 0 4 * * 1-5",
        body="text",
        content_type="text/plain",
        headers={"bypass-tunnel-reminder": "1"},
        method="PATCH",
        retries=2,
        retry_delay="1000 * retried",
        delay="1m",
        timeout="2m",
        callback="https://example.com/c",
        failure_callback="https://example.com/f",
        callback_headers={"Forward-X-Foo": "1"},
        failure_callback_headers={"Forward-X-Bar": "2"},
        flow_control={"key": "k", "parallelism": 3, "rate": 5, "period": "1m"},
        label="a,b",
        redact={"body": True},
    )
    assert re.fullmatch(r"scd_\w+", schedule_id)
    schedule = await get(world, schedule_id)
    assert schedule.schedule_id == schedule_id
    assert (schedule.destination, schedule.cron) == (
        world.destination.url,
        "CRON_TZ=Europe/Paris 0 4 * * 1-5",
    )
    assert schedule.created_at == pytest.approx(world.clock() * 1000, abs=10_000)
    assert schedule.headers == {"Content-Type": ["text/plain"], "Bypass-Tunnel-Reminder": ["1"]}
    shown = f"REDACTED:{hashlib.sha256(b'text').hexdigest()}"
    assert (schedule.body, schedule.body_base64, schedule.method) == (shown, None, "PATCH")
    assert (schedule.retries, schedule.retry_delay_expression) == (2, "1000 * retried")
    assert (schedule.delay, schedule.timeout, schedule.label) == (60, 120, "a")
    assert (schedule.callback, schedule.failure_callback) == (
        "https://example.com/c",
        "https://example.com/f",
    )
    assert schedule.callback_headers is not None
    assert schedule.callback_headers["X-Foo"] == ["1"]
    assert schedule.failure_callback_headers is not None
    assert schedule.failure_callback_headers["X-Bar"] == ["2"]
    flow = schedule.flow_control
    assert flow is not None
    assert (flow.key, flow.parallelism, flow.rate, flow.period) == ("k", 3, 5, 60)
    assert (schedule.caller_ip, schedule.paused, schedule.queue) == ("127.0.0.1", False, None)
    assert (schedule.last_schedule_time, schedule.last_schedule_states, schedule.error) == (None, None, None)
    assert schedule.next_schedule_time is not None
    assert schedule.next_schedule_time > schedule.created_at
    _, answer = await world.http("GET", f"/v2/schedules/{schedule_id}")
    assert answer["labels"] == ["a", "b"]


async def test_a_bare_schedule_has_no_empty_fields(world: World) -> None:
    schedule_id = await create(world)
    _, answer = await world.http("GET", f"/v2/schedules/{schedule_id}")
    assert set(answer) == {
        "scheduleId", "cron", "destination", "createdAt", "method", "retries", "callerIP", "isPaused",
        "nextScheduleTime",
    }  # fmt: skip
    assert (answer["method"], answer["retries"], answer["isPaused"]) == ("POST", 3, False)
    assert answer["nextScheduleTime"] % 60_000 == 0
    assert 0 < answer["nextScheduleTime"] - answer["createdAt"] <= 60_000


async def test_json_and_bytes(world: World) -> None:
    schedule_id = await world.ask(
        lambda sdk: sdk.schedule.create_json(
            destination=world.destination.url, cron="* * * * *", body={"a": 1}
        )
    )
    schedule = await get(world, schedule_id)
    assert (schedule.body, schedule.headers) == ('{"a": 1}', {"Content-Type": ["application/json"]})
    schedule = await get(world, await create(world, body=b"\xff\xfe"))
    assert (schedule.body, schedule.body_base64) == (None, "//4=")
    await pass_minutes(world)
    assert {delivery.body for delivery in world.destination.deliveries} == {b'{"a": 1}', b"\xff\xfe"}


async def test_list_and_delete(world: World) -> None:
    assert await world.ask(lambda sdk: sdk.schedule.list()) == []
    ids = [await create(world, schedule_id=name) for name in ("b", "a", "My_1.x-y")]
    assert ids == ["b", "a", "My_1.x-y"]
    assert [s.schedule_id for s in await world.ask(lambda sdk: sdk.schedule.list())] == ids
    await world.ask(lambda sdk: sdk.schedule.delete("a"))
    assert [s.schedule_id for s in await world.ask(lambda sdk: sdk.schedule.list())] == ["b", "My_1.x-y"]
    await pass_minutes(world)
    fired = {delivery.headers["Upstash-Schedule-Id"] for delivery in world.destination.deliveries}
    assert fired == {"b", "My_1.x-y"}


async def test_an_existing_id_is_replaced_whole(world: World) -> None:
    old = f"{world.destination.url}/old"
    await create(world, schedule_id="s", body="text", headers={"a": "1"}, retries=1, destination=old)
    await world.server.trigger("s")
    await world.idle()
    await world.ask(lambda sdk: sdk.schedule.pause("s"))
    assert await create(world, schedule_id="s", cron="*/2 * * * *") == "s"
    [schedule] = await world.ask(lambda sdk: sdk.schedule.list())
    assert (schedule.body, schedule.headers, schedule.retries) == (None, None, 3)
    assert (schedule.destination, schedule.cron) == (world.destination.url, "*/2 * * * *")
    assert (schedule.paused, schedule.last_schedule_states) == (False, None)
    await pass_minutes(world, 2)
    assert [(delivery.path, delivery.body) for delivery in world.destination.deliveries] == [
        ("/old", b"text"),
        ("/", b""),
    ]


async def test_it_fires_ordinary_messages(world: World) -> None:
    url = f"{world.destination.url}/pause?x=1&y=a//b"
    schedule_id = await create(world, destination=url, body="x", headers={"a": "1"}, label="l")
    assert (await get(world, schedule_id)).destination == url
    for count in (1, 2):
        await pass_minutes(world)
        assert len(world.destination.deliveries) == count
    first, second = world.destination.deliveries
    assert (first.method, first.path, first.body) == ("POST", "/pause?x=1&y=a//b", b"x")
    assert (first.headers["A"], first.headers["Upstash-Schedule-Id"]) == ("1", schedule_id)
    ids = [delivery.headers["Upstash-Message-Id"] for delivery in (first, second)]
    assert ids[0] != ids[1]
    message = (await world.http("GET", f"/v2/messages/{ids[1]}"))[1]
    assert message["scheduleId"] == schedule_id
    _, log = await world.http("GET", f"/v2/events?scheduleId={schedule_id}&state=DELIVERED")
    assert [event["messageId"] for event in log["events"]] == ids[::-1]
    assert {event["scheduleId"] for event in log["events"]} == {schedule_id}
    await world.publish()
    await world.idle()
    assert "Upstash-Schedule-Id" not in world.destination.deliveries[2].headers


async def test_a_delay_starts_when_it_fires(world: World) -> None:
    await create(world, delay=90, cron="0 * * * *")
    [schedule] = await world.ask(lambda sdk: sdk.schedule.list())
    assert schedule.next_schedule_time is not None
    set_clock(world, schedule.next_schedule_time / 1000)
    async with asyncio.timeout(PATIENCE):
        while (await get(world, schedule.schedule_id)).last_schedule_time is None:
            pass
    assert world.server.pending() == 1
    assert not world.destination.deliveries
    world.advance(90)
    await world.idle()
    assert len(world.destination.deliveries) == 1


@pytest.mark.parametrize(
    ("cron", "start", "expected"),
    [
        (  # the clocks go forward: 02:30 is not there
            "30 2 * * *",
            "2030-03-30T12:00+01:00",
            ["2030-03-31T03:00+02:00", "2030-04-01T02:30+02:00"],
        ),
        ("0 4 * * *", "2030-03-30T03:59+01:00", ["2030-03-30T04:00+01:00", "2030-03-31T04:00+02:00"]),
        ("30 * * * *", "2030-03-31T01:00+01:00", ["2030-03-31T01:30+01:00", "2030-03-31T03:30+02:00"]),
        ("*/20 2 * * *", "2030-03-31T00:00+01:00", ["2030-03-31T03:00+02:00", "2030-04-01T02:00+02:00"]),
        (  # the clocks go back: 02:30 is there twice
            "30 2 * * *",
            "2030-10-26T12:00+02:00",
            ["2030-10-27T02:30+02:00", "2030-10-28T02:30+01:00"],
        ),
        ("0 4 * * *", "2030-10-26T03:59+02:00", ["2030-10-26T04:00+02:00", "2030-10-27T04:00+01:00"]),
        (
            "30 * * * *",
            "2030-10-27T01:45+02:00",
            ["2030-10-27T02:30+02:00", "2030-10-27T02:30+01:00", "2030-10-27T03:30+01:00"],
        ),
        ("*/30 2,3 * * *", "2030-10-27T02:15+02:00", ["2030-10-27T02:30+02:00", "2030-10-27T03:00+01:00"]),
    ],
)
async def test_summer_time(world: World, cron: str, start: str, expected: Sequence[str]) -> None:
    set_clock(world, seconds(start))
    schedule_id = await create(world, cron=f"CRON_TZ=Europe/Paris {cron}")
    for count, moment in enumerate(expected, 1):
        schedule = await get(world, schedule_id)
        assert schedule.next_schedule_time == seconds(moment) * 1000
        set_clock(world, seconds(moment) - 5)
        await world.idle()
        assert len(world.destination.deliveries) == count - 1
        set_clock(world, seconds(moment))
        await world.idle()
        assert len(world.destination.deliveries) == count
        last = (await get(world, schedule_id)).last_schedule_time
        assert last == pytest.approx(seconds(moment) * 1000, abs=10_000)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 4 * * *", "2030-01-01T04:00+00:00"),
        ("CRON_TZ=America/New_York 0 4 * * *", "2030-01-01T04:00-05:00"),
        ("CRON_TZ=Asia/Kathmandu  0 9 * * *", "2030-01-02T09:00+05:45"),
        ("5-20/5,40 * * * *", "2030-01-01T03:40+00:00"),
        ("0 0 29 FEB *", "2032-02-29T00:00+00:00"),
        ("0 0 13 * fri", "2030-01-04T00:00+00:00"),
        ("0 0 * * 7", "2030-01-06T00:00+00:00"),
        ("5-5 4-04 * * *", "2030-01-01T04:05+00:00"),
        ("0 0 * * mon-1,Mon-MON/2", "2030-01-07T00:00+00:00"),
        ("0 0 1-1 feb-2 *", "2030-02-01T00:00+00:00"),
    ],
)
async def test_next_times(world: World, cron: str, expected: str) -> None:
    set_clock(world, seconds("2030-01-01T03:30+00:00"))
    schedule = await get(world, await create(world, cron=cron))
    assert schedule.next_schedule_time == seconds(expected) * 1000


async def test_space_around_the_cron_is_dropped(world: World) -> None:
    _, answer = await post(world, Upstash_Cron="  */10 * * * * ")
    assert (await get(world, answer["scheduleId"])).cron == "*/10 * * * *"


async def test_a_jump_of_the_clock_fires_once(world: World) -> None:
    schedule_id = await create(world)
    await pass_minutes(world, 10)
    assert len(world.destination.deliveries) == 1
    schedule = await get(world, schedule_id)
    assert schedule.next_schedule_time is not None
    assert 0 < schedule.next_schedule_time - world.clock() * 1000 <= 60_000
    await pass_minutes(world)
    assert len(world.destination.deliveries) == 2


async def test_a_clock_set_back_repeats_nothing(world: World) -> None:
    schedule_id = await create(world)
    await pass_minutes(world)
    before = (await get(world, schedule_id)).next_schedule_time
    world.advance(-5 * MINUTE)
    await pass_minutes(world, 4)
    assert len(world.destination.deliveries) == 1
    assert (await get(world, schedule_id)).next_schedule_time == before
    await pass_minutes(world, 2)
    assert len(world.destination.deliveries) == 2


async def test_a_stop_is_made_up_for_once(world: World) -> None:
    await create(world)
    await world.server.stop()
    with pytest.raises(RuntimeError):
        await world.server.trigger("s")
    world.advance(5 * MINUTE)
    with pytest.raises(TimeoutError, match=r"schedule scd_\w+ is due"):
        await world.server.wait_idle(0.01)
    await world.server.start()
    await world.idle()
    assert len(world.destination.deliveries) == 1
    await pass_minutes(world)
    assert len(world.destination.deliveries) == 2


async def test_states(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    schedule_id = await create(world, retries=0)

    async def states() -> dict[str, ScheduleState] | None:
        return (await get(world, schedule_id)).last_schedule_states

    assert await states() is None
    first = await world.server.trigger(schedule_id)
    assert await states() == {first: ScheduleState.IN_PROGRESS}
    gate.set()
    await world.idle()
    assert await states() == {first: ScheduleState.SUCCESS}
    world.destination.otherwise = Answer(500)
    second = await world.server.trigger(schedule_id)
    await world.idle()
    assert await states() == {second: ScheduleState.FAIL}
    assert (await get(world, schedule_id)).last_schedule_time == pytest.approx(
        world.clock() * 1000, abs=10_000
    )


async def test_a_cancelled_run_has_failed(world: World) -> None:
    schedule_id = await create(world, delay=60)
    message_id = await world.server.trigger(schedule_id)
    await world.ask(lambda sdk: sdk.message.cancel(message_id))
    assert (await get(world, schedule_id)).last_schedule_states == {message_id: ScheduleState.FAIL}


async def test_callbacks_tell_the_schedule(world: World) -> None:
    work, callback, failure = (f"{world.destination.url}/{name}" for name in ("work", "callback", "failure"))
    world.destination.answers.extend([Answer(500), Answer(200)])
    schedule_id = await create(
        world, destination=work, body="x", retries=0, callback=callback, failure_callback=failure
    )
    message_id = await world.server.trigger(schedule_id)
    await world.idle()
    reports = [*world.destination.to("/callback"), *world.destination.to("/failure")]
    assert [delivery.path for delivery in reports] == ["/callback", "/failure"]
    for delivery in reports:
        body = json.loads(delivery.body)
        assert (body["scheduleId"], body["sourceMessageId"]) == (schedule_id, message_id)
        assert base64.b64decode(body["sourceBody"]) == b"x"
        assert "Upstash-Schedule-Id" not in delivery.headers
    _, page = await world.http("GET", f"/v2/dlq?scheduleId={schedule_id}")
    [letter] = page["messages"]
    assert letter["scheduleId"] == schedule_id
    assert (await world.http("GET", "/v2/dlq?scheduleId=other"))[1] == {"messages": []}
    await world.http("POST", f"/v2/dlq/retry/{letter['dlqId']}")
    await world.idle()
    _, again = world.destination.to("/work")
    assert again.headers["Upstash-Schedule-Id"] == schedule_id
    await world.publish(url=work, callback=callback)
    await world.idle()
    assert "scheduleId" not in json.loads(world.destination.to("/callback")[-1].body)


@pytest.mark.parametrize("method", ["PATCH", "POST"])
async def test_pause_and_resume(world: World, method: str) -> None:
    async def ask(verb: str) -> None:
        if method == "PATCH":
            await world.ask(lambda sdk: getattr(sdk.schedule, verb)("s"))
        else:
            assert await world.http("POST", f"/v2/schedules/s/{verb}") == (200, None)

    await create(world, schedule_id="s")
    for _ in range(2):
        await ask("pause")
    schedule = await get(world, "s")
    assert (schedule.paused, schedule.next_schedule_time) == (True, None)
    await pass_minutes(world, 3)
    assert not world.destination.deliveries
    for _ in range(2):
        await ask("resume")
    schedule = await get(world, "s")
    assert (schedule.paused, schedule.next_schedule_time is None) == (False, False)
    await world.idle()
    assert not world.destination.deliveries
    await pass_minutes(world)
    assert len(world.destination.deliveries) == 1


async def test_a_pause_within_one_minute_fires_once(world: World) -> None:
    await create(world, schedule_id="s")
    for verb in ("pause", "resume", "pause", "resume"):
        await world.http("PATCH", f"/v2/schedules/s/{verb}")
    await pass_minutes(world)
    assert len(world.destination.deliveries) == 1


async def test_deleting_stops_no_message(world: World) -> None:
    await create(world, schedule_id="s", delay=30)
    await world.server.trigger("s")
    await world.ask(lambda sdk: sdk.schedule.delete("s"))
    await pass_minutes(world)
    assert [delivery.headers["Upstash-Schedule-Id"] for delivery in world.destination.deliveries] == ["s"]


async def test_flow_control(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    schedule_id = await create(world, flow_control={"key": "k", "parallelism": 1})
    for _ in range(3):
        await world.server.trigger(schedule_id)
    await world.destination.received(1)
    assert (await world.http("GET", "/v2/flowControl/k"))[1]["waitListSize"] == 2
    gate.set()
    await world.idle()
    assert world.destination.most_open == 1


async def test_deduplication_is_evaluated_at_creation(world: World) -> None:
    await world.publish(deduplication_id="d")
    status, answer = await post(world, Upstash_Deduplication_Id="d")
    assert (status, set(answer)) == (200, {"scheduleId"})
    schedule_id = answer["scheduleId"]
    again = await post(world, Upstash_Deduplication_Id="d", Upstash_Cron="0 0 * * *")
    assert again == (202, {"scheduleId": schedule_id, "deduplicated": True})
    [schedule] = await world.ask(lambda sdk: sdk.schedule.list())
    assert schedule.cron == "* * * * *"
    for _ in range(2):
        await pass_minutes(world)
    assert len(world.destination.deliveries) == 3
    await world.ask(lambda sdk: sdk.schedule.delete(schedule_id))
    assert (await post(world, Upstash_Deduplication_Id="d"))[0] == 200
    world.advance(9 * MINUTE)
    assert (await post(world, Upstash_Deduplication_Id="d"))[0] == 202
    world.advance(2 * MINUTE)
    assert (await post(world, Upstash_Deduplication_Id="d"))[0] == 200


@pytest.mark.parametrize(
    ("cron", "text"),
    [
        ("* * * *", "expected 5 fields, found 4: '* * * *'"),
        ("* * * * * *", "expected 5 fields, found 6: '* * * * * *'"),
        ("@daily", "expected 5 fields, found 1: '@daily'"),
        ("60 * * * *", "[60 * * * *] is not acceptable, out of range"),
        ("* * * foo *", "[* * * foo *] is not acceptable"),
        ("*/0 * * * *", "[*/0 * * * *] step '0' in field 0 is not acceptable"),
        ("9-5 * * * *", "the range 9-5 runs backwards"),
        ("* * L * *", "cannot parse 'L'"),
        ("* * * * 5#2", "cannot parse '5#2'"),
        ("H * * * *", "cannot parse 'H'"),
        ("1,,2 * * * *", "cannot parse '1,,2'"),
        ("* * * * \xa0", "cannot parse '\\udca0'"),
        ("0 0 31 2 *", "'0 0 31 2 *' never fires"),
        ("CRON_TZ=Europe/Paris", "expected 5 fields, found 1: 'CRON_TZ=Europe/Paris'"),
        ("CRON_TZ=Mars/Base * * * * *", "unknown time zone 'Mars/Base'"),
        ("CRON_TZ=Europe * * * * *", "unknown time zone 'Europe'"),
        ("CRON_TZ=../../etc/passwd * * * * *", "unknown time zone '../../etc/passwd'"),
        ("CRON_TZ= * * * * *", "unknown time zone ''"),
    ],
)
async def test_bad_crons(world: World, cron: str, text: str) -> None:
    assert await post(world, Upstash_Cron=cron) == (400, {"error": f"invalid Upstash-Cron header: {text}"})
    assert await world.ask(lambda sdk: sdk.schedule.list()) == []


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"Upstash_Cron": ""}, 400, "the Upstash-Cron header is missing"),
        (
            {"Upstash_Schedule_Id": "a b"},
            400,
            "invalid Upstash-Schedule-Id header: 'a b' may hold only letters, digits, '-', '_' and '.'",
        ),
        (
            {"Upstash_Not_Before": "1900000000"},
            400,
            "invalid Upstash-Not-Before header: a schedule takes only Upstash-Delay",
        ),
        (
            {"Upstash_Delay": "60"},
            400,
            'invalid Upstash-Delay header: time: missing unit in duration "60"',
        ),
        ({"Upstash_Retries": "6"}, 412, "quota maxRetries exceeded"),
        (
            {"Upstash_Queue_Name": "a b"},
            400,
            "invalid Upstash-Queue-Name header: 'a b' may hold only letters, digits, '-', '_' and '.'",
        ),
    ],
)
async def test_bad_headers(world: World, headers: dict[str, str], status: int, text: str) -> None:
    assert await post(world, **headers) == (status, {"error": text})
    assert await world.ask(lambda sdk: sdk.schedule.list()) == []


@pytest.mark.parametrize("name", ["a/b", "a:b", "é", "a\tb"])
async def test_bad_ids(world: World, name: str) -> None:
    status, answer = await post(world, Upstash_Schedule_Id=name)
    assert status == 400
    assert answer["error"].startswith("invalid Upstash-Schedule-Id header: ")


async def test_a_bad_replacement_changes_nothing(world: World) -> None:
    await create(world, schedule_id="s")
    with pytest.raises(QStashError, match="unknown time zone"):
        await create(world, schedule_id="s", cron="CRON_TZ=X 0 0 * * *")
    with pytest.raises(QStashError, match="400"):
        await create(world, schedule_id="s", destination="ftp://a.b")
    schedule = await get(world, "s")
    assert (schedule.cron, schedule.destination) == ("* * * * *", world.destination.url)


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("PATCH", "/pause"),
        ("POST", "/pause"),
        ("PATCH", "/resume"),
        ("POST", "/resume"),
    ],
)
async def test_an_unknown_id(world: World, method: str, tail: str) -> None:
    answer = await world.http(method, f"/v2/schedules/scd_x{tail}")
    assert answer == (404, {"error": "schedule scd_x not found"})


async def test_the_limit(build_world: Build) -> None:
    world = await build_world(max_schedules=2)
    for name in ("a", "b", "a"):
        await create(world, schedule_id=name)
    too_many = (412, {"error": "quota maxSchedules exceeded, current limit: 2"})
    assert await post(world) == too_many
    await world.ask(lambda sdk: sdk.schedule.delete("a"))
    assert (await post(world))[0] == 200
    assert await post(world) == too_many


async def test_each_user_has_schedules_of_its_own(world: World) -> None:
    await create(world, schedule_id="s")
    other = IDENTITIES[1].token
    assert await world.http("GET", "/v2/schedules", token=other) == (200, [])
    assert (await world.http("DELETE", "/v2/schedules/s", token=other))[0] == 404


async def test_triggered_by_hand(world: World) -> None:
    await create(world, schedule_id="s", body="x")
    before = (await get(world, "s")).next_schedule_time
    await world.ask(lambda sdk: sdk.schedule.pause("s"))
    message_id = await world.server.trigger("s")
    await world.idle()
    [delivery] = world.destination.deliveries
    assert delivery.headers["Upstash-Message-Id"] == message_id
    verify(world, delivery, world.destination.url)
    assert (await get(world, "s")).paused
    await world.ask(lambda sdk: sdk.schedule.resume("s"))
    await world.server.trigger("s")
    after = (await get(world, "s")).next_schedule_time
    assert after == before
    with pytest.raises(KeyError):
        await world.server.trigger("scd_x")
