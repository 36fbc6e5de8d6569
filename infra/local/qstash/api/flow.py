"""Flow control keys: read, pause, pin and reset; and what the account as a whole may do at once."""

import math
from urllib.parse import unquote

from ..delivery.lanes import most_open
from ..errors import Refused
from ..flow import Gate
from ..wire.filters import Pairs
from ..wire.flow_limits import FlowLimits, parse_count, parse_period
from ..wire.options import parse_bool
from .calls import Call, Reply


def list_flow_keys(call: Call) -> Reply:
    """`GET /v2/flowControl`: all keys, or those that contain `search`."""
    wanted = dict(call.query).get("search", "")
    gates = call.account.courier.flow.gates()
    return Reply(200, [_gate_json(key, gate) for key, gate in gates.items() if wanted in key])


def get_flow_key(call: Call) -> Reply:
    """`GET /v2/flowControl/{key}`."""
    return Reply(200, _gate_json(_key(call), _one(call)))


def get_global_parallelism(call: Call) -> Reply:
    """`GET /v2/globalParallelism`: the plan's limit, or what this process can do, and what is under way."""
    gate = call.account.courier.all
    return Reply(
        200, {"parallelismMax": gate.limits.parallelism or most_open(), "parallelismCount": gate.active}
    )


def pause_flow_key(call: Call) -> Reply:
    """`POST /v2/flowControl/{key}/pause`; also before its first message."""
    call.account.courier.flow.pause(_key(call))
    return Reply(200)


def resume_flow_key(call: Call) -> Reply:
    """`POST /v2/flowControl/{key}/resume`."""
    call.account.courier.flow.resume(_one(call))
    return Reply(200)


def pin_flow_key(call: Call) -> Reply:
    """`POST /v2/flowControl/{key}/pin?parallelism=&rate=&period=`; also before its first message."""
    limits = _parse_limits(_key(call), call.query)
    if not limits.says_something:
        raise Refused(400, "nothing to pin: give parallelism or rate")
    call.account.courier.flow.pin(limits.key, limits)
    return Reply(200)


def unpin_flow_key(call: Call) -> Reply:
    """`POST /v2/flowControl/{key}/unpin?parallelism=true&rate=true`."""
    gate = _one(call)
    call.account.courier.flow.unpin(
        gate, parallelism=_parse_flag(call.query, "parallelism"), rate=_parse_flag(call.query, "rate")
    )
    return Reply(200)


def reset_rate(call: Call) -> Reply:
    """`POST /v2/flowControl/{key}/resetRate`: a new period begins now."""
    call.account.courier.flow.reset_rate(_one(call))
    return Reply(200)


def _key(call: Call) -> str:
    return unquote(call.argument)


def _one(call: Call) -> Gate:
    gate = call.account.courier.flow.gates().get(_key(call))
    if gate is None:
        raise Refused(404, f"flow control key {ascii(_key(call))[1:-1]} not found")
    return gate


def _parse_limits(key: str, query: Pairs) -> FlowLimits:
    given = {name: value for name, value in query if value}
    try:
        return FlowLimits(
            key,
            parse_count(given.get("parallelism")),
            parse_count(given.get("rate")),
            parse_period(given.get("period")),
        )
    except ValueError as error:
        raise Refused(400, f"invalid flow control: {error}") from error


def _parse_flag(query: Pairs, name: str) -> bool:
    text = dict(query).get(name, "")
    try:
        return parse_bool(text) if text else False
    except ValueError as error:
        raise Refused(400, f"invalid {name}: {error}") from error


def _gate_json(key: str, gate: Gate) -> dict[str, object]:
    limits = gate.limits
    return {
        "flowControlKey": key,
        "waitListSize": gate.waiting_count,
        "parallelismMax": limits.parallelism or 0,
        "parallelismCount": gate.active,
        "rateMax": limits.rate or 0,
        "rateCount": gate.started,
        "ratePeriod": math.ceil(limits.period),
        "ratePeriodStart": 0 if math.isinf(gate.period_start) else int(gate.period_start),
        "isPaused": gate.paused,
        "isPinnedParallelism": gate.pinned_parallelism,
        "isPinnedRate": gate.pinned_rate,
    }
