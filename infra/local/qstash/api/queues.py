"""Queues: make, change, read, delete, pause and resume."""

from collections import Counter

from ..errors import Refused
from ..queues import Queue
from ..records import milliseconds
from ..wire.names import check_name
from .calls import Call, Reply, json_object


def put_queue(call: Call) -> Reply:
    """`POST /v2/queues`: makes a queue, or sets its parallelism and whether it is paused."""
    body = json_object(call)
    name = check_name(body.get("queueName"), "queue name")
    parallelism, paused = body.get("parallelism", 1), body.get("paused", False)
    if not isinstance(parallelism, int) or isinstance(parallelism, bool) or parallelism < 1:
        raise Refused(400, f"invalid parallelism: {parallelism!a} is not a positive whole number")
    if not isinstance(paused, bool):
        raise Refused(400, f"invalid paused: {paused!a} is not a boolean")
    call.account.courier.queues.configure(name, parallelism=parallelism, paused=paused)
    return Reply(200)


def list_queues(call: Call) -> Reply:
    """`GET /v2/queues`."""
    held = _held(call)
    return Reply(200, [_queue_json(queue, held) for queue in call.account.courier.queues.all()])


def get_queue(call: Call) -> Reply:
    """`GET /v2/queues/{name}`."""
    return Reply(200, _queue_json(_one(call), _held(call)))


def delete_queue(call: Call) -> Reply:
    """`DELETE /v2/queues/{name}`: 200 also where there is none; messages that wait in it are cancelled."""
    queue = call.account.courier.queues.get(call.argument)
    if queue is not None:
        call.account.courier.delete_queue(queue)
    return Reply(200)


def pause_queue(call: Call) -> Reply:
    """`POST /v2/queues/{name}/pause`."""
    call.account.courier.queues.pause(_one(call), True)
    return Reply(200)


def resume_queue(call: Call) -> Reply:
    """`POST /v2/queues/{name}/resume`."""
    call.account.courier.queues.pause(_one(call), False)
    return Reply(200)


def _one(call: Call) -> Queue:
    queue = call.account.courier.queues.get(call.argument)
    if queue is None:
        raise Refused(404, f"queue {ascii(call.argument)[1:-1]} not found")
    return queue


def _held(call: Call) -> Counter[str | None]:
    return Counter(message.queue for message in call.account.courier.store.live.values())


def _queue_json(queue: Queue, held: Counter[str | None]) -> dict[str, object]:
    return {
        "name": queue.name,
        "parallelism": queue.parallelism,
        "paused": queue.paused,
        "lag": held[queue.name],
        "createdAt": milliseconds(queue.created_at),
        "updatedAt": milliseconds(queue.updated_at),
    }
