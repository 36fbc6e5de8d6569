"""Faults as JSON, for the control interface."""

from collections.abc import Callable
from typing import Any

from ..delivery.faults import Faults
from ..errors import Refused

_MOST_COPIES = 100
_MOST = 10**9


def faults_json(faults: Faults) -> dict[str, object]:
    """What goes wrong now."""
    refusal = {"status": faults.publish_status, "times": faults.publish_refusals_left}
    return {
        "duplicate": faults.copies,
        "delay": faults.delivery_delay,
        "reorder": faults.window,
        "dropDeliveries": faults.deliveries_dropped,
        "dropAnswers": faults.answers_dropped,
        "dropCallbacks": faults.callbacks_dropped,
        "refusePublish": None if faults.publish_status is None else refusal,
    }


def set_faults(faults: Faults, body: dict[str, object]) -> None:
    """Set those faults that are named, all or none of them. Raises Refused (400)."""
    changes = [(name, _parse(name, value)) for name, value in body.items()]
    for name, values in changes:
        _VERBS[name](faults)(*values)


_VERBS: dict[str, Callable[[Faults], Callable[..., None]]] = {
    "duplicate": lambda faults: faults.duplicate,
    "delay": lambda faults: faults.delay,
    "reorder": lambda faults: faults.reorder,
    "dropDeliveries": lambda faults: faults.drop_deliveries,
    "dropAnswers": lambda faults: faults.drop_answers,
    "dropCallbacks": lambda faults: faults.drop_callbacks,
    "refusePublish": lambda faults: faults.refuse_publish,
}


def _parse(name: str, value: Any) -> tuple[Any, ...]:
    """What the fault's verb is called with."""
    match name, value:
        case "duplicate", _ if _is_count(value, _MOST_COPIES):
            return (value,)
        case (("reorder" | "dropDeliveries" | "dropAnswers"), _) if _is_count(value, _MOST):
            return (value,)
        case "delay", (int() | float()) if not isinstance(value, bool) and 0 <= value < _MOST:
            return (value,)
        case "dropCallbacks", bool():
            return (value,)
        case "refusePublish", {"status": int() as status} if 400 <= status <= 599:
            times = value.get("times")
            if times is None or _is_count(times, _MOST):
                return status, times
    raise Refused(400, f"invalid fault {name!a}: {str(value)[:100]!a}")


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
