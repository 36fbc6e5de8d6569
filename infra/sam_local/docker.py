"""The Docker engine: whether there is one, how its containers reach this machine, and the image they are made of."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from infra.template import ROOT

_SCRIPT = Path(__file__).parent / "base_image.sh"
_SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
_PUBLIC_IMAGE = "from samcli.local.docker.lambda_image import LambdaImage as L; print(L._INVOKE_REPO_PREFIX)"
_PULL_SECONDS = 600


class Unavailable(Exception):
    """Functions cannot be run in containers here; the message says what is missing."""


def architecture() -> str:
    """This machine's, as Lambda calls it: containers of another would be emulated."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def gateway() -> str:
    """The address at which containers reach this machine. Raises Unavailable."""
    if shutil.which("docker") is None:
        raise Unavailable("Docker is not installed")
    asked = _docker("version", "--format", "{{.Server.Version}}")
    if asked.returncode != 0:
        raise Unavailable(f"the Docker engine does not answer: {_last_line(asked)}")
    found = _docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    address = found.stdout.strip()
    try:
        with socket.socket() as probe:
            probe.bind((address, 0))
    except OSError:
        raise Unavailable(
            f"containers are not on this machine: their gateway {address!r} is not one of its addresses"
        ) from None
    return address


def image(python_313: str | None) -> str:
    """An image that sam takes for Lambda's: pulled, else made of this machine's Python 3.13. Raises Unavailable."""
    made = f"posthaste-lambda:{architecture()}-{hashlib.sha256(_SCRIPT.read_bytes()).hexdigest()[:12]}"
    if _docker("image", "inspect", made).returncode == 0:
        return made
    public = _public_name()
    if _docker("pull", "--quiet", public, seconds=_PULL_SECONDS).returncode == 0:
        return public
    if python_313 is None:
        raise Unavailable(
            "Lambda's image cannot be pulled, and there is no Python 3.13 to make one of: set PY313"
        )
    variables = {
        "PYTHON": python_313,
        "PIP": f"{sys.executable} -m pip",
        "REQUIREMENTS": str(ROOT / "infra" / "local" / "requirements.txt"),
        "TAG": made,
    }
    build = subprocess.run(
        ["sh", str(_SCRIPT)], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    if build.returncode != 0:
        raise Unavailable(f"Lambda's image can neither be pulled nor made here: {_last_line(build)}")
    return made


def _public_name() -> str:
    command = [str(_SAM_PYTHON), "-c", _PUBLIC_IMAGE]
    prefix = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return f"{prefix}/python:3.13-{architecture()}"


def _docker(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer in {seconds:.0f} s")


def _last_line(run: subprocess.CompletedProcess[str]) -> str:
    return (run.stderr.strip().splitlines() or ["it says nothing"])[-1]
