"""What a probe finds."""

from __future__ import annotations

from dataclasses import dataclass, field


class Wrong(Exception):
    """Something does not work: `remedy` says what to do about it. Neither shows a secret's value."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}: {remedy}")


@dataclass(frozen=True, slots=True)
class Works:
    """It works: the detail says what was seen, `warnings` what an operator should know all the same."""

    detail: str
    warnings: list[str] = field(default_factory=list)
