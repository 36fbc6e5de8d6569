"""The local cloud: everything that a deployed stack has, on this machine and for real.

The functions, their handlers, time-outs and variables are read from template.yaml, so that what runs here is what is
deployed. Nothing in `shared/` or `functions/` can tell the difference.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self
from uuid import uuid4

import psycopg
from psycopg import sql

from functions.jobs_api.access.keys import digest_of
from infra.api_keys import new_key as new_api_key
from infra.local.aws import REGION, LocalAws
from infra.local.awslambda import SESSION_TOKEN, Function, LambdaServer
from infra.local.awslambda.extension import ExtensionServer
from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.local.platforms import ListingPlatforms
from infra.local.postgres import EmbeddedPostgres, PostgresError
from infra.local.qstash import QStashServer
from infra.migrations import MigrationError, migrate
from infra.payload_keys import new_entry
from infra.template import ROOT, Template
from infra.webhooks import LOCAL_SECRETS

DATABASE = "posthaste"
RECONCILE_SECONDS = 60.0
_PARAMETERS = {
    "AppUrl": "http://localhost:3000",
    "AppName": "Acme",
    "MailFrom": "Acme <hello@example.com>",
    "ParametersAndSecretsExtensionArn": "local",
}
Log = Callable[[str], None]


class _Server(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class LocalCloudError(Exception):
    """A part of the local cloud could not be started; the message is one line that says which and what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens; 0 picks a free port."""

    postgres: int = 0
    qstash: int = 0
    functions: int = 0
    mailbox: int = 0
    platforms: int = 0
    aws: int = 0


class LocalCloud:
    """Postgres, QStash, Lambda, mailbox, listing platforms and AWS; a context manager that leaves no process behind.

    `backoff_scale` speeds up QStash's waits before retries, `log` gets every line the functions print.
    `database_url` names a Postgres of yours instead of the embedded one (its database is migrated, never dropped).

        with LocalCloud(Path(".local/demo"), fresh=True) as cloud:
            os.environ.update(cloud.environment)
            enqueue(…)
    """

    def __init__(
        self,
        folder: Path,
        *,
        ports: Ports = Ports(),  # it is frozen
        fresh: bool = False,
        backoff_scale: float = 1.0,
        reconcile_seconds: float = RECONCILE_SECONDS,
        freeze: bool = True,
        database_url: str | None = None,
        log: Log | None = None,
        announce: Log | None = None,
    ) -> None:
        self._ports, self._fresh, self._reconcile_seconds = ports, fresh, reconcile_seconds
        # Moto keeps one world a process: two clouds in one must not have the same names.
        self.stack = f"posthaste-local-{uuid4().hex[:6]}"
        self._announce = announce or (lambda _line: None)
        self._log = log or (lambda _line: None)
        self._background = Background()
        self._template = Template()
        self._given_database_url = database_url
        self._payload_keys_file = folder / "payload-keys"
        self._api_key_file = folder / "api-key"
        self.postgres = None if database_url else EmbeddedPostgres(folder / "postgres", port=ports.postgres)
        self.aws = LocalAws(ports.aws)
        self.qstash = QStashServer(
            port=ports.qstash, backoff_scale=backoff_scale, log=lambda line: self._log(f"[qstash] {line}")
        )
        self.mailbox = Mailbox(port=ports.mailbox)
        self.platforms = ListingPlatforms(port=ports.platforms)
        self.functions = LambdaServer(
            [], port=ports.functions, task_root=ROOT, log=self._log, freeze=freeze, region=REGION
        )
        self._extension: ExtensionServer | None = None
        self._variables: dict[str, Mapping[str, str]] = {}
        self._made: dict[str, str] = {}
        self._sweeps: asyncio.Task[None] | None = None
        self._started: list[Callable[[], object]] = []

    @property
    def database_url(self) -> str:
        """The stack's database."""
        if self._given_database_url:
            return self._given_database_url
        assert self.postgres is not None  # noqa: S101  # one of the two is there
        return self.postgres.database_url(DATABASE)

    @property
    def environment(self) -> dict[str, str]:
        """What a producer's environment must hold to enqueue here."""
        return {
            "DATABASE_URL": self.database_url,
            "QSTASH_URL": self.qstash.url,
            "QSTASH_TOKEN": self.qstash.token,
            "QSTASH_CURRENT_SIGNING_KEY": self.qstash.current_signing_key,
            "QSTASH_NEXT_SIGNING_KEY": self.qstash.next_signing_key,
            "JOB_ENDPOINTS": json.dumps(self.endpoints),
            "PAYLOAD_KEYS": self._payload_keys,
            "RESEND_API_KEY": "re_local",
            "RESEND_API_URL": self.mailbox.url,
            "MAIL_FROM": _PARAMETERS["MailFrom"],
            "APP_URL": _PARAMETERS["AppUrl"],
            "APP_NAME": _PARAMETERS["AppName"],
        }

    @property
    def files_bucket(self) -> str:
        """The bucket that jobs store their files in."""
        return f"{self.stack}-files"

    @property
    def dashboard_url(self) -> str:
        """Where the dashboard is."""
        return self.functions.url("jobs-api") + "/"

    @property
    def api_key(self) -> str:
        """A key that may do everything, kept as long as the folder is."""
        return _kept(self._api_key_file, lambda: new_api_key("local", "write")[0])

    @property
    def _api_key_entry(self) -> str:
        return f"local:write:*:{digest_of(self.api_key)}"

    @cached_property
    def _payload_keys(self) -> str:
        """Made once, and kept as long as the rows that are sealed under them."""
        return _kept(self._payload_keys_file, new_entry)

    @property
    def endpoints(self) -> dict[str, str]:
        """The functions' URLs by name, as the template's SSM parameter has them."""
        return {name: self.functions.url(name) + "/" for name in self._template.endpoints}

    def variables_of(self, function: str) -> Mapping[str, str]:
        """A function's variables here, by its endpoint's name."""
        return self._variables[function]

    @property
    def webhooks_url(self) -> str:
        """Where other systems send their events, without a trailing slash: `/stripe`, `/resend` … come after it."""
        return self.functions.url("receive-webhook")

    def __enter__(self) -> Self:
        self._background.__enter__()
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        while self._started:
            with suppress(Exception):
                self._started.pop()()
        self._background.__exit__()

    def reconcile(self) -> object:
        """Run the sweep now, as EventBridge would; what it returned."""
        result = self._background.call(self.functions.invoke("reconcile", {"source": "aws.events"}))
        if result.error is not None:
            raise RuntimeError(f"reconcile failed: {result.error.type}: {result.error.message}")
        return result.payload

    def recycle(self) -> None:
        """The functions' code has changed: their next invocations are cold."""
        self._background.call(self.functions.recycle())

    def reload(self, template: Template) -> list[str]:
        """template.yaml has changed: its functions are as it says now, the new ones too, whose names are returned.

        Raises LocalCloudError where it cannot be served without a restart, and then all stays as it was.
        """
        before = self._template.functions.keys()
        try:
            self._serve(template)
        except (KeyError, NotImplementedError, TypeError, ValueError) as error:
            raise LocalCloudError(str(error)) from error
        added = [each for name, each in template.functions.items() if name not in before]
        return [function.folder.replace("_", "-") for function in added]

    # --- parts ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._part("Postgres", self._ports.postgres, "POSTGRES_PORT"):
            self._start_postgres()
        with self._part("AWS", self._ports.aws, "AWS_PORT"):
            self.aws.start()
            self._started.append(self.aws.stop)
        with self._part("QStash", self._ports.qstash, "QSTASH_PORT"):
            self._run(self.qstash)
        with self._part("mailbox", self._ports.mailbox, "MAILBOX_PORT"):
            self._run(self.mailbox)
        with self._part("listing platforms", self._ports.platforms, "PLATFORMS_PORT"):
            self._run(self.platforms)
        with self._part("functions", self._ports.functions, "FUNCTIONS_PORT"):
            self._start_functions()

    def _start_postgres(self) -> None:
        if self.postgres is not None:
            self.postgres.start()
            self._started.append(self.postgres.stop)
            self._create_database(self.postgres.url)
        migrate(self.database_url)

    def _create_database(self, url: str) -> None:
        name = sql.Identifier(DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            if self._fresh:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def _start_functions(self) -> None:
        self._extension = ExtensionServer(self.aws.url, REGION, SESSION_TOKEN)
        self._run(self._extension)
        self._run(self.functions)
        self.aws.create_bucket(self.files_bucket)
        self._made = {"FilesBucket": self.files_bucket, **self._create_secrets()}
        self._serve(self._template)
        self._sweeps = self._background.call(self._begin_sweeps())
        self._started.append(lambda: self._background.call(self._end_sweeps()))

    def _serve(self, template: Template) -> None:
        assert self._extension is not None  # noqa: S101  # started before
        functions = list(self._functions(template, self._extension.port))  # all or, where one cannot be, none
        unserved = template.endpoints.keys() - {function.name for function in functions}
        if unserved:
            raise ValueError(f"JobEndpoints names {', '.join(sorted(unserved))}, which is no function")
        for function in functions:
            self._variables[function.name] = function.environment
            self.functions.update(function)
        self._template = template
        self.aws.put_parameter(f"/{self.stack}/job-endpoints", json.dumps(self.endpoints))

    def _create_secrets(self) -> dict[str, str]:
        entries = {
            "DatabaseSecret": {"DATABASE_URL": self.database_url},
            "QStashSecret": {
                "QSTASH_TOKEN": self.qstash.token,
                "QSTASH_CURRENT_SIGNING_KEY": self.qstash.current_signing_key,
                "QSTASH_NEXT_SIGNING_KEY": self.qstash.next_signing_key,
            },
            "ResendSecret": {"RESEND_API_KEY": "re_local"},
            "PayloadSecret": {"PAYLOAD_KEYS": self._payload_keys},
            "SyndicationSecret": self.platforms.environment,
            "WebhooksSecret": LOCAL_SECRETS,
            "ApiSecret": {"API_KEYS": self._api_key_entry},
        }
        return {
            name: self.aws.create_secret(f"{self.stack}-{name}", secret) for name, secret in entries.items()
        }

    def _functions(self, template: Template, extension_port: int) -> Iterator[Function]:
        values = {**_PARAMETERS, **self._made, "QStashUrl": self.qstash.url}
        elsewhere = {
            "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(extension_port),
            "AWS_ENDPOINT_URL": self.aws.url,
            "RESEND_API_URL": self.mailbox.url,
        }
        for function in template.functions.values():
            yield Function(
                name=function.folder.replace("_", "-"),
                handler=function.properties["Handler"],
                timeout=function.properties["Timeout"],
                memory=function.properties["MemorySize"],
                environment=template.environment(function, values, self.stack) | elsewhere,
            )

    async def _begin_sweeps(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._sweep_forever())

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self._reconcile_seconds)
            with suppress(Exception):  # its own log says why; EventBridge does not care either
                await self.functions.invoke("reconcile", {"source": "aws.events"})

    async def _end_sweeps(self) -> None:
        if self._sweeps is not None:
            self._sweeps.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeps

    def _run(self, server: _Server) -> None:
        self._background.call(server.start())
        self._started.append(lambda: self._background.call(server.stop()))

    @contextmanager
    def _part(self, name: str, port: int, variable: str) -> Iterator[None]:
        try:
            yield
        except PostgresError as error:
            raise LocalCloudError(str(error)) from error
        except (MigrationError, psycopg.Error) as error:
            raise LocalCloudError(f"{name}: {str(error).strip().splitlines()[0]}") from error
        except OSError as error:
            what = (
                f"port {port} ({name}) is in use: stop what listens there, or set {variable} to another port"
            )
            raise LocalCloudError(what if port else f"{name}: {error}") from error
        self._announce(name)


def _kept(file: Path, make: Callable[[], str]) -> str:
    """A secret that was made once, and is for this user's eyes."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(make())
    return file.read_text().strip()
