"""infra/observability.yaml: the job type's alarms, and its function's place on the dashboard."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from infra.new_job.errors import Refused
from infra.new_job.lines import after_last
from infra.new_job.names import Name
from infra.new_job.template import read
from infra.new_job.wanted import NewJob

PATH = "infra/observability.yaml"
_LOOP = re.compile(r"^    - Name\n    - \[([\w,\s]+)\]$", re.MULTILINE)
_LOOPS = 2  # SlowJobs and Functions
_WIDTH = 120


def with_parameter(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """The parameter that takes the function's name."""
    if job.name.function in read(text, PATH)["Parameters"]:
        return text
    line = f"  {job.name.function}: {{Type: String}}\n"
    return after_last(text, line, lambda each: f"  {each.function}: {{Type", known, PATH)


def with_threshold(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """How long its attempts may take on average: half of the timeout."""
    if job.name.class_name in read(text, PATH)["Mappings"]["Jobs"]:
        return text
    line = f"    {job.name.class_name}: {{Type: {job.name.type}, SlowSeconds: {job.timeout // 2}}}\n"
    return after_last(text, line, lambda each: f"    {each.class_name}: {{Type: ", known, PATH)


def with_alarms(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """Its name in the two loops that make the alarms. Raises Refused where they are not to be found."""
    if len(_LOOP.findall(text)) != _LOOPS:
        raise Refused(f"{PATH} has not the lists of its two loops as they were: put them back")
    return _LOOP.sub(lambda match: _with_name(match, job.name, known), text)


def with_widget(text: str, job: NewJob, known: Sequence[Name]) -> str:
    """Its function's line on the dashboard."""
    shown = f'"${{{job.name.function}}}"]'
    if shown in text:
        return text
    line = f'              ["...", {shown},\n'
    return after_last(text, line, lambda each: f'              ["...", "${{{each.function}}}"],', known, PATH)


def _with_name(match: re.Match[str], name: Name, known: Sequence[Name]) -> str:
    names = match[1].replace(",", " ").split()
    if name.class_name in names:
        return match[0]
    others = [names.index(each.class_name) for each in known if each.class_name in names]
    if not others:
        raise Refused(f"{PATH} has a loop without any job type: put them back")
    names.insert(max(others) + 1, name.class_name)
    lists = textwrap.wrap(
        f"    - [{', '.join(names)}]", _WIDTH, subsequent_indent="       ", break_long_words=False
    )
    return "\n".join(["    - Name", *lists])
