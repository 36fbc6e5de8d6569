"""What CloudFormation is told, and how it gets there: an HTTP PUT to a signed URL of S3."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from shared.observability import logger

NOT_MADE = "not-made"  # what a resource is called that could not even be named
_LARGEST = (
    4096  # bytes; CloudFormation does not read a longer answer and waits for another until its time is up
)
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 5.0  # seconds
_TIMEOUT = httpx.Timeout(5.0, connect=3.0)


class AnswerNotDelivered(Exception):
    """CloudFormation could not be told; Lambda invokes the function again for the same request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How it went. `reason` is shown with the stack's events; `data` is for `!GetAtt`."""

    status: Literal["SUCCESS", "FAILED"]
    physical_resource_id: str
    reason: str = ""
    data: dict[str, str] = field(default_factory=dict)

    def to_json(self, event: Mapping[str, Any]) -> bytes:
        """The document for the request of this event, its reason cut to what CloudFormation reads."""
        document: dict[str, Any] = {
            "Status": self.status,
            "Reason": self.reason,
            "PhysicalResourceId": self.physical_resource_id,
            **{name: event.get(name, "") for name in ("StackId", "RequestId", "LogicalResourceId")},
            "Data": self.data,
        }
        while len(text := json.dumps(document).encode()) > _LARGEST and document["Reason"]:
            document["Reason"] = document["Reason"][: len(document["Reason"]) * 3 // 4]
        return text


def deliver(url: str, body: bytes, ends_at: float) -> None:
    """Put it there, again and again while that fails for the moment, until `time.monotonic()` is `ends_at`.

    Raises AnswerNotDelivered.
    """
    wait = _FIRST_WAIT
    while not _accepted(url, body):
        if time.monotonic() + wait > ends_at:
            raise AnswerNotDelivered("CloudFormation's response URL does not answer")
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _accepted(url: str, body: bytes) -> bool:
    try:
        # No content type: the URL is signed without one.
        response = httpx.put(url, content=body, timeout=_TIMEOUT, follow_redirects=True)
    except httpx.TransportError as error:
        logger.warning("CloudFormation is not told yet", extra={"reason": str(error) or type(error).__name__})
        return False
    except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise AnswerNotDelivered(f"CloudFormation's response URL cannot be used: {error}") from error
    if response.is_success:
        return True
    logger.warning("CloudFormation is not told yet", extra={"status": response.status_code})
    if response.status_code < 500 and response.status_code != 429:
        raise AnswerNotDelivered(f"CloudFormation's response URL answered {response.status_code}")
    return False
