"""The payload of `process-webhook`: one event that another system sent, its signature already verified."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.envelope import Payload
from shared.redaction import Sensitive
from shared.registry import JobType

Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]([ -~]*[!-~])?$")]


class WebhookSource(StrEnum):
    """Who sends events. `custom` is any sender of your own."""

    STRIPE = "stripe"
    RESEND = "resend"
    GITHUB = "github"
    CUSTOM = "custom"


class ProcessWebhook(Payload, type=JobType.PROCESS_WEBHOOK):
    """One event: its type as the sender names it, and the body as it came (of Stripe and Resend also its `data` alone).

    An `event_id` (the sender's: GitHub's delivery, Svix's message) is what lets an event sent twice be applied once;
    without one it is the job's id. `name` tells custom senders apart. Whoever received the event has verified
    `signature`: nothing here reads it. Raises InvalidJob where a field is wrong, or another source has a name.

        ProcessWebhook(source="github", event="push", data=body, event_id=delivery_id)
        ProcessWebhook(source="custom", name="accounting", event="invoice.imported", data={"number": "2026-17"})
    """

    source: WebhookSource
    event: Name
    data: dict[str, Any] = Field(repr=False)
    event_id: Name | None = None
    name: Name | None = None
    occurred_at: AwareDatetime | None = None
    signature: Annotated[str, Sensitive()] | None = Field(None, max_length=4096, repr=False)

    @model_validator(mode="after")
    def _only_custom_senders_have_names(self) -> Self:
        if self.name is not None and self.source is not WebhookSource.CUSTOM:
            raise PydanticCustomError("named_source", "name is a custom sender's: leave it out")
        return self

    @property
    def sender(self) -> str:
        """The custom sender's name, `custom` if it has none; of any other source nothing."""
        return (self.name or "custom") if self.source is WebhookSource.CUSTOM else ""
