"""What CloudFormation asks of a custom resource."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal


class Request(BaseModel):
    """One request. `physical_resource_id` is what an earlier answer has called the resource: none at its creation."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_pascal)

    request_type: Literal["Create", "Update", "Delete"]
    stack_id: str = Field(pattern=r"^arn:[^:]+:cloudformation:[^:]*:[^:]*:stack/[A-Za-z0-9-]+/")
    logical_resource_id: str
    physical_resource_id: str | None = None
    resource_type: str
    resource_properties: dict[str, Any] = {}
    old_resource_properties: dict[str, Any] = {}

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.stack_id.split("/")[1]
