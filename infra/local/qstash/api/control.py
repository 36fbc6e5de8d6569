"""The control interface, for tests in any language: the clock, faults, waiting, hosts. Not of the official server."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ..accounts import Account
from ..clock import Clock
from ..delivery.faults import Faults
from ..delivery.hosts import Hosts
from ..errors import Refused
from ..wire.durations import parse_duration
from .calls import Call, Reply, json_object
from .control_faults import faults_json, set_faults

_DEFAULT_PATIENCE = 30.0


class Control(Protocol):
    """What the HTTP side needs of a server."""

    faults: Faults
    hosts: Hosts
    clock: Clock
    allowed_hosts: frozenset[str]

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The users' accounts, by token."""

    def advance(self, seconds: float) -> None:
        """Move the clock, and deliver what has become due."""

    def pending(self) -> int:
        """How many messages are not over."""

    def commit(self) -> None:
        """Write down all changes."""

    def written_or_taken_back(self) -> AbstractContextManager[None]:
        """Write down what the block changes, or take it back."""

    async def wait_idle(self, timeout: float) -> None:  # noqa: ASYNC109 - as the server has it
        """Wait until nothing is pending. Raises TimeoutError."""

    async def finish(self, timeout: float) -> None:  # noqa: ASYNC109 - as the server has it
        """Move the clock until nothing is pending. Raises TimeoutError."""

    async def redeliver(self, message_id: str) -> int:
        """Send a message once more. Raises KeyError."""

    async def trigger(self, schedule_id: str) -> str:
        """Fire a schedule. Raises KeyError and RuntimeError."""

    async def reset(self) -> None:
        """Forget everything."""


@dataclass(frozen=True, slots=True)
class ControlCall:
    """A request to the control interface. `argument` is what the path ends in."""

    control: Control
    argument: str
    call: Call


async def answer_control(method: str, path: str, call: Call, control: Control) -> Reply:
    """The answer to a request under `/control/`. Raises Refused: 404 for an unknown path, 400 for a bad body."""
    name, _, argument = path.removeprefix("/control/").partition("/")
    handler = _HANDLERS.get((method, name))
    if handler is None or bool(argument) != (name in _WITH_ARGUMENT):
        raise Refused(404, "no such endpoint")
    return await handler(ControlCall(control, argument, call))


async def _get_clock(asked: ControlCall) -> Reply:
    clock = asked.control.clock
    return Reply(200, {"now": clock(), "ahead": clock.ahead})


async def _move_clock(asked: ControlCall) -> Reply:
    asked.control.advance(_parse_move(json_object(asked.call), asked.control.clock))
    return await _get_clock(asked)


async def _get_faults(asked: ControlCall) -> Reply:
    return Reply(200, faults_json(asked.control.faults))


async def _set_faults(asked: ControlCall) -> Reply:
    set_faults(asked.control.faults, json_object(asked.call))
    return await _get_faults(asked)


async def _clear_faults(asked: ControlCall) -> Reply:
    asked.control.faults.clear()
    return await _get_faults(asked)


async def _get_hosts(asked: ControlCall) -> Reply:
    return Reply(200, asked.control.hosts.table())


async def _set_hosts(asked: ControlCall) -> Reply:
    body = json_object(asked.call)
    table = {host: target for host, target in body.items() if isinstance(target, str)}
    if len(table) != len(body):
        raise Refused(400, "each host must be a string")
    try:
        asked.control.hosts.replace(table)
    except ValueError as error:
        raise Refused(400, str(error)) from error
    return await _get_hosts(asked)


async def _wait_idle(asked: ControlCall) -> Reply:
    return await _wait(asked.control.wait_idle(_parse_timeout(asked.call)))


async def _finish(asked: ControlCall) -> Reply:
    return await _wait(asked.control.finish(_parse_timeout(asked.call)))


async def _wait(waiting: Awaitable[None]) -> Reply:
    try:
        await waiting
    except TimeoutError as error:
        raise Refused(408, str(error)) from error
    return Reply(200, {"pending": 0})


async def _redeliver(asked: ControlCall) -> Reply:
    try:
        return Reply(200, {"status": await asked.control.redeliver(asked.argument)})
    except KeyError as error:
        raise Refused(404, f"message {ascii(asked.argument)[1:-1]} not found") from error


async def _trigger(asked: ControlCall) -> Reply:
    try:
        return Reply(200, {"messageId": await asked.control.trigger(asked.argument)})
    except KeyError as error:
        raise Refused(404, f"schedule {ascii(asked.argument)[1:-1]} not found") from error
    except RuntimeError as error:
        raise Refused(409, str(error)) from error


async def _reset(asked: ControlCall) -> Reply:
    await asked.control.reset()
    return Reply(200, {"pending": asked.control.pending()})


def _parse_move(body: dict[str, object], clock: Clock) -> float:
    """Seconds to move the clock by."""
    match body:
        case {"advance": int() | float() as seconds} if not isinstance(seconds, bool):
            return _checked(seconds)
        case {"advance": str() as text}:
            sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
            try:
                return _checked(sign * parse_duration(text))
            except ValueError as error:
                raise Refused(400, f"invalid advance: {error}") from error
        case {"set": int() | float() as moment} if not isinstance(moment, bool):
            return _checked(moment - clock())
        case {"set": None}:
            return -clock.ahead
    raise Refused(
        400, 'say {"advance": "1h30m"}, {"advance": seconds}, {"set": unix seconds} or {"set": null}'
    )


def _checked(seconds: float) -> float:
    if not abs(seconds) < 1e10:
        raise Refused(400, "that is too far to move the clock")
    return seconds


def _parse_timeout(call: Call) -> float:
    text = dict(call.query).get("timeout", "")
    if not text:
        return _DEFAULT_PATIENCE
    try:
        return float(text) if re.fullmatch("[0-9]{1,6}", text) else parse_duration(text)
    except ValueError as error:
        raise Refused(400, f"invalid timeout: {error}") from error


_WITH_ARGUMENT = ("redeliver", "trigger")
_HANDLERS: dict[tuple[str, str], Callable[[ControlCall], Awaitable[Reply]]] = {
    ("GET", "clock"): _get_clock,
    ("POST", "clock"): _move_clock,
    ("GET", "faults"): _get_faults,
    ("POST", "faults"): _set_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "hosts"): _get_hosts,
    ("PUT", "hosts"): _set_hosts,
    ("POST", "idle"): _wait_idle,
    ("POST", "finish"): _finish,
    ("POST", "redeliver"): _redeliver,
    ("POST", "trigger"): _trigger,
    ("POST", "reset"): _reset,
}
