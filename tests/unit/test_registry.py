"""The table of job types, the names that follow from it, and which way imports may point."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import PosthasteError, UnknownJobType
from shared.jobs.send_email import SendEmail
from shared.registry import REGISTRY, JobConfig, JobType, get_job_config

ROOT = Path(__file__).parents[2]
TABLE = {
    "send-email": (3, 30),
    "process-webhook": (5, 60),
    "process-stripe-webhook": (5, 60),
    "export-data": (2, 300),
    "generate-report": (2, 180),
    "cleanup-old-data": (1, 600),
    "syndicate-listing": (3, 60),
    "send-reminder": (3, 60),
    "crm-match": (3, 60),
    "send-notification": (3, 60),
    "ping": (2, 30),
}
CONFIGS = pytest.mark.parametrize("config", REGISTRY.values(), ids=lambda each: each.type.value)


def test_there_are_these_types_with_these_retries_and_timeouts() -> None:
    """And those that were added since, `make new-job` being the way."""
    found = {each.type.value: (each.retries, each.timeout) for each in REGISTRY.values()}
    assert found | TABLE == found
    assert set(JobType) == set(REGISTRY)


@CONFIGS
def test_a_type_leaves_lambda_time_to_record_the_end(config: JobConfig) -> None:
    assert 0 < config.timeout <= 870


@CONFIGS
def test_a_type_is_described_in_one_sentence(config: JobConfig) -> None:
    assert config.description.endswith(".")
    assert config.description.count(".") == 1


@CONFIGS
def test_a_types_flow_control_is_one_that_qstash_takes(config: JobConfig) -> None:
    limits = config.flow_control
    assert limits is not None
    assert limits.parallelism is None or limits.parallelism > 0
    assert limits.rate is None or limits.rate > 0
    assert 1 <= limits.period <= 604_800


def test_names_map_mechanically() -> None:
    names = {each.value: (each.module, each.class_name) for each in JobType}
    assert names["send-email"] == ("send_email", "SendEmail")
    assert names["process-stripe-webhook"] == ("process_stripe_webhook", "ProcessStripeWebhook")
    assert names["crm-match"] == ("crm_match", "CrmMatch")
    for each in JobType:
        assert each.name == each.module.upper()
        assert each.module.replace("_", "-") == each.value


def test_a_type_is_found_by_its_name_or_itself() -> None:
    assert get_job_config("send-email") is get_job_config(JobType.SEND_EMAIL) is REGISTRY[JobType.SEND_EMAIL]


@pytest.mark.parametrize("name", ["send-mail", "SEND_EMAIL", "send_email", "", "send-email "])
def test_an_unknown_type_lists_the_names_there_are(name: str) -> None:
    with pytest.raises(UnknownJobType) as caught:
        get_job_config(name)
    assert str(caught.value) == f"there is no job type {name!r}; there are {', '.join(JobType)}"
    assert isinstance(caught.value, PosthasteError)
    assert isinstance(caught.value, LookupError)


def test_a_payload_is_found_by_its_types_name() -> None:
    assert get_job_config("send-email").payload is SendEmail


@pytest.mark.parametrize(
    "path", sorted((ROOT / "shared" / "jobs").glob("[a-z]*.py")), ids=lambda path: path.stem
)
def test_each_payload_module_is_a_types(path: Path) -> None:
    config = get_job_config(path.stem.replace("_", "-"))
    assert config.payload.__name__ == config.type.class_name
    assert config.payload.job_type is config.type


def test_a_type_without_a_payload_says_where_to_define_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobType, "module", property(lambda _self: "not_written"))
    with pytest.raises(UnknownJobType) as caught:
        _ = get_job_config("crm-match").payload
    assert str(caught.value) == (
        "job type 'crm-match' has no payload yet: define CrmMatch in shared.jobs.not_written"
    )


# --- imports -----------------------------------------------------------------------------------------------


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """The packages that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


# Deployed with the one function that migrates and schedules; they know nothing of the local cloud.
DEPLOYED_OF_INFRA = {"infra.migrations", "infra.schedules"}


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("shared", {"functions", "infra", "tests"}), ("functions", {"infra", "tests"}), ("infra", {"tests"})],
)
def test_imports_point_down_only(package: str, forbidden: set[str]) -> None:
    for path in sources(package):
        tree = ast.parse(path.read_text("utf-8"))
        found = forbidden & set(imported(tree))
        if "provision" in path.parts and found == {"infra"}:
            found = {
                each for each in imported_from_infra(tree) if not each.startswith(tuple(DEPLOYED_OF_INFRA))
            }
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


# It can be lifted out whole, under any name, and so imports itself by no name.
LIFTED_OUT = ROOT / "infra" / "local" / "qstash"


def test_imports_are_absolute() -> None:
    for path in sources("shared") + sources("functions") + sources("infra"):
        parts = path.relative_to(LIFTED_OUT).parts if path.is_relative_to(LIFTED_OUT) else ()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            level = node.level if isinstance(node, ast.ImportFrom) else 0
            assert level <= len(parts), f"{path.relative_to(ROOT)} imports {'.' * level} by its place"


def imported_from_infra(tree: ast.Module) -> set[str]:
    """The modules of infra that a module imports."""
    return {
        node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("infra")
    }


def test_nothing_deployed_names_the_local_cloud() -> None:
    for path in sources("shared") + sources("functions"):
        for text in strings(ast.parse(path.read_text("utf-8"))):
            assert not text.startswith("infra."), f"{path.relative_to(ROOT)} names {text}"


def strings(tree: ast.Module) -> Iterator[str]:
    """A module's strings, docstrings aside."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


# Jobs whose subject is the table itself: they export it, report on it, and delete what is past its retention.
WORK_ON_THE_TABLE = {"export_data", "generate_report", "cleanup_old_data"}
READS_THE_TABLE = "jobs_api"  # what people look at: its statements lie with it, and only read
TEST_KIT = ROOT / "shared" / "testing"  # never deployed; it moves the time of rows, which nothing else may


def test_nothing_imports_the_test_kit() -> None:
    for path in sources("shared") + sources("functions") + sources("infra"):
        if TEST_KIT not in path.parents:
            assert "shared.testing" not in path.read_text("utf-8"), path.relative_to(ROOT)


def test_only_executions_has_sql_of_the_table() -> None:
    statements = {path.stem for path in (ROOT / "shared" / "sql").glob("*.sql")}
    for path in sources("shared"):
        if TEST_KIT in path.parents:
            continue
        found = set(strings(ast.parse(path.read_text("utf-8"))))
        if path.parent == ROOT / "shared" / "executions":
            assert ("sql" in found) == (path.name == "statements.py")
            continue
        where = path.relative_to(ROOT)
        assert not any("job_executions" in text for text in found - {"job_executions"}), (
            f"{where} has its SQL"
        )
        assert not statements & found, f"{where} names a statement's file"
        assert not any(text == "sql" or text.endswith(".sql") for text in found), f"{where} reads SQL files"


def test_functions_keep_to_the_applications_tables() -> None:
    for path in sorted((ROOT / "functions").rglob("*")):
        if path.suffix in {".py", ".sql"} and path.relative_to(ROOT).parts[1] not in {
            *WORK_ON_THE_TABLE,
            READS_THE_TABLE,
        }:
            assert "job_executions" not in path.read_text("utf-8"), (
                f"{path.relative_to(ROOT)} has SQL of the table"
            )


def test_the_api_only_reads_the_table() -> None:
    """Every write is one of the statements of `shared.executions`, which keep the protocol."""
    written = re.compile(
        r"\b(INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|ALTER TABLE)\s+job_(executions|batches)|FOR UPDATE"
    )
    files = [
        path for path in (ROOT / "functions" / READS_THE_TABLE).rglob("*") if path.suffix in {".py", ".sql"}
    ]
    assert any("job_executions" in path.read_text("utf-8") for path in files)
    for path in files:
        assert not written.search(path.read_text("utf-8")), path.name


def test_each_statement_of_the_api_is_used_and_is_one() -> None:
    folder = ROOT / "functions" / READS_THE_TABLE
    code = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    for path in (folder / "sql").glob("*.sql"):
        assert f'"{path.stem}"' in code, path.stem
        text = "\n".join(line.partition("--")[0] for line in path.read_text("utf-8").splitlines())
        assert text.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}
        assert ";" not in text
