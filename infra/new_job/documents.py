"""The pages and the OpenAPI document that list every job type."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from infra.new_job.errors import Refused
from infra.new_job.lines import after_last
from infra.new_job.names import Name
from infra.new_job.wanted import NewJob

README, CAPACITY = "README.md", "docs/capacity.md"
CRASHES, OPENAPI = "docs/job-crashes.md", "functions/jobs_api/openapi.json"
_AROUND = re.compile(r"are\s+counted\s+as\s+(\d+)")
_AT_ONCE = re.compile(r"(that\s+is\s+)(\d+)(\s+jobs\s+at\s+once)")
_LAMBDA = re.compile(r"^(\| Lambda, concurrent executions \| )(\d+)( \| (\d+).*)$", re.MULTILINE)
_POSTGRES = re.compile(r"^(\| Postgres, connections \| )(\d+)( \| (\d+).*)$", re.MULTILINE)
_CONNECTIONS = 2  # a job's


def in_readme(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """Its row, which leads to its page."""
    row = f"| [{job.name.type}](docs/jobs/{job.name.type}.md) |"
    if row in text:
        return text
    does = job.description[0].lower() + job.description[1:].removesuffix(".")
    return after_last(
        text, f"{row} {does} |\n", lambda each: f"| [{each.type}](docs/jobs/{each.type}.md) |", known, README
    )


def in_capacity(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """Its row, and what all types together take. Raises Refused where that is more than there is."""
    row = f"| `{job.name.type}` |"
    if row in text:
        return text
    text = after_last(
        text, f"{row} {job.parallelism} |\n", lambda each: f"| `{each.type}` |", known, CAPACITY
    )
    jobs = int(_found(_AT_ONCE, text)[2]) + job.parallelism
    around = int(_found(_AROUND, text)[1])
    text = _AT_ONCE.sub(rf"\g<1>{jobs}\g<3>", text)
    for row_of, taken in ((_LAMBDA, jobs + around), (_POSTGRES, _CONNECTIONS * jobs + around)):
        there = int(_found(row_of, text)[4])
        if taken >= there:
            raise Refused(
                f"all job types at once would take {taken} of {there} ({_found(row_of, text)[0].split('|')[1].strip()}): "
                f"take a smaller PARALLELISM, lower others in shared/registry.py, or raise what is there and say so in "
                f"{CAPACITY}, as it describes"
            )
        text = row_of.sub(rf"\g<1>{taken}\g<3>", text)
    return text


def in_crashes(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """Its row, which names the tests of its crash and of its second run."""
    if is_in_crashes(text, job.name):
        return text
    file = f"tests/integration/workers/test_{job.name.module}.py"
    cells = f"`{file}::test_after_a_crash_it_completes_once` | `{file}::test_a_second_delivery_does_nothing`"
    row = f"| {job.name.type} | {cells} |\n"
    return after_last(text, row, lambda each: f"| {each.type} |", known, CRASHES)


def is_in_crashes(text: str, name: Name) -> bool:
    """Whether the page has a row of it."""
    return f"\n| {name.type} |" in text


def in_openapi(text: str, types: Sequence[str]) -> str:
    """All types as those that the HTTP API takes, as `make openapi` would write them."""
    try:
        document = json.loads(text)
        document["components"]["schemas"]["JobType"]["enum"] = list(types)
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{OPENAPI} cannot be read: put it back, or run make openapi") from None
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.search(text)
    if match is None:
        raise Refused(f"{CAPACITY} does not add up what runs at once as it did: put that back")
    return match
