"""What a new job type changes: every file as it is, and as it will be. Nothing is written here."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.new_job import documents, observability, registry, template
from infra.new_job.errors import Refused
from infra.new_job.files import OWN_FILES, TEST, OwnFile
from infra.new_job.names import Name
from infra.new_job.registry import Registry
from infra.new_job.wanted import NewJob, Wanted

_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
_TOLD_BY_CRASHES = {"test_after_a_crash_it_completes_once", "test_a_second_delivery_does_nothing"}

Edit = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Change:
    """One file: what is in it (None where it is not there), and what will be."""

    path: str
    what: str
    before: str | None
    after: str

    @property
    def is_needed(self) -> bool:
        """Whether the file lacks anything."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Plan:
    """All files that have to do with a job type, in the order in which they are written, and what is left to people."""

    job: NewJob
    changes: list[Change]
    notes: list[str]


def plan(root: Path, wanted: Wanted) -> Plan:
    """What `wanted` takes in the checkout at `root`. Raises Refused where it cannot be, or a file is not as it must be."""
    name = wanted.name
    listed = Registry.parse(_read(root, registry.PATH))
    own = _own_files(root, name, listed)
    job = NewJob.of(wanted, _there(root, name, listed))
    changes = [
        Change(file.path_of(name), file.what, text, file.text(job) if text is None else text)
        for file, text in own.items()
    ]
    edits, notes = _edits(job, listed), []
    if not _has_its_tests(own[TEST]):
        del edits[documents.CRASHES]
        if not documents.is_in_crashes(_read(root, documents.CRASHES), name):
            notes = [f"{documents.CRASHES} needs a row that names your tests of a crash and of a second run"]
    for path, (what, steps) in edits.items():
        text = _read(root, path)
        changes.append(Change(path, what, text, _edited(path, text, steps)))
    return Plan(job, changes, notes)


def _own_files(root: Path, name: Name, listed: Registry) -> dict[OwnFile, str | None]:
    """What is in the type's own files. Raises Refused where the type is new, and one of them is something else's."""
    paths = {file: file.path_of(name) for file in OWN_FILES}
    found = {file: _read(root, path) if (root / path).exists() else None for file, path in paths.items()}
    for file, text in found.items():
        if text is not None and name.type not in listed.types and not file.is_own(text, name):
            raise Refused(f"{paths[file]} is there already and is about something else: take another NAME")
    return found


def _there(root: Path, name: Name, listed: Registry) -> dict[str, int | str]:
    """What the registry, and where it is silent the template, says of the type already."""
    function = template.function_of(_read(root, template.PATH), name)
    said: dict[str, int | str] = {}
    if function is not None:
        memory, timeout = function.get("MemorySize", 512), function.get("Timeout")
        said |= {"memory": memory} if isinstance(memory, int) else {}
        said |= {"timeout": timeout - 5} if isinstance(timeout, int) else {}
    return said | listed.says(name)


def _edits(job: NewJob, listed: Registry) -> dict[str, tuple[str, list[Edit]]]:
    """What happens to each file that lists job types. The template comes last: `make dev` reads it anew then."""
    known = [each for each in listed.names() if each != job.name]
    types = [*listed.types, *([] if job.name.type in listed.types else [job.name.type])]

    def bound(edit: Callable[[str, NewJob, list[Name]], str]) -> Edit:
        return lambda text: edit(text, job, known)

    def of(*edits: Callable[[str, NewJob, list[Name]], str]) -> list[Edit]:
        return [bound(edit) for edit in edits]

    return {
        documents.README: ("its row", of(documents.in_readme)),
        documents.CAPACITY: ("how many at once, and what all take", of(documents.in_capacity)),
        documents.CRASHES: ("the tests of its crash and its second run", of(documents.in_crashes)),
        documents.OPENAPI: (
            "a type that the HTTP API takes",
            [lambda text: documents.in_openapi(text, types)],
        ),
        registry.PATH: (
            "how it is delivered and run",
            [lambda text: registry.with_type(text, job)],
        ),
        observability.PATH: (
            "its alarms, and its place on the dashboard",
            of(
                observability.with_parameter,
                observability.with_threshold,
                observability.with_alarms,
                observability.with_widget,
            ),
        ),
        template.PATH: (
            "its function, log group and URL",
            of(template.with_function, template.with_endpoint, template.with_parameter),
        ),
    }


def _edited(path: str, text: str, edits: list[Edit]) -> str:
    """The file with all edits. Each must find what it has written when it reads the file again, or it is refused."""
    laid_out = Refused(
        f"{path} is not laid out as new-job knows it: put it back, or add the job type by hand there"
    )
    try:
        for edit in edits:
            text = edit(text)
        again = [edit(text) for edit in edits]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise laid_out from error
    if any(each != text for each in again):
        raise laid_out
    return text


def _has_its_tests(text: str | None) -> bool:
    """Whether the test has what docs/job-crashes.md would name; a new one has."""
    if text is None:
        return True
    try:
        defined = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    except SyntaxError:
        return False
    return defined >= _TOLD_BY_CRASHES


def _read(root: Path, path: str) -> str:
    try:
        text = (root / path).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise Refused(f"there is no {path} in {root}: run this in a checkout of Posthaste") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if _CONFLICT.search(text):
        raise Refused(f"{path} has a merge conflict: resolve it first")
    return text
