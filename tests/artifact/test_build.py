"""What is in the artifacts: the right machine's code, Lambda's bytecode, nothing that should not be there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.template import Template
from tests.artifact.conftest import make
from tests.artifact.observability import NESTED
from tests.artifact.template import ROOT, TEMPLATE, Function, sample_environment

MEGABYTE = 1_000_000
X86_64, AARCH64 = 0x3E, 0xB7  # e_machine in an ELF header
UNCHECKED_HASH = 0b01  # flags in a .pyc header
FUNCTIONS = TEMPLATE.functions

each_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)


def test_machine_code_is_lambdas(build: Path) -> None:
    _check_machine_code(build, X86_64)


def test_machine_code_for_arm64_is_that(arm64: Path) -> None:
    _check_machine_code(arm64, AARCH64)


def test_both_machines_get_the_same_packages(build: Path, arm64: Path) -> None:
    """A wheel of an older version would do for pip where the newer one has none for the machine."""
    for folder in arm64.iterdir():
        assert _packages(folder) == _packages(build / folder.name) != set()


def test_runtime_brings_boto3(build: Path) -> None:
    packages = {path.parent.name for path in build.rglob("__init__.py")}
    assert not packages & {"boto3", "botocore", "s3transfer"}


def test_bytecode_is_lambdas_or_absent(build: Path, python_313: str | None) -> None:
    bytecode = {path for path in _files(build) if path.suffix == ".pyc"}
    sources = {path for path in _files(build) if path.suffix == ".py"}
    assert {path.name.split(".")[-2] for path in bytecode} == ({"cpython-313"} if python_313 else set())
    assert {path.read_bytes()[4] for path in bytecode} <= {UNCHECKED_HASH}
    if python_313:
        compiled = {path.parents[1] / f"{path.name.split('.')[0]}.py" for path in bytecode}
        assert sources == compiled


def test_layer_is_small(layer: Path, arm64: Path) -> None:
    for folder in (layer, arm64 / "SharedLayer"):
        size = sum(path.stat().st_size for path in _files(folder) if path.suffix != ".pyc")
        assert 10 * MEGABYTE < size < 40 * MEGABYTE


def test_each_function_and_the_layer_are_below_lambdas_limit(build: Path) -> None:
    shared = sum(path.stat().st_size for path in _files(build / "SharedLayer"))
    for name in FUNCTIONS:
        assert shared + sum(path.stat().st_size for path in _files(build / name)) < 250 * MEGABYTE


def test_the_nested_stack_is_built_too(build: Path) -> None:
    built, written = Template(build / "template.yaml"), Template(NESTED)
    path = build / built.resources["Observability"]["Properties"]["TemplateURL"]
    assert Template(path).body == written.body


def test_layer_holds_shared_whole_but_for_the_test_kit(layer: Path) -> None:
    kit = ROOT / "shared" / "testing"
    wanted = {
        path.relative_to(ROOT)
        for path in _files(ROOT / "shared")
        if "__pycache__" not in path.parts and kit not in path.parents
    }
    assert (kit / "__init__.py").is_file()
    held = {path.relative_to(layer) for path in _files(layer / "shared") if path.suffix != ".pyc"}
    assert held == wanted


def test_new_parameters_change_the_layer(build: Path) -> None:
    """A changed layer is what makes SAM publish the functions anew, with the parameters' new values."""
    assert "samconfig.toml" in (build / "SharedLayer" / "parameters.cksum").read_text()


@each_function
def test_function_holds_its_own_folder_only(function: Function, build: Path) -> None:
    held = {path.name for path in (build / function.resource / "functions").iterdir()}
    assert held - {"__pycache__"} == {"__init__.py", function.folder}


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Lambda's runtime brings beside Python: boto3 and what it needs, all of it pure Python."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"):
        source = importlib.util.find_spec(name)
        assert source is not None
        assert source.origin is not None
        path = Path(source.origin).parent if source.submodule_search_locations else Path(source.origin)
        (folder / path.name).symlink_to(path)
    return folder


@each_function
def test_handler_imports_on_lambda(
    function: Function, build: Path, layer: Path, runtime: Path, python_313: str | None
) -> None:
    """With what the artifact, the layer and the runtime hold and no other package, under the template's environment."""
    if python_313 is None:
        pytest.skip("no Python 3.13 here: set PY313=/path/to/python3.13 to import what is deployed")
    module, _, attribute = str(function.properties["Handler"]).rpartition(".")
    environment = sample_environment(function) | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (build / function.resource, layer, runtime))),
        "AWS_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": function.resource,
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
    }
    check = f"import {module} as module; assert callable(module.{attribute})"
    command = [python_313, "-B", "-S", "-W", "error", "-c", check]  # -S: none of the machine's own packages
    result = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("architecture", "machine"), [("arm64", "aarch64"), ("x86_64", "x86_64")])
def test_wheels_of_each_age_are_asked_for(architecture: str, machine: str) -> None:
    """An older tag alone silently yields older packages."""
    for target in ("build-SharedLayer", "build-SendEmailFunction"):
        plan = make("-n", target, f"ARCH={architecture}", "ARTIFACTS_DIR=nowhere").stdout
        for glibc in ("manylinux_2_34", "manylinux_2_28", "manylinux2014"):
            assert f"--platform {glibc}_{machine} " in plan


def test_unknown_architecture_is_refused() -> None:
    result = make("-n", "build-SharedLayer", "ARCH=sparc", "ARTIFACTS_DIR=nowhere")
    assert "ARCH must be arm64 or x86_64, not sparc" in result.stderr
    assert result.returncode != 0


def test_requirements_are_exact() -> None:
    for path in (ROOT / "requirements.txt", *(ROOT / "functions").glob("*/requirements.txt")):
        wanted = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert wanted
        assert all("==" in line for line in wanted), path


def _check_machine_code(folder: Path, machine: int) -> None:
    libraries = [path for path in _files(folder) if ".so" in path.suffixes]
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in libraries} == {machine}
    tagged = [path.name for path in libraries if "cpython-" in path.name]
    assert tagged
    assert all("cpython-313-" in name for name in tagged)


def _packages(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*.dist-info")}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
