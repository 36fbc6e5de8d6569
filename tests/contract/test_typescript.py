"""The contract through the official TypeScript SDK, installed as it is published."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.contract.conftest import Build

SOURCES = Path(__file__).parent / "typescript"
INSTALLED = Path(__file__).parents[2] / ".local/qstash-typescript"
NODE_VERSION = 20


def _why_not() -> str | None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "no Node.js with npm on this machine"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)", version)
    return (
        None
        if found and int(found[1]) >= NODE_VERSION
        else f"Node.js {NODE_VERSION} is needed, found {version}"
    )


pytestmark = pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")


@pytest.fixture(scope="module")
def project() -> Path:
    """A folder with the suite and the SDK of the lock file; installed once."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock = INSTALLED / "package-lock.json"
    current = lock.exists() and lock.read_bytes() == (SOURCES / "package-lock.json").read_bytes()
    for source in SOURCES.iterdir():
        shutil.copy(source, INSTALLED)
    if not (current and (INSTALLED / "node_modules/.package-lock.json").exists()):
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
        done = subprocess.run(install, cwd=INSTALLED, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return INSTALLED


async def run(project: Path, *command: str, settings: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=project, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings},
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_suite(project: Path, build_world: Build) -> None:
    world = await build_world()
    settings = {
        "QSTASH_URL": world.server.url,
        "QSTASH_TOKEN": world.server.token,
        "QSTASH_CURRENT_SIGNING_KEY": world.server.current_signing_key,
        "QSTASH_NEXT_SIGNING_KEY": world.server.next_signing_key,
    }
    code, output = await run(
        project, "node", "--test", "--test-reporter=tap", "suite.test.mjs", settings=settings
    )
    assert code == 0, output
    passed = re.search(r"^# pass (\d+)$", output, re.MULTILINE)
    assert passed, output
    written = (SOURCES / "suite.test.mjs").read_text().count('\ntest("')
    assert int(passed[1]) == written


async def test_development_mode_finds_it_by_itself(project: Path, build_world: Build) -> None:
    world = await build_world()
    settings = {"QSTASH_DEV_PORT": world.server.url.rpartition(":")[2]}
    code, output = await run(project, "node", "dev-mode.mjs", settings=settings)
    assert (code, output.splitlines()[-1]) == (0, "delivered and verified"), output
    assert "Server already running" in output


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    assert all(
        "resolved" not in package and "integrity" in package
        for name, package in lock["packages"].items()
        if name
    )
