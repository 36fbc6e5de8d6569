"""The stand-in of the AWS Parameters and Secrets extension, in front of moto."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import boto3
import pytest
from moto.server import ThreadedMotoServer

from infra.local.awslambda.extension import TOKEN_HEADER, ExtensionServer

REGION = "eu-central-1"
TOKEN = {TOKEN_HEADER: "the-token"}


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def aws_client(service: str, endpoint_url: str) -> Any:
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name=REGION)
    return session.client(service, endpoint_url=endpoint_url)


@pytest.fixture(scope="module")
def secrets_manager(aws: str) -> Iterator[Any]:
    client = aws_client("secretsmanager", aws)
    yield client
    client.close()


@pytest.fixture(scope="module")
def parameter_store(aws: str) -> Iterator[Any]:
    client = aws_client("ssm", aws)
    yield client
    client.close()


@pytest.fixture
def secrets(secrets_manager: Any) -> Iterator[Any]:
    client = secrets_manager
    client.create_secret(Name="app/database", SecretString="postgresql://old")
    yield client
    client.delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True)


@pytest.fixture
def parameters(parameter_store: Any) -> Iterator[Any]:
    client = parameter_store
    client.put_parameter(Name="/app/endpoints", Value="{}", Type="String")
    client.put_parameter(Name="/app/key", Value="clear", Type="SecureString")
    yield client
    client.delete_parameters(Names=["/app/endpoints", "/app/key"])


@pytest.fixture
async def extension(aws: str) -> AsyncIterator[ExtensionServer]:
    server = ExtensionServer(aws, REGION, "the-token")
    await server.start()
    yield server
    await server.stop()


async def get(
    client: aiohttp.ClientSession,
    server: ExtensionServer,
    path: str,
    headers: dict[str, str] = TOKEN,
    **query: str,
) -> tuple[int, Any]:
    answer = await client.get(f"http://127.0.0.1:{server.port}{path}", params=query, headers=headers)
    is_json = answer.content_type == "application/json"
    return answer.status, await (answer.json() if is_json else answer.text())


async def test_secret(extension: ExtensionServer, secrets: Any, client: aiohttp.ClientSession) -> None:
    status, secret = await get(client, extension, "/secretsmanager/get", secretId="app/database")
    assert status == 200
    assert (secret["Name"], secret["SecretString"]) == ("app/database", "postgresql://old")
    assert secret["VersionStages"] == ["AWSCURRENT"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", secret["CreatedDate"])
    by_arn = await get(client, extension, "/secretsmanager/get", secretId=secret["ARN"])
    assert by_arn == (200, secret)


async def test_versions_of_a_secret(
    extension: ExtensionServer, secrets: Any, client: aiohttp.ClientSession
) -> None:
    secrets.put_secret_value(SecretId="app/database", SecretString="postgresql://new")
    _, current = await get(client, extension, "/secretsmanager/get", secretId="app/database")
    _, previous = await get(
        client, extension, "/secretsmanager/get", secretId="app/database", versionStage="AWSPREVIOUS"
    )
    assert (current["SecretString"], previous["SecretString"]) == ("postgresql://new", "postgresql://old")


async def test_parameter(extension: ExtensionServer, parameters: Any, client: aiohttp.ClientSession) -> None:
    status, answer = await get(client, extension, "/systemsmanager/parameters/get", name="/app/endpoints")
    assert status == 200
    parameter = answer["Parameter"]
    assert (parameter["Name"], parameter["Value"], parameter["Version"]) == ("/app/endpoints", "{}", 1)
    assert parameter["Type"] == "String"


@pytest.mark.parametrize(("decrypt", "is_clear"), [("true", True), ("false", False)])
async def test_decryption(
    decrypt: str, is_clear: bool, extension: ExtensionServer, parameters: Any, client: aiohttp.ClientSession
) -> None:
    _, answer = await get(
        client, extension, "/systemsmanager/parameters/get", name="/app/key", withDecryption=decrypt
    )
    assert (answer["Parameter"]["Value"] == "clear") is is_clear


@pytest.mark.parametrize(("headers", "status"), [({}, 400), ({TOKEN_HEADER: "another"}, 403)])
async def test_token(
    headers: dict[str, str],
    status: int,
    extension: ExtensionServer,
    secrets: Any,
    client: aiohttp.ClientSession,
) -> None:
    answer = await get(client, extension, "/secretsmanager/get", headers, secretId="app/database")
    assert answer[0] == status
    assert "postgresql" not in answer[1]


async def test_what_is_not_there(extension: ExtensionServer, client: aiohttp.ClientSession) -> None:
    status, text = await get(client, extension, "/secretsmanager/get", secretId="nothing")
    assert status in {400, 404}  # AWS's own status is passed on; moto's differs
    assert "ResourceNotFoundException" in text
    status, text = await get(client, extension, "/systemsmanager/parameters/get", name="/nothing")
    assert (status, "ParameterNotFound" in text) == (400, True)
    assert (await get(client, extension, "/secretsmanager/get"))[0] == 400


@pytest.mark.parametrize(("ttl", "expected"), [(0, "postgresql://new"), (60, "postgresql://old")])
async def test_cache(
    ttl: float, expected: str, aws: str, secrets: Any, client: aiohttp.ClientSession
) -> None:
    server = ExtensionServer(aws, REGION, "the-token", ttl=ttl)
    await server.start()
    await get(client, server, "/secretsmanager/get", secretId="app/database")
    secrets.put_secret_value(SecretId="app/database", SecretString="postgresql://new")
    _, secret = await get(client, server, "/secretsmanager/get", secretId="app/database")
    await server.stop()
    assert secret["SecretString"] == expected
