"""Custom senders, each under a name: configuration in the webhooks secret, and no code.

"CUSTOM_WEBHOOKS": {
    "accounting": {"secrets": ["whsec_…"], "organization_id": 7},
    "scanner": {"scheme": "hmac-sha256", "secrets": ["…"], "header": "X-Scan-Signature", "encoding": "base64"}
}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from standardwebhooks import Webhook

from functions.receive_webhook import keys
from functions.receive_webhook.hmac_signature import Encoding
from shared import secrets
from shared.envelope import problems
from shared.observability import logger

_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?")
Header = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$", to_lower=True)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=500)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Sender(BaseModel):
    """How one sender signs, and where its events say what they are.

    By the Standard Webhooks specification, or (`hmac-sha256`) with an HMAC of the body in `header`, after `prefix`. The
    fields named are of the body. An event's id is in `webhook-id`, or of a plain HMAC in `id_field`; without one it is a
    digest of the body. `type` is for senders that have but one kind of event. `organization_id` is whose the events are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    scheme: Literal["standard", "hmac-sha256"] = "standard"
    secrets: list[Secret] = Field(min_length=1, max_length=keys.MOST, repr=False)
    header: Header = "x-signature"
    prefix: str = Field("", max_length=50)
    encoding: Encoding = "hex"
    id_field: FieldName | None = None
    type_field: FieldName = "type"
    time_field: FieldName = "timestamp"
    type: str | None = Field(None, min_length=1, max_length=255, pattern=r"^[!-~]+$")
    organization_id: int | None = Field(None, ge=1, lt=2**63)

    @model_validator(mode="after")
    def _standard_keys_are_base64(self) -> Self:
        if self.scheme == "standard":
            for each in self.secrets:
                try:
                    Webhook(each)
                except Exception:  # noqa: BLE001  # its own error, or base64's
                    raise PydanticCustomError("key", "secrets: must be base64, after whsec_") from None
        return self


def find(name: str) -> Sender | None:
    """The sender of this name, if it is set up, and set up well. Raises SecretUnavailable where that is not known."""
    return _senders(secrets.find("CUSTOM_WEBHOOKS") or "{}").get(name)


@lru_cache(maxsize=1)
def _senders(text: str) -> Mapping[str, Sender]:
    """All that can be used; of the others the log says why not, once a process."""
    try:
        written = json.loads(text)
    except ValueError as error:
        logger.error("CUSTOM_WEBHOOKS is not JSON", extra={"reason": str(error)})
        return {}
    if not isinstance(written, dict):
        logger.error("CUSTOM_WEBHOOKS must be a JSON object of senders by name")
        return {}
    read = {name: _read(name, each) for name, each in written.items()}
    return {name: sender for name, sender in read.items() if sender is not None}


def _read(name: str, written: object) -> Sender | None:
    if not _NAME.fullmatch(name):
        found = [("name", "must be 1 to 40 of a-z, 0-9, - and _, a letter or digit first and last")]
    else:
        try:
            return Sender.model_validate(written)
        except ValidationError as error:
            found = problems(error)
    reason = "; ".join(f"{field}: {what}" for field, what in found)
    logger.error("a sender in CUSTOM_WEBHOOKS cannot be used", extra={"sender": name[:40], "reason": reason})
    return None
