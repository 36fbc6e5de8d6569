"""Brings accounts back to where they were."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ..accounts import Account
from ..clock import Clock
from ..journal import Kind
from ..records import Message
from . import records
from .file import FileJournal

_Found = dict[tuple[str, Kind], dict[str, Any]]


def restore(journal: FileJournal, accounts: Iterable[Account], clock: Clock) -> None:
    """Put what the file holds into new accounts."""
    found: _Found = defaultdict(dict)
    for user, kind, record_id, data in journal.read():
        found[user, kind][record_id] = data
    for ahead in found["", "clock"].values():
        clock.ahead = ahead
    for account in accounts:
        _restore_account(account, found)


def _restore_account(account: Account, found: _Found) -> None:
    def of(kind: Kind) -> dict[str, Any]:
        return found[account.identity.name, kind]

    courier = account.courier
    messages = _decode_messages(of("message"), of("progress"))
    day, count = of("daily").get("", (0, 0))
    courier.store.restore(
        messages=messages.values(),
        events=[
            records.decode_event(data, messages[data["message"]])
            for data in of("event").values()
            if data["message"] in messages
        ],
        letters=[records.decode_letter(data) for data in of("letter").values()],
        keys={key: (expiry, accepted_id) for key, (expiry, accepted_id) in of("key").items()},
        published=(day, count),
    )
    for data in of("group").values():
        account.groups.add(records.decode_group(data))
    for data in of("gate").values():
        courier.flow.add(records.decode_gate(data))
    for data in of("action").values():
        account.actions.add(records.decode_action(data))
    for data in of("schedule").values():
        account.schedules.add(records.decode_schedule(data, courier.store.known))
    for data in of("keys").values():
        courier.keys = records.decode_keys(data)
    for data in of("queue").values():
        courier.queues.add(records.decode_queue(data))
    courier.queues.reset(courier.store.live.values())


def _decode_messages(messages: dict[str, Any], progress: dict[str, Any]) -> dict[str, Message]:
    decoded = {message_id: records.decode_message(data) for message_id, data in messages.items()}
    for message_id, data in progress.items():
        if message_id in decoded:
            records.apply_progress(decoded[message_id], data)
    return decoded
