"""What README, docs/ and .env.example say can be followed: links, tests, commands, variables and code are there."""

from __future__ import annotations

import ast
import doctest
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

import shared.settings
from infra.deployment.secret_entries import secret_entries
from infra.local import dev
from infra.template import ROOT, Template
from shared import secrets
from shared.registry import JobType
from shared.settings import Settings

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ENV_EXAMPLE = ROOT / ".env.example"
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
_PRINTED = re.compile(r"^(?!>>>|\.\.\.).*\n", re.MULTILINE)
_MAKE = re.compile(r"(?:^|[\s;&])make +([a-zA-Z][\w-]*)", re.MULTILINE)
_VARIABLE = re.compile(r"#?([A-Z][A-Z0-9_]*)=(.*)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for _indent, language, body in _FENCED.findall(text_of(page)) if language in languages]


def prose(page: Path) -> str:
    return _FENCED.sub("", text_of(page))


# --- pages ---------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The headings' ids as GitHub makes them."""
    titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose(page))]
    return {title.replace(" ", "-") for title in titles}


@each_page
def test_each_relative_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_each_page_is_reached_from_the_readme() -> None:
    linked = {
        (ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(text_of(ROOT / "README.md"))
    }
    assert set(PAGES[1:]) <= linked


@each_page
def test_each_test_named_is_there(page: Path) -> None:
    for path, name in _TEST.findall(text_of(page)):
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        defined = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in defined, f"{path}::{name}"


def test_each_job_names_the_tests_of_its_crash_and_of_its_second_run() -> None:
    rows = re.findall(
        r"^\| ([a-z-]+) \| (.+) \| (.+) \|$", text_of(ROOT / "docs/job-crashes.md"), re.MULTILINE
    )
    named = {
        job: all(map(_TEST.search, cells)) for job, *cells in rows if not set(job) <= {"-"} and job != "job"
    }
    assert named == dict.fromkeys(set(map(str, JobType)) - {"ping"}, True)  # a ping has no effect


def test_each_line_of_the_contract_names_its_tests() -> None:
    promised = text_of(ROOT / "README.md").partition("## Delivery contract")[2].partition("\n[")[0]
    proved = text_of(ROOT / "docs/delivery-contract.md").partition("## The contract")[2].partition("\n## ")[0]
    lines = re.findall(r"^\d\. ", promised, flags=re.MULTILINE)
    proofs = re.split(r"^### \d\. ", proved, flags=re.MULTILINE)[1:]
    assert len(lines) == len(proofs) == 7
    assert all(_TEST.search(proof) for proof in proofs)


@pytest.mark.parametrize("page", [*PAGES, ENV_EXAMPLE], ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_named_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-zA-Z][\w-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    code = blocks(page, "sh") + _SPAN.findall(prose(page))
    named = {target for each in code for target in _MAKE.findall(each.partition("#")[0])}
    assert named <= targets


# --- names ---------------------------------------------------------------------------------------------------

_CODE = [ROOT / name for name in ("functions", "infra", "shared", "tests")]
_CODE_ENDINGS = {".py", ".sql", ".yaml", ".toml", ".html", ".txt"}
_NAME = re.compile(r"\b(?:\w+[a-z0-9]_\w+|\w*[a-z][A-Z]\w*|[A-Z0-9]+_[A-Z0-9_]+)\b")
_OF_OTHERS = {  # of Lambda, PgBouncer and Postgres; placeholders
    *("OutOfMemory", "server_login_retry", "connect_query", "disable_pqexec", "max_prepared_statements"),
    *("whsec_new", "whsec_old"),
    *("SendSmsFunction", "driver_connection"),
}
_FOR_EACH = re.compile(
    r"\w+(?=(?:Errors|Slow|Throttles)$)"
)  # alarms that infra/observability.yaml makes in a loop
GUIDES = [page for page in PAGES[1:] if page.parent.name != "adr" and page.name != "http-reference.md"]


@cache
def names_in_code() -> frozenset[str]:
    """Every word of the code, and every name of a file."""
    files = [path for folder in _CODE for path in folder.rglob("*") if path.suffix in _CODE_ENDINGS]
    files += [
        ROOT / name
        for name in ("Makefile", "template.yaml", "samconfig.toml", "pyproject.toml", ".env.example")
    ]
    words = {word for path in files for word in re.findall(r"\w+", path.read_text("utf-8"))}
    return frozenset(words | {path.stem for path in files})


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_name_in_a_page_is_in_the_code(page: Path) -> None:
    """A setting, a function, a column, a metric: whatever is written as one, unless the page's own examples have it."""
    own = {
        word
        for _indent, _language, body in _FENCED.findall(text_of(page))
        for word in re.findall(r"\w+", body)
    }
    spans = " ".join(_SPAN.findall(prose(page)))
    found = {name for name in _NAME.findall(spans) if not _FOR_EACH.match(name)}
    assert found - names_in_code() - own - _OF_OTHERS == set()


@each_page
def test_python_compiles(page: Path) -> None:
    for code in blocks(page, "python"):
        compile(code, str(page), "exec")
    for session in blocks(page, "pycon"):
        typed = _PRINTED.sub("", session)
        for example in doctest.DocTestParser().get_examples(typed):
            compile(example.source, str(page), "single")


def test_how_to_rotate_each_secret_is_said() -> None:
    page = text_of(ROOT / "docs" / "operations.md")
    chapter = page.partition("## Rotating secrets")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", chapter))
    secrets_of_the_stack = secret_entries(Template())
    assert not [each for each in secrets_of_the_stack if not {each.name, each.secret} & named]


# --- variables -----------------------------------------------------------------------------------------------


def described() -> dict[str, str]:
    """Each variable of .env.example with its value there."""
    return dict(filter(None, (_variable(line) for line in text_of(ENV_EXAMPLE).splitlines())))


def _variable(line: str) -> tuple[str, str] | None:
    match = _VARIABLE.fullmatch(line)
    return (match[1], match[2]) if match else None


@cache
def read_in(folder: Path) -> set[str]:
    """The variables that Python files read from `os.environ` by a literal name."""
    texts = (path.read_text("utf-8") for path in folder.rglob("*.py"))
    trees = [ast.parse(text) for text in texts if "environ" in text]
    return {name for tree in trees for node in ast.walk(tree) for name in _names_read(node)}


def _names_read(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Subscript(value=environ, slice=ast.Constant(str(name)), ctx=ast.Load()) if _is_environ(
            environ
        ):
            yield name
        case ast.Compare(left=ast.Constant(str(name)), comparators=[environ]) if _is_environ(environ):
            yield name
        case ast.Call(func=ast.Attribute(value=environ, attr="get"), args=[ast.Constant(str(name)), *_]) if (
            _is_environ(environ)
        ):
            yield name
        case ast.Call(func=ast.Attribute(attr="getenv"), args=[ast.Constant(str(name)), *_]):
            yield name


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) == "os.environ"


def groups_of_settings() -> list[type[Settings]]:
    found = [each for each in vars(shared.settings).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, Settings)]


def fields_of_settings() -> dict[str, FieldInfo]:
    return {
        field.alias or name: field
        for group in groups_of_settings()
        for name, field in group.model_fields.items()
    }


def read_by_shared() -> set[str]:
    """Literal names, and those that settings and secrets read by their tables."""
    in_secrets = {*secrets._SECRET_OF, *secrets._SECRET_OF.values()}
    in_groups = {
        name
        for group in groups_of_settings()
        for arn, names in group.secrets.items()
        for name in (arn, *names)
    }
    return read_in(ROOT / "shared") | in_secrets | in_groups | fields_of_settings().keys()


def read_elsewhere() -> set[str]:
    """By functions, by local commands and tests, and by Powertools, whose names begin with its own."""
    of_template = {
        name
        for function in Template().functions.values()
        for name in function.variables
        if "POWERTOOLS" in name
    }
    of_tests = {"TEST_DATABASE_URL"} & read_in(ROOT / "tests")
    return read_in(ROOT / "functions") | read_in(ROOT / "infra") | dev._PORTS.keys() | of_template | of_tests


def test_each_variable_that_is_read_is_described() -> None:
    assert read_by_shared() - described().keys() == set()
    assert read_elsewhere() - described().keys() == set()


def test_each_variable_described_is_read() -> None:
    assert described().keys() - read_by_shared() - read_elsewhere() == set()


def test_variables_are_read_where_these_tests_can_see_it() -> None:
    """A name computed at run time would go unnoticed; only the tables above may be read that way."""
    dynamic = re.compile(r"environ\.get\((?!\")|environ\[(?!\")|getenv\((?!\")")
    kit = ROOT / "shared" / "testing"  # sets variables for a while that are read elsewhere
    files = {path for path in (ROOT / "shared").rglob("*.py") if dynamic.search(path.read_text("utf-8"))}
    assert {path.name for path in files if kit not in path.parents} <= {"secrets.py"}


def test_each_variable_is_described_once_in_one_line_above_it() -> None:
    lines = text_of(ENV_EXAMPLE).splitlines()
    at = [number for number, line in enumerate(lines) if _variable(line)]
    assert len(at) == len(described())
    for number in at:
        assert re.fullmatch(r"# [A-Z].*[.)…]", lines[number - 1]), lines[number]


@pytest.mark.parametrize("name", described())
def test_a_shell_can_read_it(name: str) -> None:
    assert len(shlex.split(f"{name}={described()[name]}")) == 1


def test_defaults_are_the_codes() -> None:
    defaults = {
        name: str(field.default)
        for name, field in fields_of_settings().items()
        if not field.is_required() and field.default is not None
    }
    defaults |= {name: str(port) for name, port in dev._PORTS.items()}
    assert {name: described()[name] for name in defaults} == defaults
