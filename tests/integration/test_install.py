"""What a producer gets from `pip install`: `shared`, whole, and nothing else of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import psycopg
import pytest
from psycopg.rows import dict_row
from qstash import QStash

from infra.local.background import Background
from infra.local.qstash import QStashServer

ROOT = Path(__file__).parents[2]
URL = "https://abc123.lambda-url.eu-central-1.on.aws/"

METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

PRODUCER = """
import shared
from shared.dispatcher import enqueue
from shared.jobs.send_email import SendEmail, WelcomeData

job_id = enqueue(SendEmail(to="ada@example.com", data=WelcomeData(name="Ada")), user_id=7)
print(shared.__file__, job_id)
"""
RENDER = """
from shared.emails import WelcomeData, render
from shared.jobs.send_email import SendEmail

mail = render(SendEmail(to="ada@example.com", data=WelcomeData(name="Ada")))
print(bool(mail.html and mail.text))
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What a command prints; its environment is these variables and no others."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd)} | variables
    done = subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip builds it from a copy: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    shutil.copy(ROOT / "pyproject.toml", source)
    (source / METADATA["readme"]).touch()  # that the repository has it is a test of its own
    for name in ("shared", "functions", "infra", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Setuptools makes wheels by itself from 70.1 on. Where ours is older, pip fetches one for the build.
    major, minor = (int(part) for part in version("setuptools").split(".")[:2])
    ours = ["--no-build-isolation"] if (major, minor) >= (70, 1) else []
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        *ours,
    ]
    keep = {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "HTTP", "SSL_", "http"))
    }
    run(*build, "--wheel-dir", folder, source, cwd=folder, **keep)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh virtual environment that has the package, and this one's dependencies.

    Those come by a .pth file that names the site-packages we run with, in place of a download of them all; only
    installed packages are there, not this repository, which pytest finds by its folder.
    """
    folder = tmp_path_factory.mktemp("producer")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=folder)
    return python


@pytest.fixture
def qstash() -> Iterator[QStashServer]:
    with Background() as background:
        server = QStashServer(port=0)
        background.call(server.start())
        yield server
        background.call(server.stop())


def test_the_file_that_the_metadata_names_is_there() -> None:
    """Without it, `pip install` of the repository ends in an error."""
    assert (ROOT / METADATA["readme"]).is_file()


def test_a_producer_records_a_job_and_publishes_it(
    installed: Path, qstash: QStashServer, database_url: str, tmp_path: Path
) -> None:
    printed = run(
        installed,
        "-c",
        PRODUCER,
        cwd=tmp_path,
        DATABASE_URL=database_url,
        QSTASH_URL=qstash.url,
        QSTASH_TOKEN=qstash.token,
        JOB_ENDPOINTS=json.dumps({"send-email": URL, "record-failure": URL}),
    )
    imported_from, job_id = printed.split()
    assert Path(imported_from).is_relative_to(installed.parent.parent)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        row = connection.execute("SELECT * FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row is not None
    assert (row["status"], row["job_type"], row["user_id"]) == ("pending", "send-email", 7)
    assert row["payload"]["to"] == "ada@example.com"
    assert row["published_at"] is not None
    client = QStash(qstash.token, base_url=qstash.url, retry=False)
    message = client.message.get(row["qstash_message_id"])
    client.http._client.close()
    assert message.url == URL
    assert json.loads(message.body or "")["jobId"] == job_id


def test_a_producer_renders_mails(installed: Path, tmp_path: Path) -> None:
    variables = {
        "MAIL_FROM": "us@example.com",
        "APP_URL": "https://app.example.com",
        "RESEND_API_KEY": "re_1",
    }
    assert run(installed, "-c", RENDER, cwd=tmp_path, **variables) == "True\n"


def test_a_producer_is_told_of_every_missing_variable(installed: Path, tmp_path: Path) -> None:
    program = PRODUCER.replace(
        "job_id = enqueue", "from shared.errors import MissingSettings\ntry:\n    enqueue"
    )
    program = program.replace(
        "print(shared.__file__, job_id)", "except MissingSettings as error:\n    print(error)"
    )
    said = run(installed, "-c", program, cwd=tmp_path)
    assert "DATABASE_URL is missing" in said
    assert "QSTASH_TOKEN is missing" in said


@pytest.mark.parametrize("package", ["functions", "infra", "tests"])
def test_a_producer_has_nothing_else_of_ours(installed: Path, tmp_path: Path, package: str) -> None:
    program = f"import importlib.util; print(importlib.util.find_spec('{package}'))"
    assert run(installed, "-c", program, cwd=tmp_path) == "None\n"


def test_the_wheel_holds_shared_whole(wheel: Path) -> None:
    ours = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "shared").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {"shared/py.typed", "shared/sql/claim_job.sql", "shared/emails/templates/layout.html"} <= ours
    assert "shared/testing/sql/list_accepted.sql" in ours
    assert held == ours
