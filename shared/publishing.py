"""Hands messages to QStash through its SDK, which is told not to wait: the outbox is what retries."""

from __future__ import annotations

import base64
import json
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import httpx
from qstash import QStash
from qstash.dlq import DlqFilter, DlqMessage
from qstash.http import HttpClient
from qstash.message import BatchRequest, FlowControl, prepare_batch_message_body

from shared import secrets
from shared.endpoints import RECORD_FAILURE, endpoint
from shared.envelope import Envelope, Metadata
from shared.errors import EndpointUnknown, PublishFailed, PublishRejected, SecretUnavailable
from shared.registry import JobConfig, get_job_config
from shared.rows import Receipt, UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)  # seconds; the SDK's own read timeout is 600
_CALLBACK_RETRIES = 5
_LAMBDA_MARGIN = 20  # seconds QStash waits beyond the job's timeout, for Lambda's init and answer
_SPARE_RETRIES = 2  # a 503 for a held lease uses one of QStash's up
_lock = threading.Lock()  # reconcile publishes from several threads
_clients: dict[tuple[str, str, int], QStash] = {}


class _NotFound(Exception):
    """QStash answered 404."""


def publish(job: UnpublishedJob, settings: DispatcherSettings) -> Receipt:
    """Publish one job and return QStash's receipt.

    Raises PublishRejected where QStash refuses this very message (400), PublishFailed for everything else.
    """
    with _failing_as_publish_failed(settings):
        message = _message(job, settings)
        return Receipt(_send(settings, message), message["url"])


def publish_batch(
    jobs: Sequence[UnpublishedJob], settings: DispatcherSettings
) -> list[Receipt | PublishRejected]:
    """Publish up to a hundred jobs in one call: for each its receipt, or why QStash refused that very message.

    Raises PublishFailed if QStash did not take the call as a whole.
    """
    with _failing_as_publish_failed(settings):
        messages = [_message(job, settings) for job in jobs]
        body = prepare_batch_message_body(cast("list[BatchRequest]", messages))
        # Not the SDK's own method: its parser cannot read the entry of a message that was refused.
        headers = {"Content-Type": "application/json"}
        answers = _call(
            settings, lambda http: http.request(path="/v2/batch", method="POST", headers=headers, body=body)
        )
        if len(answers) != len(jobs):
            raise PublishFailed(f"QStash answered {len(answers)} of {len(jobs)} messages")
        return [_read_batch_answer(*each) for each in zip(messages, answers, strict=True)]


def _read_batch_answer(message: Mapping[str, Any], answer: Mapping[str, Any]) -> Receipt | PublishRejected:
    if "messageId" in answer:
        return Receipt(str(answer["messageId"]), message["url"])
    return PublishRejected(f"QStash refused the message: {answer.get('error', answer)}")


def default_options(
    config: JobConfig, retries: int, organization_id: int | None, settings: DispatcherSettings
) -> dict[str, Any]:
    """How a job of this type is published where its caller says nothing else; kept in its row."""
    options: dict[str, Any] = {
        "retries": min(retries + _SPARE_RETRIES, settings.max_retries),
        "timeout": config.timeout + _LAMBDA_MARGIN,
        "attempts": retries + 1,  # of each run
    }
    if limits := config.flow_control:
        options["flow_control"] = {
            "key": limits.key(config.type, organization_id),
            "parallelism": limits.parallelism,
            "rate": limits.rate,
            "period": limits.period,
        }
    return options


def is_held(message_id: str, settings: DispatcherSettings) -> bool:
    """Whether QStash still holds a message, waiting or under way. Raises PublishFailed if it does not say."""
    with _failing_as_publish_failed(settings):
        try:
            _client(settings).message.get(message_id)
        except _NotFound:
            return False
        return True


def withdraw(message_id: str, settings: DispatcherSettings) -> None:
    """Cancel a message. Raises PublishFailed, also if QStash no longer has it."""
    with _failing_as_publish_failed(settings):
        _client(settings).message.cancel(message_id)


def put_schedule(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> None:
    """Make a schedule, or replace the one of that id; `options` are those of a row. Raises as `publish` does."""
    with _failing_as_publish_failed(settings):
        schedule = schedule_message(schedule_id, cron, envelope, options, settings)
        _call(settings, lambda _http: _client(settings).schedule.create(**schedule))


def schedule_message(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> dict[str, Any]:
    """What the SDK takes to make a schedule. Raises EndpointUnknown or SecretUnavailable."""
    return {
        "destination": endpoint(envelope.type, settings),
        "cron": cron,
        "schedule_id": schedule_id,
        "body": envelope.to_wire().decode(),
        "label": envelope.type,
        **_delivery_options(options, settings),
    }


def publish_run(
    schedule_id: str, cron: str, envelope: Envelope, options: Mapping[str, Any], settings: DispatcherSettings
) -> str:
    """Deliver once, now, what a schedule delivers; the message's id. Raises as `publish` does."""
    with _failing_as_publish_failed(settings):
        config = get_job_config(envelope.type)
        organization_id = envelope.metadata.organization_id
        usual = default_options(config, config.retries, organization_id, settings)
        message = schedule_message(schedule_id, cron, envelope, usual | dict(options), settings)
        message["url"] = message.pop("destination")
        del message["cron"], message["schedule_id"]
        return _send(settings, message)


def list_schedules(settings: DispatcherSettings) -> list[dict[str, Any]]:
    """All schedules of the account, as QStash's API describes them. Raises PublishFailed."""
    with _failing_as_publish_failed(settings):
        # Not the SDK's own method: its parser raises for the whole list where one's last run has a state it does not know.
        return list(_call(settings, lambda http: http.request(path="/v2/schedules", method="GET")))


def act_on_schedule(
    schedule_id: str, action: Literal["delete", "pause", "resume"], settings: DispatcherSettings
) -> bool:
    """Do it; False where there is no such schedule. Raises PublishFailed if QStash cannot be asked."""
    with _failing_as_publish_failed(settings):
        try:  # asked first, for QStash may well answer 200 when something that is not there is deleted
            _call(settings, lambda http: http.request(path=f"/v2/schedules/{schedule_id}", method="GET"))
        except _NotFound:
            return False
        _call(settings, lambda _http: getattr(_client(settings).schedule, action)(schedule_id))
        return True


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A page of messages that QStash has given up, oldest first, each as its failure callback would tell of it."""

    messages: list[dict[str, Any]]
    cursor: str | None


def dead_letters(since: int | None, cursor: str | None, settings: DispatcherSettings) -> DeadLetters:
    """A page of QStash's dead letters, from a time in milliseconds on. Raises PublishFailed."""
    with _failing_as_publish_failed(settings):
        filters: DlqFilter = {} if since is None else {"from_time": since}
        page = _call(
            settings, lambda _http: _client(settings).dlq.list(cursor=cursor, count=100, filter=filters)
        )
        messages = sorted(
            (_as_callback(each) for each in page.messages), key=lambda each: str(each["dlq_id"])
        )
        return DeadLetters(messages, page.cursor or None)


def _as_callback(found: DlqMessage) -> dict[str, Any]:
    return {
        "status": found.response_status,
        "body": found.response_body_base64 or _base64(found.response_body),
        "source_message_id": found.message_id,
        "source_body": found.body_base64 or _base64(found.body),
        "schedule_id": found.schedule_id,
        "dlq_id": found.dlq_id,
    }


def _base64(text: str | None) -> str:
    return base64.b64encode((text or "").encode()).decode()


def publish_failure(failure: UntoldFailure, settings: DispatcherSettings) -> str:
    """Tell a caller's own failure callback that its job has failed. Raises as `publish` does."""
    body = {
        "jobId": str(failure.job_id),
        "type": failure.job_type,
        "status": "failed",
        "run": failure.run,
        "attempt": failure.attempt,
        "error": failure.error,
        "errors": [{name: each[name] for name in each if name != "traceback"} for each in failure.errors],
        "userId": failure.user_id,
        "organizationId": failure.organization_id,
        "completedAt": failure.completed_at.isoformat(),
    }
    message = {
        "url": failure.failure_callback,
        "body": json.dumps(body),
        "content_type": "application/json",
        "deduplication_id": f"{failure.job_id}-failed-{failure.run}",
        "label": "failure-callback",
    }
    with _failing_as_publish_failed(settings):
        return _send(settings, message)


def _message(job: UnpublishedJob, settings: DispatcherSettings) -> dict[str, Any]:
    """What the SDK takes to publish a job. Raises EndpointUnknown or SecretUnavailable."""
    config = get_job_config(job.job_type)
    options = default_options(config, config.retries, job.organization_id, settings) | job.publish_options
    metadata = Metadata(
        user_id=job.user_id,
        organization_id=job.organization_id,
        idempotency_key=job.idempotency_key,
        created_at=job.created_at,
    )
    envelope = Envelope(
        job_id=job.job_id,
        publication=job.publication,
        type=job.job_type,
        # A row may be older than its type's being marked as sensitive, and hold the payload as it is.
        payload={} if config.sensitive else job.payload,
        metadata=metadata,
    )
    message: dict[str, Any] = {
        "url": endpoint(job.job_type, settings),
        "body": envelope.to_wire().decode(),
        # A repeated id is swallowed for ten minutes even when the first message has failed, hence the number.
        "deduplication_id": f"{job.job_id}-{job.publication}",
        "label": job.job_type,
        **_delivery_options(options, settings),
    }
    if job.not_before is not None:
        message["not_before"] = math.ceil(job.not_before.timestamp())
    return message


def _delivery_options(options: Mapping[str, Any], settings: DispatcherSettings) -> dict[str, Any]:
    """What the SDK takes for messages and schedules alike."""
    chosen = {
        "content_type": "application/json",
        "headers": options.get("headers"),
        "retries": options["retries"],
        "timeout": f"{options['timeout']}s",
        "callback": options.get("callback"),
        "failure_callback": endpoint(RECORD_FAILURE, settings),
        "failure_callback_headers": {"Retries": str(min(_CALLBACK_RETRIES, settings.max_retries))},
        "flow_control": _flow_control(options.get("flow_control")),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _send(settings: DispatcherSettings, message: Mapping[str, Any]) -> str:
    response = _call(settings, lambda _http: _client(settings).message.publish(**message))
    if isinstance(response, list):
        raise PublishFailed("the destination is not a URL")
    return str(response.message_id)


def _call(settings: DispatcherSettings, ask: Callable[[HttpClient], Any]) -> Any:
    try:
        return ask(_client(settings).http)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        # A kept connection that died while the process was frozen; the deduplication ids make a repeat harmless.
        return ask(_client(settings).http)


@contextmanager
def _failing_as_publish_failed(settings: DispatcherSettings) -> Iterator[None]:
    try:
        yield
    except (PublishRejected, PublishFailed):
        raise
    except (EndpointUnknown, SecretUnavailable) as error:
        raise PublishFailed(str(error)) from error
    except Exception as error:  # the SDK's and httpx's errors share no base
        raise PublishFailed(
            f"QStash at {settings.qstash_url}: {str(error) or type(error).__name__}"
        ) from error


def close() -> None:
    """Close the connections to QStash; the next publish opens others."""
    for client in _clients.values():
        client.http._client.close()  # noqa: SLF001  # the SDK has no close of its own
    _clients.clear()


def _flow_control(options: Mapping[str, Any] | None) -> FlowControl | None:
    if options is None:
        return None
    flow_control: FlowControl = {"key": options["key"]}
    if options.get("parallelism"):
        flow_control["parallelism"] = options["parallelism"]
    if options.get("rate"):
        flow_control["rate"], flow_control["period"] = options["rate"], options["period"]
    return flow_control


def _client(settings: DispatcherSettings) -> QStash:
    token, base_url = secrets.secret("QSTASH_TOKEN"), settings.qstash_url
    key = (token, base_url, os.getpid())  # a forked child must not speak on its parent's socket
    with _lock:
        if key not in _clients:
            client = QStash(token, retry=False, base_url=base_url)
            # The SDK has no setting for the timeout, and its errors carry no status: both are put in here.
            client.http._client.close()  # noqa: SLF001
            client.http._client = httpx.Client(  # noqa: SLF001
                timeout=_TIMEOUT, event_hooks={"response": [_raise_rejected]}
            )
            _clients[key] = client
        return _clients[key]


def _raise_rejected(response: httpx.Response) -> None:
    if response.status_code == 404 and response.request.method == "GET":
        response.read()
        if "user not found" not in response.text:  # that is a token of another region
            raise _NotFound
    if response.status_code == 400:
        response.read()
        if _is_qstashs(response):
            raise PublishRejected(f"QStash refused the message: {response.text}")


def _is_qstashs(response: httpx.Response) -> bool:
    """Whether a refusal is QStash's own, and not a proxy's on the way."""
    try:
        return "error" in response.json()
    except (ValueError, TypeError):
        return False
