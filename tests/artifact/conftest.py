"""The build that these tests look at, made once for what the sources now are."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.artifact.template import ROOT, TEMPLATE

_BUILD = ROOT / ".aws-sam" / "tests" / "build"
_SOURCES = (
    "template.yaml",
    "samconfig.toml",
    "Makefile",
    "requirements.txt",
    "shared",
    "functions",
    "infra/__init__.py",
    "infra/migrations",
    "infra/schedules",
    "infra/observability.yaml",
)
# Runs in the SAM CLI's environment, which has AWS's own transform.
_TRANSLATE = """
import json, sys
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
template = yaml_parse(open("template.yaml").read())
layer_key, parameters = sys.argv[1], {"AppUrl": "https://x", "MailFrom": "a@b"}
template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code"
template["Resources"]["SharedLayer"]["Properties"]["ContentUri"] = "s3://bucket/" + layer_key
print(json.dumps(Translator({}, Parser()).translate(template, parameters)))
"""


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as from a fresh shell: without what an outer make would hand down."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def python_313() -> str | None:
    """The Python of Lambda's version that the build takes bytecode from, where there is one."""
    return make("-s", "which-python").stdout.strip() or None


@pytest.fixture(scope="session")
def build(python_313: str | None) -> Path:
    """The folder that `make build` for x86_64 leaves, one folder per function and layer."""
    stamp = _BUILD.parent / "made-of-and-by"
    _BUILD.parent.mkdir(parents=True, exist_ok=True)
    with (_BUILD.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers share one build
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
        made_of, made_by = stamp.read_text().split() if stamp.exists() else ("", "")
        sources = _digest(python_313)
        # Never anew within one run of the tests, though a source be edited meanwhile: other workers are reading it.
        if run != made_by and sources != made_of:
            stamp.unlink(missing_ok=True)
            result = make("build", "ARCH=x86_64", f"BUILD_DIR={_BUILD}")
            assert result.returncode == 0, f"make build failed:\n{result.stdout}\n{result.stderr}"
            made_of = sources
        stamp.write_text(f"{made_of} {run}")
    return _BUILD


@pytest.fixture(scope="session")
def layer(build: Path) -> Path:
    """What Lambda mounts at /opt/python."""
    return build / "SharedLayer" / "python"


@pytest.fixture(scope="session")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All packages as `make build` takes them for arm64: the layer's, and those of functions that have their own."""
    folder = tmp_path_factory.mktemp("arm64")
    own = {path.parent.name for path in (ROOT / "functions").glob("*/requirements.txt")}
    named = [function.resource for function in TEMPLATE.functions.values() if function.folder in own]
    for resource in ("SharedLayer", *named):
        result = make(f"build-{resource}", "ARCH=arm64", f"ARTIFACTS_DIR={folder / resource}", "PY313=")
        assert result.returncode == 0, result.stderr
    return folder


def translate(layer_key: str = "layer") -> dict[str, dict[str, Any]]:
    """The resources that AWS makes of the template, the layer's content being stored under `layer_key`."""
    result = subprocess.run(
        [str(ROOT / ".venv-sam/bin/python"), "-c", _TRANSLATE, layer_key],
        cwd=ROOT,
        env=os.environ | {"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    resources: dict[str, dict[str, Any]] = json.loads(result.stdout)["Resources"]
    return resources


@pytest.fixture(scope="session")
def translated() -> dict[str, dict[str, Any]]:
    """The resources that AWS makes of the template."""
    return translate()


def _digest(python_313: str | None) -> str:
    digest = hashlib.sha256(repr(python_313).encode())
    for source in _SOURCES:
        path = ROOT / source
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()
