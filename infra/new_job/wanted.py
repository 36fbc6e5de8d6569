"""What was asked for, and the job type that it comes to where a part of it is there already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.new_job.errors import Refused
from infra.new_job.names import Name

# A crash heals within the timeout and 90 s, and the sweep needs the first 30 of them.
_RANGES = {"retries": (0, 50), "timeout": (30, 870), "memory": (128, 10_240), "parallelism": (1, 5)}
_DEFAULTS = {"retries": 3, "timeout": 60, "memory": 512, "parallelism": 2}
_UNITS = {
    "timeout": " seconds",
    "memory": " MB",
    "parallelism": "; more need a larger ReservedConcurrency in template.yaml too (docs/capacity.md)",
}
_SENTENCE = re.compile(r"[A-Z0-9][\w ,;:'()/&%+-]{2,150}\.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command was told; None where the default will do, or what is there already."""

    name: Name
    description: str | None = None
    retries: int | None = None
    timeout: int | None = None
    memory: int | None = None
    parallelism: int | None = None

    def check(self) -> None:
        """Raise Refused for what no job type can have."""
        for option, (least, most) in _RANGES.items():
            number = getattr(self, option)
            if number is not None and not least <= number <= most:
                raise Refused(
                    f"{option.upper()} is {number} and must be {least} to {most}{_UNITS.get(option, '')}"
                )
        if self.description is not None and not _SENTENCE.fullmatch(self.description):
            raise Refused(
                f"DESCRIPTION is {self.description!r} and must be one sentence of at most 150 plain characters, with "
                'a capital first and a full stop, such as "Sends a text message."'
            )


@dataclass(frozen=True, slots=True)
class NewJob:
    """The job type to be: nothing is open any more. `timeout` is in seconds, `memory` in MB."""

    name: Name
    description: str
    retries: int
    timeout: int
    memory: int
    parallelism: int

    @classmethod
    def of(cls, wanted: Wanted, there: Mapping[str, int | str]) -> NewJob:
        """What is wanted, where the registry and the template have not said it yet. Raises Refused if they differ."""
        wanted.check()
        for option, value in there.items():
            asked = getattr(wanted, option)
            if asked is not None and asked != value:
                raise Refused(
                    f"{wanted.name.type} is there already, with {option} {value!r}: change that in shared/registry.py "
                    "and template.yaml yourself, new-job only adds what is missing"
                )
        chosen = {
            option: there.get(option, default if getattr(wanted, option) is None else getattr(wanted, option))
            for option, default in (_DEFAULTS | {"description": _described(wanted.name)}).items()
        }
        return cls(
            name=wanted.name,
            description=str(chosen["description"]),
            **{option: int(chosen[option]) for option in _DEFAULTS},
        )


def _described(name: Name) -> str:
    """A sentence, `Send sms.`, until there is a better one."""
    return name.type.replace("-", " ").capitalize() + "."
