"""The state of flow control keys."""

import math
from urllib.parse import unquote

from infra.local.qstash.api.calls import Call, Reply
from infra.local.qstash.errors import Refused
from infra.local.qstash.flow import Gate


def list_flow_keys(call: Call) -> Reply:
    """`GET /v2/flowControl`: all keys, or those that contain `search`."""
    wanted = dict(call.query).get("search", "")
    gates = call.account.courier.flow.gates()
    return Reply(200, [_gate_json(key, gate) for key, gate in gates.items() if wanted in key])


def get_flow_key(call: Call) -> Reply:
    """`GET /v2/flowControl/{key}`."""
    key = unquote(call.argument)
    gate = call.account.courier.flow.gates().get(key)
    if gate is None:
        raise Refused(404, f"flow control key {ascii(key)[1:-1]} not found")
    return Reply(200, _gate_json(key, gate))


def _gate_json(key: str, gate: Gate) -> dict[str, object]:
    limits = gate.limits
    return {
        "flowControlKey": key,
        "waitListSize": len(gate.waiting),
        "parallelismMax": limits.parallelism or 0,
        "parallelismCount": gate.active,
        "rateMax": limits.rate or 0,
        "rateCount": gate.started,
        "ratePeriod": math.ceil(limits.period),
        "ratePeriodStart": 0 if math.isinf(gate.period_start) else int(gate.period_start),
        "isPaused": False,
        "isPinnedParallelism": False,
        "isPinnedRate": False,
    }
