"""What QStash has given up, as its failure callbacks would tell of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from qstash.dlq import DlqFilter, DlqMessage

from shared.publishing.client import call, failing_as_publish_failed, sdk
from shared.settings import DispatcherSettings


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A page of messages that QStash has given up, oldest first, each as its failure callback would tell of it."""

    messages: list[dict[str, Any]]
    cursor: str | None


def dead_letters(since: int | None, cursor: str | None, settings: DispatcherSettings) -> DeadLetters:
    """A page of QStash's dead letters, from a time in milliseconds on. Raises PublishFailed."""
    with failing_as_publish_failed(settings):
        filters: DlqFilter = {} if since is None else {"from_time": since}
        page = call(settings, lambda _http: sdk(settings).dlq.list(cursor=cursor, count=100, filter=filters))
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
