"""The typed environment. It is read at import, so that an incomplete one fails the cold start, not the first job."""

from __future__ import annotations

import os
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.types import PositiveInt

from shared.errors import MissingSettings


def _web_address(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise ValueError("must be an absolute http(s) URL")
    return value.rstrip("/")


WebAddress = Annotated[str, BeforeValidator(_web_address)]


class Settings(BaseModel):
    """One group of variables. `secrets` maps the variable that names a secret to the entries needed from it.

    An entry may also stand in the environment itself, where there is no Secrets Manager.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    secrets: ClassVar[dict[str, tuple[str, ...]]] = {}

    @classmethod
    def load(cls) -> Self:
        """This group from the environment. Raises MissingSettings, naming every variable at fault."""
        check(cls)
        return cls.model_validate(_environment())


class DatabaseSettings(Settings):
    """Where Postgres is."""

    secrets = {"DATABASE_SECRET_ARN": ("DATABASE_URL",)}


class WorkerSettings(DatabaseSettings):
    """What every job worker needs."""

    secrets = DatabaseSettings.secrets | {
        "QSTASH_SECRET_ARN": ("QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")
    }
    # Behind a CDN or a proxy the function does not see the URL that QStash signed.
    endpoint_url: WebAddress | None = Field(None, alias="ENDPOINT_URL")


class DispatcherSettings(DatabaseSettings):
    """What enqueueing needs."""

    secrets = DatabaseSettings.secrets | {"QSTASH_SECRET_ARN": ("QSTASH_TOKEN",)}
    qstash_url: WebAddress = Field("https://qstash.upstash.io", alias="QSTASH_URL")
    max_retries: PositiveInt = Field(5, alias="QSTASH_MAX_RETRIES")
    max_delay: PositiveInt = Field(604_800, alias="QSTASH_MAX_DELAY")
    job_endpoints: str | None = Field(None, alias="JOB_ENDPOINTS")
    job_endpoints_parameter: str | None = Field(None, alias="JOB_ENDPOINTS_PARAMETER")
    delivery: Literal["qstash", "inline"] = Field("qstash", alias="JOB_DELIVERY")


class PayloadKeySettings(Settings):
    """What enqueueing and running sensitive jobs needs."""

    secrets = {"PAYLOAD_SECRET_ARN": ("PAYLOAD_KEYS",)}


class ApiSettings(DispatcherSettings):
    """What the HTTP API and the dashboard need. API_KEYS is not among it: without any key nobody gets in."""

    public_url: WebAddress | None = Field(None, alias="ENDPOINT_URL")
    region: str | None = Field(None, alias="AWS_REGION")
    aws_endpoint_url: str | None = Field(None, alias="AWS_ENDPOINT_URL")


class AppSettings(Settings):
    """Where the application lives that jobs link to."""

    app_url: WebAddress = Field(alias="APP_URL")


class EmailSettings(Settings):
    """What sending mail needs."""

    secrets = {"RESEND_SECRET_ARN": ("RESEND_API_KEY",)}
    mail_from: str = Field(alias="MAIL_FROM")
    app_url: WebAddress = Field(alias="APP_URL")
    app_name: str = Field("Posthaste", alias="APP_NAME")
    resend_base_url: WebAddress = Field("https://api.resend.com", alias="RESEND_API_URL")


class StorageSettings(Settings):
    """Where files are kept."""

    files_bucket: str = Field(alias="FILES_BUCKET")


def check(*groups: type[Settings]) -> None:
    """Raise MissingSettings unless the environment holds all that these groups need; it names every problem at once."""
    environment = _environment()
    problems = [problem for group in groups for problem in _problems(group, environment)]
    if problems:
        raise MissingSettings(list(dict.fromkeys(problems)))


def _environment() -> dict[str, str]:
    """The environment; a variable set to nothing counts as missing, as templates leave them."""
    return {name: value for name, value in os.environ.items() if value}


def _problems(group: type[Settings], environment: dict[str, str]) -> list[str]:
    try:
        group.model_validate(environment)
        found = []
    except ValidationError as error:
        found = [
            _describe(each["type"], str(each["loc"][0]), each["msg"])
            for each in error.errors(include_input=False)
        ]
    for arn, entries in group.secrets.items():
        if arn not in environment:
            found += [
                f"{entry} is missing (or {arn}, the secret that holds it)"
                for entry in entries
                if entry not in environment
            ]
    return found


def _describe(kind: str, variable: str, message: str) -> str:
    return f"{variable} is missing" if kind == "missing" else f"{variable}: {message}"
