"""AWS on this machine: moto's server, holding a stack's secrets, parameters and files."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


class LocalAws:
    """Moto behind one address. Raises OSError on start if the port is taken."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: ThreadedMotoServer | None = None
        self.url = ""

    def start(self) -> None:
        """Listen."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        with socket.socket() as probe:  # moto's thread would keep the error to itself
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self._port))
            port = probe.getsockname()[1]
        self._server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self._server.start()
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Stop listening; what it holds, this process keeps."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def create_secret(self, name: str, entries: Mapping[str, str]) -> str:
        """Create a secret, as the template does, with its entries filled in; its ARN."""
        created = self._client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(entries))
        return str(created["ARN"])

    def copy_secret(self, arn: str, change: Callable[[str], str]) -> str:
        """Create another secret, of the first one's text as `change` makes it; its ARN."""
        client = self._client("secretsmanager")
        text = change(client.get_secret_value(SecretId=arn)["SecretString"])
        return str(client.create_secret(Name=f"copy-{uuid4().hex}", SecretString=text)["ARN"])

    def create_bucket(self, name: str) -> None:
        """Create a bucket for files."""
        where = {"LocationConstraint": REGION}
        self._client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=where)

    def write(self, bucket: str, key: str, content: bytes) -> None:
        """Store a file."""
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=content)

    def keys(self, bucket: str) -> list[str]:
        """The files of a bucket, a thousand at most."""
        return [each["Key"] for each in self._client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        """A whole file."""
        content: bytes = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def put_parameter(self, name: str, value: str) -> None:
        """Write an SSM parameter."""
        self._client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  # moto takes any
        )
