"""What a click on a page does."""

from collections.abc import Callable
from typing import TypeVar

from ..accounts import Account
from ..errors import Refused
from ..flow import Gate
from ..queues import Queue
from ..records import DeadLetter, Message, Schedule

Form = dict[str, str]

_Thing = TypeVar("_Thing")


def act(account: Account, name: str, form: Form) -> str:
    """Do what was asked, and say so. Raises Refused (404) for what is no action; what is gone is told, too."""
    action = _ACTIONS.get(name)
    if action is None:
        raise Refused(404, "no such endpoint")
    try:
        return action(account, form.get("id", ""))
    except Refused as refusal:
        return refusal.text


def _cancel(account: Account, message_id: str) -> str:
    account.courier.cancel(_message(account, message_id))
    return "Message cancelled"


def _hurry(account: Account, message_id: str) -> str:
    account.courier.hurry(_message(account, message_id))
    return "Message sent now"


def _retry(account: Account, dlq_id: str) -> str:
    letter = _letter(account, dlq_id)
    account.intake.replay(letter.message, {})
    account.courier.store.drop_dead_letter(letter.dlq_id)
    return "Dead letter published anew"


def _retry_all(account: Account, _none: str) -> str:
    letters = account.courier.store.dead_letters()
    for letter in letters:
        _retry(account, letter.dlq_id)
    return f"{len(letters)} dead letters published anew"


def _delete(account: Account, dlq_id: str) -> str:
    account.courier.store.drop_dead_letter(_letter(account, dlq_id).dlq_id)
    return "Dead letter deleted"


def _pause_queue(account: Account, name: str) -> str:
    account.courier.queues.pause(_queue(account, name), True)
    return f"Queue {name} paused"


def _resume_queue(account: Account, name: str) -> str:
    account.courier.queues.pause(_queue(account, name), False)
    return f"Queue {name} resumed"


def _pause_schedule(account: Account, schedule_id: str) -> str:
    account.schedules.pause(_schedule(account, schedule_id))
    return f"Schedule {schedule_id} paused"


def _resume_schedule(account: Account, schedule_id: str) -> str:
    account.schedules.resume(_schedule(account, schedule_id))
    return f"Schedule {schedule_id} resumed"


def _trigger_schedule(account: Account, schedule_id: str) -> str:
    schedule = _schedule(account, schedule_id)
    return "Schedule fired" if account.schedules.fire(schedule) else str(schedule.error)


def _pause_key(account: Account, key: str) -> str:
    account.courier.flow.pause(_gate(account, key).limits.key)
    return f"Key {key} paused"


def _resume_key(account: Account, key: str) -> str:
    account.courier.flow.resume(_gate(account, key))
    return f"Key {key} resumed"


def _message(account: Account, message_id: str) -> Message:
    return _found(account.courier.store.live.get(message_id), "This message is over")


def _letter(account: Account, dlq_id: str) -> DeadLetter:
    return _found(account.courier.store.dead_letter(dlq_id), "This dead letter is gone")


def _queue(account: Account, name: str) -> Queue:
    return _found(account.courier.queues.get(name), "This queue is gone")


def _schedule(account: Account, schedule_id: str) -> Schedule:
    return _found(account.schedules.get(schedule_id), "This schedule is gone")


def _gate(account: Account, key: str) -> Gate:
    return _found(account.courier.flow.gates().get(key), "This key is gone")


def _found(thing: _Thing | None, otherwise: str) -> _Thing:
    if thing is None:
        raise Refused(404, otherwise)
    return thing


_ACTIONS: dict[str, Callable[[Account, str], str]] = {
    "cancel": _cancel,
    "hurry": _hurry,
    "retry": _retry,
    "retry-all": _retry_all,
    "delete": _delete,
    "pause-queue": _pause_queue,
    "resume-queue": _resume_queue,
    "pause-schedule": _pause_schedule,
    "resume-schedule": _resume_schedule,
    "trigger-schedule": _trigger_schedule,
    "pause-key": _pause_key,
    "resume-key": _resume_key,
}
