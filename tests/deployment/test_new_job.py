"""`make new-job`, in a copy of this repository: green at once, the same twice, and nothing at all where it is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import boto3
import httpx
import pytest

from infra.local.aws import REGION
from infra.local.cloud import LocalCloud, LocalCloudError
from infra.new_job import writing
from infra.new_job.__main__ import main
from infra.new_job.errors import Refused
from infra.new_job.names import Name
from infra.new_job.plan import Plan, plan
from infra.new_job.wanted import Wanted
from infra.template import ROOT, Template

Tree = dict[str, bytes]
ASKED = ["send_sms", "--description", "Sends a text message."]
LONGEST = "recalculate_the_yearly_statement_of_fees"
# What holds registry, template, functions, events and documents together, as far as it looks at the new types.
TESTS = (
    "tests/unit/test_registry.py",
    "tests/unit/test_cost.py",
    "tests/unit/test_api_document.py",
    "tests/unit/test_documentation.py::test_each_page_is_reached_from_the_readme",
    "tests/unit/test_documentation.py::test_each_job_names_the_tests_of_its_crash_and_of_its_second_run",
    "tests/unit/test_documentation.py::test_each_test_named_is_there[docs/job-crashes.md]",
    "tests/unit/test_documentation.py::test_each_relative_link_leads_somewhere[docs/jobs/send-sms.md]",
    "tests/unit/test_documentation.py::test_python_compiles[docs/jobs/send-sms.md]",
    "tests/artifact/test_template.py",
    "--deselect=tests/artifact/test_template.py::test_new_layer_reaches_the_alias",  # dear, and the same of each
    "tests/artifact/test_capacity.py",
    "tests/artifact/test_observability.py",
    "tests/artifact/test_imports.py::test_function_loads_what_its_list_says[send_sms]",
    "tests/artifact/test_permissions.py::test_a_function_may_do_what_its_code_does_and_no_more[SendSmsFunction]",
    "tests/integration/workers/test_send_sms.py",
)

ABOUT_THEM = (
    "not [ or send_sms or send-sms or sendsms or recalculate"  # of what is parametrized, only the new types
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's files, those that git ignores left out."""
    folder = tmp_path_factory.mktemp("original") / "posthaste"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def copy(original: Path) -> Iterator[Path]:
    """The same files, for a test to change: what it changed is put back."""
    before = tree(original)
    yield original
    after = tree(original)
    for name in after.keys() - before.keys():
        (original / name).unlink()
        with suppress(OSError):  # others' files are in it
            (original / name).parent.rmdir()
    for name, content in before.items():
        if after.get(name) != content:
            (original / name).write_bytes(content)


def tree(folder: Path) -> Tree:
    """All that may change, by path."""
    tops = ("shared", "functions", "infra", "docs", "tests/integration/workers", "README.md", "template.yaml")
    files = [file for top in tops for file in (folder / top, *(folder / top).rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.suffix != ".pyc"}


def planned(folder: Path, name: str = "send_sms") -> Plan:
    return plan(folder, Wanted(Name.of(name)))


# --- what it writes ------------------------------------------------------------------------------------------


def test_what_it_wrote_is_green_at_once(original: Path, tmp_path: Path, cloud: LocalCloud) -> None:
    """By the command itself; of two types, the second with every option and the longest of names."""
    folder = shutil.copytree(original, tmp_path / "posthaste")
    for venv in (".venv", ".venv-sam"):
        (folder / venv).symlink_to(ROOT / venv)
    make(folder, "NAME=send_sms", "DESCRIPTION=Sends a text message.")
    options = ("RETRIES=0", "TIMEOUT=870", "MEMORY=1024", "PARALLELISM=1")
    make(folder, f"NAME={LONGEST}", "DESCRIPTION=Adds up: the fees, and what they're for.", *options)
    run(
        folder,
        "-m",
        "ruff",
        "format",
        "--check",
        "--quiet",
        "shared",
        "functions",
        "tests/integration/workers",
    )
    run(folder, "-m", "ruff", "check", "--quiet", "shared", "functions", "tests/integration/workers")
    assert cloud.postgres is not None
    server = {"TEST_DATABASE_URL": cloud.postgres.url, "PYTEST_XDIST_WORKER": "new_job"}
    pytest_ = ["-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    run(folder, *pytest_, *TESTS, "-k", ABOUT_THEM, variables=server)
    function = Template(folder / "template.yaml").functions["RecalculateTheYearlyStatementOfFeesFunction"]
    assert (function.properties["Timeout"], function.properties["MemorySize"]) == (875, 1024)
    handler = folder / "functions/send_sms/handler.py"
    handler.write_text(handler.read_text().replace("len(job.payload.note)", "0"))
    said = run(folder, *pytest_, "tests/integration/workers/test_send_sms.py", exit_code=1, variables=server)
    assert "3 failed, 3 passed" in said


def make(folder: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "-o", "setup", "new-job", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(folder: Path, *arguments: str, exit_code: int = 0, variables: Mapping[str, str] = {}) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == exit_code, said
    return said


# --- again ---------------------------------------------------------------------------------------------------


def test_twice_is_once(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ASKED, copy) == 0
    once = tree(copy)
    capsys.readouterr()
    assert main(["send-sms"], copy) == 0
    assert tree(copy) == once
    assert capsys.readouterr().out == "✓ send-sms is all there: nothing was changed\n"


def test_of_a_type_that_is_there_in_part_the_rest_is_added(copy: Path) -> None:
    """Each file in turn as it was before, which is where a killed run may have stopped."""
    changes = planned(copy).changes
    main(["send_sms"], copy)
    whole = tree(copy)
    for change in changes:
        if change.before is None:
            (copy / change.path).unlink()
        else:
            (copy / change.path).write_bytes(change.before.encode())
        assert main(["send_sms"], copy) == 0
        assert tree(copy) == whole, change.path


def test_what_you_wrote_stays_and_decides(copy: Path) -> None:
    main([*ASKED, "--timeout", "120", "--retries", "1"], copy)
    template = (copy / "template.yaml").read_text()
    yours = "# mine\n" + (copy / "functions/send_sms/handler.py").read_text()
    (copy / "functions/send_sms/handler.py").write_text(yours)
    (copy / "template.yaml").write_bytes((ROOT / "template.yaml").read_bytes())
    assert main(["send_sms"], copy) == 0
    assert (copy / "functions/send_sms/handler.py").read_text() == yours
    assert (copy / "template.yaml").read_text() == template
    assert "      Timeout: 125\n" in template


def test_an_option_that_differs_from_what_is_there_is_refused(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*ASKED, "--timeout", "120"], copy)
    before = tree(copy)
    assert main(["send_sms", "--timeout", "60"], copy) == 2
    assert "send-sms is there already, with timeout 120" in capsys.readouterr().err
    assert tree(copy) == before


def test_a_test_of_yours_is_not_said_to_show_what_it_does_not(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = copy / "tests/integration/workers/test_send_sms.py"
    test.write_text(
        "from functions.send_sms.handler import handler\n\n\ndef test_it() -> None:\n    assert handler\n"
    )
    assert main(ASKED, copy) == 0
    assert "docs/job-crashes.md needs a row that names your tests" in capsys.readouterr().out
    assert "send-sms" not in (copy / "docs/job-crashes.md").read_text()


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "say what it is called: make new-job NAME=send_sms"),
        ("SendSms", "words of small letters, with '_' between them, such as send_sms"),
        ("send sms", "such as send_sms"),
        ("2fa_code", "such as send_sms"),
        ("_send_sms", "such as send_sms"),
        ("__init__", "such as init"),
        ("send__sms", "such as send_sms"),
        ("send.sms", "such as send_sms"),
        ("../send_sms", "such as send_sms"),
        ("größe", "and must be words of small letters"),
        ("send_sms\n", "such as send_sms"),
        ("a" * 41, "is 41 characters: 40 at most"),
        ("send_2fa", "digits only at a word's end"),
        ("x_ray", "would be looked for in functions/xray"),
        ("import", "a word of Python's own"),
        ("match", "a word of Python's own"),
        ("test", "this repository means something else by"),
        ("jobs", "this repository means something else by"),
        ("shared", "this repository means something else by"),
        ("payload", "its payload Payload would hide another class"),
        ("exception", "its payload Exception would hide another class"),
        ("reconcile", "functions/reconcile/handler.py is there already and is about something else"),
        ("jobs_api", "is there already and is about something else"),
        ("provision", "is there already and is about something else"),
        ("receive-webhook", "is there already and is about something else"),
        ("record_failure", "is there already and is about something else"),
        ("dates_without_end", "test_dates_without_end.py is there already and is about something else"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    original: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(original)
    assert main([name], original) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.endswith("Nothing was written\n")
    assert tree(original) == before


@pytest.mark.parametrize("name", ["ping", "send_email", "crm-match"])
def test_of_a_type_that_has_been_there_for_long_nothing_is_missing(original: Path, name: str) -> None:
    assert not [each.path for each in planned(original, name).changes if each.is_needed]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timeout", "29"], "TIMEOUT is 29 and must be 30 to 870 seconds"),
        (["--timeout", "900"], "TIMEOUT is 900 and must be 30 to 870 seconds"),
        (["--retries", "-1"], "RETRIES is -1 and must be 0 to 50"),
        (["--memory", "64"], "MEMORY is 64 and must be 128 to 10240 MB"),
        (
            ["--parallelism", "6"],
            "PARALLELISM is 6 and must be 1 to 5; more need a larger ReservedConcurrency",
        ),
        (["--parallelism", "5"], "would take 98 of 97 (Postgres, connections)"),
        (["--description", "Sends"], "must be one sentence"),
        (["--description", "Sends. Twice."], "must be one sentence"),
        (["--description", 'Sends "all".'], "must be one sentence"),
        (["--description", "Sends | all."], "must be one sentence"),
    ],
)
def test_what_no_type_can_have_is_refused(
    original: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(original)
    assert main(["send_sms", *options], original) == 2
    assert said in capsys.readouterr().err
    assert tree(original) == before


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("shared/registry.py", "class JobType(StrEnum):", "class JobType(StrEnum:", "cannot be read, line"),
        ("shared/registry.py", "_CONFIGS = (", "_ALL = (", "no tuple _CONFIGS"),
        ("shared/registry.py", "class JobType", "<<<<<<< ours\nclass JobType", "has a merge conflict"),
        ("template.yaml", "Resources:\n", "Resources: [\n", "template.yaml cannot be read"),
        ("template.yaml", '          "record-failure": ', '         "record-failure": ', "no line to go by"),
        ("template.yaml", "  PingFunction:\n", "  SendSmsFunction:\n", "something else already"),
        ("infra/observability.yaml", "    - Name\n", "    - Each\n", "not the lists of its two loops"),
        ("docs/capacity.md", "jobs at once", "jobs, at once", "does not add up what runs at once"),
        ("functions/jobs_api/openapi.json", "{", "", "run make openapi"),
        (
            "template.yaml",
            "  JobEndpoints:\n",
            "  Endpoints:\n",
            "template.yaml is not laid out as new-job knows it",
        ),
        ("shared/registry.py", "    ),\n)\nREGISTRY", "    ))\nREGISTRY", "shared/registry.py"),
        ("README.md", None, None, "there is no README.md in"),
    ],
)
def test_a_file_that_is_not_as_it_was_is_named_and_nothing_is_written(
    copy: Path, path: str, old: str | None, new: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if old is None or new is None:
        (copy / path).unlink()
    else:
        text = (copy / path).read_text()
        assert old in text
        (copy / path).write_text(text.replace(old, new, 1))
    before = tree(copy)
    assert main(ASKED, copy) == 2
    assert said in capsys.readouterr().err
    assert tree(copy) == before


# --- what goes wrong on the way ------------------------------------------------------------------------------


def fail_at(monkeypatch: pytest.MonkeyPatch, method: str, number: int) -> None:
    """Have this call of a method of Path fail, once."""
    calls = iter(range(1000))
    real = getattr(Path, method)

    def failing(self: Path, *arguments: object) -> object:
        if next(calls) == number:
            raise OSError(28, "No space left on device")
        return real(self, *arguments)

    monkeypatch.setattr(Path, method, failing)


@pytest.mark.parametrize("method", ["replace", "write_bytes", "mkdir"])
def test_a_write_that_fails_leaves_all_as_it_was(
    copy: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folders = tree(copy), sorted(copy.rglob("*/"))
    changes = planned(copy).changes
    for number in range(1 if method == "mkdir" else len(changes)):
        with monkeypatch.context() as broken:
            fail_at(broken, method, number)
            with pytest.raises(OSError, match="No space left"):
                writing.write(copy, changes)
        assert tree(copy) == before, number
        assert sorted(copy.rglob("*/")) == folders


def test_a_file_that_somebody_changed_meanwhile_is_not_overwritten(copy: Path) -> None:
    changes = planned(copy).changes
    (copy / "template.yaml").write_text("# theirs\n")
    before = tree(copy)
    with pytest.raises(Refused, match=r"template\.yaml was changed meanwhile"):
        writing.write(copy, changes)
    assert tree(copy) == before


# --- a running make dev --------------------------------------------------------------------------------------


def test_a_running_cloud_serves_a_function_that_is_new_in_the_template(cloud: LocalCloud, copy: Path) -> None:
    """Here its handler is not in the checkout that the cloud runs: that it is looked for says that it is served."""
    main(ASKED, copy)
    assert "send-sms" not in cloud.endpoints
    assert cloud.reload(Template(copy / "template.yaml")) == ["send-sms"]
    assert httpx.post(cloud.endpoints["send-sms"], timeout=60).status_code == 502
    ssm = boto3.client(
        "ssm",
        endpoint_url=cloud.aws.url,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    told = ssm.get_parameter(Name=f"/{cloud.stack}/job-endpoints")["Parameter"]["Value"]
    assert f'"send-sms": "{cloud.endpoints["send-sms"]}"' in told
    assert cloud.reload(Template()) == []
    assert "send-sms" not in cloud.endpoints


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RESEND_SECRET_ARN: !Ref ResendSecret", "RESEND_SECRET_ARN: !Ref NewSecret", "NewSecret"),
        ('"ping": "$', '"pong": "$', "JobEndpoints names pong, which is no function"),
    ],
)
def test_a_template_that_cannot_be_served_leaves_the_functions_as_they_were(
    cloud: LocalCloud, copy: Path, old: str, new: str, said: str
) -> None:
    path = copy / "template.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    before = cloud.endpoints
    with pytest.raises(LocalCloudError, match=said):
        cloud.reload(Template(path))
    assert cloud.endpoints == before
