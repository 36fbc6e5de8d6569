"""shared/registry.py: which job types there are, read without running it, and one more."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from infra.new_job.errors import Refused
from infra.new_job.names import Name
from infra.new_job.wanted import NewJob

PATH = "shared/registry.py"


@dataclass(frozen=True, slots=True)
class Registry:
    """The file as far as it lists job types. The numbers are of the lines after which another one goes."""

    types: tuple[str, ...]
    configs: dict[str, ast.Call]
    end_of_types: int
    end_of_configs: int

    @classmethod
    def parse(cls, text: str) -> Registry:
        """Raises Refused where it is no Python, or has not the two lists."""
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            raise Refused(f"{PATH} cannot be read, line {error.lineno}: {error.msg}") from None
        members = [
            node
            for enum in tree.body
            if isinstance(enum, ast.ClassDef) and enum.name == "JobType"
            for node in enum.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        ]
        calls = [
            call
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_CONFIGS"
            for call in getattr(node.value, "elts", [])
            if isinstance(call, ast.Call) and call.args
        ]
        if not members or not calls:
            raise Refused(f"{PATH} has no class JobType with members, or no tuple _CONFIGS: put them back")
        names = {ast.unparse(node.targets[0]): str(_constant(node.value)) for node in members}
        return cls(
            types=tuple(names.values()),
            configs={
                names.get(ast.unparse(call.args[0]).removeprefix("JobType."), ""): call for call in calls
            },
            end_of_types=members[-1].end_lineno or 0,
            end_of_configs=calls[-1].end_lineno or 0,
        )

    def names(self) -> list[Name]:
        """All job types, in the file's order."""
        return [Name(each.replace("-", "_")) for each in self.types]

    def says(self, name: Name) -> dict[str, int | str]:
        """How a type that is there is delivered and run, as far as new-job writes it."""
        call = self.configs.get(name.type)
        if call is None:
            return {}
        given = {each.arg: each.value for each in call.keywords}
        found = {option: _constant(given.get(option)) for option in ("description", "retries", "timeout")}
        flow = given.get("flow_control")
        if isinstance(flow, ast.Call):
            found["parallelism"] = next(
                (_constant(each.value) for each in flow.keywords if each.arg == "parallelism"), None
            )
        return {option: value for option, value in found.items() if isinstance(value, int | str)}


def with_type(text: str, job: NewJob) -> str:
    """The file with the type's member and its JobConfig."""
    registry = Registry.parse(text)
    lines = text.splitlines(keepends=True)
    if job.name.type not in registry.configs:  # the later lines first
        lines.insert(registry.end_of_configs, _config(job))
    if job.name.type not in registry.types:
        lines.insert(registry.end_of_types, f'    {job.name.member} = "{job.name.type}"\n')
    return "".join(lines)


def _config(job: NewJob) -> str:
    return f"""\
    JobConfig(
        JobType.{job.name.member},
        retries={job.retries},
        timeout={job.timeout},
        description="{job.description}",
        flow_control=FlowControl(parallelism={job.parallelism}),
    ),
"""


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None
