"""The SAM CLI: builds, and runs functions in containers. Its exit code is 0 whatever a function did."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.sam_local.docker import architecture
from infra.template import ROOT

_SAM = str(ROOT / ".venv-sam" / "bin" / "sam")
_READY_SECONDS = 600
_PATIENCE = Config(read_timeout=600, connect_timeout=10, retries={"total_max_attempts": 1})


class SamFailed(Exception):
    """A command of sam's did not do its work; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Sam:
    """`sam local` on one template, image and set of variables."""

    template: Path
    image: str
    variables: Path
    parameters: Mapping[str, str]

    def invoke(self, resource: str, event: dict[str, Any]) -> Any:
        """`sam local invoke`; what the function returned. Raises SamFailed where that is no JSON."""
        command = [_SAM, "local", "invoke", resource, "--event", "-", *self._options]
        run = subprocess.run(
            command,
            input=json.dumps(event),
            env=_environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            return json.loads(run.stdout.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise SamFailed(
                f"sam local invoke {resource} printed {run.stdout[-500:]!r}: {run.stderr[-2000:]}"
            ) from None

    @contextmanager
    def start_lambda(self) -> Iterator[Any]:
        """`sam local start-lambda`: a client of Lambda whose functions run in containers, which stay warm meanwhile."""
        port = _free_port()
        command = [
            _SAM,
            "local",
            "start-lambda",
            "--warm-containers",
            "LAZY",
            "--port",
            str(port),
            *self._options,
        ]
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                command, env=_environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
            try:
                _wait_until_ready(process, port, log)
                yield boto3.client(
                    "lambda", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1", config=_PATIENCE,
                    aws_access_key_id="local", aws_secret_access_key="local",  # noqa: S106  # nobody checks them
                )  # fmt: skip
            except (BotoCoreError, ClientError) as error:
                log.seek(0)
                raise SamFailed(f"{error}: {log.read()[-2000:]}") from error
            finally:
                _stop(process)

    @property
    def _options(self) -> list[str]:
        given = [f"{name}={value}" for name, value in self.parameters.items()]
        return [
            "--template", str(self.template), "--env-vars", str(self.variables), "--skip-pull-image",
            "--invoke-image", self.image, "--parameter-overrides", *given,
        ]  # fmt: skip


def build(folder: Path) -> Path:
    """`make build` for this machine; the built template. Raises SamFailed."""
    command = ["make", "--no-print-directory", "build", f"ARCH={architecture()}", f"BUILD_DIR={folder}"]
    run = subprocess.run(command, env=_environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SamFailed(f"make build: {run.stdout[-1000:]}{run.stderr[-1000:]}")
    return folder / "template.yaml"


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    # Functions get these credentials and this region; the real ones have no business in a test.
    credentials = {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    return kept | credentials | {"SAM_CLI_TELEMETRY": "0"}


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Any) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    log.seek(0)
    raise SamFailed(f"sam local start-lambda did not come up: {log.read()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM: it then removes its containers."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
