"""The files that are a job type's own, as they are when it is new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

from infra.new_job.names import Name
from infra.new_job.wanted import NewJob

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One file. `path`, and `mark`, by which the type's own is told from another of that name, are patterns."""

    path: str
    template: str
    what: str
    mark: str

    def path_of(self, name: Name) -> str:
        """Where it lies."""
        return self.path.format(name=name)

    def is_own(self, text: str, name: Name) -> bool:
        """Whether a file that lies there is this type's."""
        return self.mark.format(name=name) in text

    def text(self, job: NewJob) -> str:
        """What it says."""
        name = job.name
        template = Template((_TEMPLATES / self.template).read_text("utf-8"))
        return template.substitute(
            module=name.module,
            type=name.type,
            member=name.member,
            class_name=name.class_name,
            description=job.description,
        )


TEST = OwnFile(
    "tests/integration/workers/test_{name.module}.py",
    "test.py.txt",
    "its test, against a real Postgres",
    "functions.{name.module}.",
)
OWN_FILES = (
    OwnFile("shared/jobs/{name.module}.py", "payload.py.txt", "its payload", "class {name.class_name}("),
    OwnFile("functions/{name.module}/__init__.py", "package.py.txt", "its function's folder", ""),
    OwnFile(
        "functions/{name.module}/handler.py", "handler.py.txt", "its work", "shared.jobs.{name.module} import"
    ),
    TEST,
    OwnFile(
        "infra/events/{name.type}.json", "event.json.txt", "an example, for make event", "{name.type}.lambda"
    ),
    OwnFile("docs/jobs/{name.type}.md", "page.md.txt", "its page", "# {name.type}"),
)
