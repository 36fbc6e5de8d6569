"""Stand-in for the AWS Parameters and Secrets extension: secrets and parameters over loopback HTTP, without an SDK."""

import asyncio
import datetime as dt
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.qstash.listener import Listener, listen

TOKEN_HEADER = "X-Aws-Parameters-Secrets-Token"  # noqa: S105 - the header's name

Read = Callable[[Mapping[str, str]], dict[str, Any]]


class ExtensionServer:
    """Answers as the extension does on port 2773, reading from the AWS stand-in at `endpoint_url`.

    `token` is what functions find in AWS_SESSION_TOKEN. Answers are kept for `ttl` seconds; the real extension keeps
    them for 300 unless SECRETS_MANAGER_TTL and SSM_PARAMETER_STORE_TTL say otherwise.
    """

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        token: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        ttl: float = 0,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._token = token
        self._host = host
        self._port = port
        self._ttl = ttl
        self._cache: dict[str, tuple[float, dict[str, Any]]] = {}
        self._listener: Listener | None = None
        self._secrets: Any = None
        self._parameters: Any = None

    @property
    def port(self) -> int:
        """The port listened on, for PARAMETERS_SECRETS_EXTENSION_HTTP_PORT; RuntimeError before the start."""
        if self._listener is None:
            raise RuntimeError("the server has not been started")
        return self._listener.port

    async def start(self) -> None:
        """Listen. OSError if the port is taken."""
        self._secrets, self._parameters = await asyncio.to_thread(self._clients)
        app = web.Application()
        app.router.add_get("/secretsmanager/get", self._get_secret)
        app.router.add_get("/systemsmanager/parameters/get", self._get_parameter)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
        self._listener = await listen(runner, self._host, self._port)

    async def stop(self) -> None:
        """Stop listening and close all connections, those to AWS too."""
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
            self._secrets.close()
            self._parameters.close()

    def _clients(self) -> tuple[Any, Any]:
        session = boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the stand-in takes any
            region_name=self._region,
        )
        return (
            session.client("secretsmanager", endpoint_url=self._endpoint_url),
            session.client("ssm", endpoint_url=self._endpoint_url),
        )

    async def _get_secret(self, request: web.Request) -> web.Response:
        return await self._answer(request, "secretId", self._read_secret)

    async def _get_parameter(self, request: web.Request) -> web.Response:
        return await self._answer(request, "name", self._read_parameter)

    async def _answer(self, request: web.Request, required: str, read: Read) -> web.Response:
        if TOKEN_HEADER not in request.headers:
            return web.Response(status=400, text=f"missing header {TOKEN_HEADER}")
        if not hmac.compare_digest(request.headers[TOKEN_HEADER].encode(), self._token.encode()):
            return web.Response(status=403, text=f"wrong token in {TOKEN_HEADER}")
        if not request.query.get(required):
            return web.Response(status=400, text=f"missing query parameter {required}")
        try:
            return web.json_response(await self._cached(request.path_qs, read, request.query))
        except ClientError as error:
            return web.Response(status=error.response["ResponseMetadata"]["HTTPStatusCode"], text=str(error))
        except BotoCoreError as error:
            return web.Response(status=500, text=str(error))

    async def _cached(self, key: str, read: Read, query: Mapping[str, str]) -> dict[str, Any]:
        kept_at, answer = self._cache.get(key, (0.0, {}))
        if not answer or time.monotonic() - kept_at >= self._ttl:
            answer = await asyncio.to_thread(read, query)
            self._cache[key] = (time.monotonic(), answer)
        return answer

    def _read_secret(self, query: Mapping[str, str]) -> dict[str, Any]:
        options = {"SecretId": "secretId", "VersionId": "versionId", "VersionStage": "versionStage"}
        found = self._secrets.get_secret_value(
            **{name: query[key] for name, key in options.items() if query.get(key)}
        )
        fields = ("ARN", "CreatedDate", "Name", "SecretBinary", "SecretString", "VersionId", "VersionStages")
        return _shaped(found, fields) | {"ResultMetadata": {}}

    def _read_parameter(self, query: Mapping[str, str]) -> dict[str, Any]:
        selector = query.get("version") or query.get("label")
        found = self._parameters.get_parameter(
            Name=f"{query['name']}:{selector}" if selector else query["name"],
            WithDecryption=query.get("withDecryption", "false").lower() == "true",
        )
        fields = (
            "ARN",
            "DataType",
            "LastModifiedDate",
            "Name",
            "Selector",
            "SourceResult",
            "Type",
            "Value",
            "Version",
        )
        return {"Parameter": _shaped(found["Parameter"], fields), "ResultMetadata": {}}


def _shaped(found: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    # The extension leaves no field out: what is not there is null.
    return {name: _plain(found.get(name)) for name in fields}


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return value
