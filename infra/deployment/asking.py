"""Where the values of secrets come from: the environment, the operator's hidden input, or what is there already."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from infra.deployment.secret_entries import Entry
from infra.payload_keys import new_entry

Ask = Callable[[str], str]
_FROM_QSTASH = {"QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY"}
_HINTS = {
    "DATABASE_URL": "postgresql://user:password@host/name",
    "QSTASH_TOKEN": "Upstash console, QStash, of the stack's region",
    "RESEND_API_KEY": "re_…, from resend.com/api-keys",
    "PAYLOAD_KEYS": "what sensitive payloads are sealed under",
    "API_KEYS": "entries that `make api-key` prints, with commas between",
}


class GivenOpenly(Exception):
    """A secret's value was an argument of a command, where others can read it."""


@dataclass(slots=True)
class Answers:
    """The values that were given, by entry, and for each entry where its value is from."""

    values: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: str, origin: str) -> None:
        """Note a value."""
        self.values[name], self.origins[name] = value, origin


def gather(entries: Sequence[Entry], present: Mapping[str, str], ask: Ask | None = None) -> Answers:
    """A value for each entry that is to have a new one. What is there already is kept where none is given.

    The environment goes first; then whoever sits at the terminal is asked, unless there is none. They are asked too
    whether to take what the environment has: it may be that of another stack. QStash's signing keys are not asked for:
    QStash itself tells them. Raises GivenOpenly.
    """
    _refuse_arguments(entries)
    asking = ask or (getpass.getpass if sys.stdin.isatty() else None)
    answers = _from_environment(entries)
    if asking is not None and answers.values and not _takes(answers, asking):
        answers = Answers()
    for secret, members in _by_secret(entries).items():
        wanted = [each for each in members if each.name not in answers.values]
        required = any(each.required for each in members)
        if asking is not None and wanted and (required or _wants(secret, asking)):
            for each in wanted:
                _from_terminal(each.name, present, answers, asking)
    if "PAYLOAD_KEYS" not in answers.values and "PAYLOAD_KEYS" not in present:
        answers.add("PAYLOAD_KEYS", new_entry(), "newly made")
    return answers


def _refuse_arguments(entries: Iterable[Entry]) -> None:
    """`make secrets DATABASE_URL=…` would leave it in the shell's history and show it to every user of the machine."""
    given = dict(os.environ).get("MAKEFLAGS", "")  # make's own
    named = [each.name for each in entries if f" {each.name}=" in f" {given}"]
    if named:
        raise GivenOpenly(
            f"{', '.join(named)} was given as an argument, which the shell's history keeps and the process list shows: "
            "replace that value where it came from, then run `make secrets` without it and type the new one when asked"
        )


def _by_secret(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for each in entries:
        found.setdefault(each.secret, []).append(each)
    return found


def _from_environment(entries: Iterable[Entry]) -> Answers:
    environment, answers = dict(os.environ), Answers()
    for each in entries:
        if value := environment.get(each.name, "").strip():
            answers.add(each.name, value, "from the environment")
    return answers


def _takes(answers: Answers, ask: Ask) -> bool:
    return _yes(ask(f"Take {', '.join(answers.values)} from this shell's environment? [y/N] "))


def _wants(secret: str, ask: Ask) -> bool:
    return _yes(ask(f"{secret} is optional. Set its entries? [y/N] "))


def _yes(answer: str) -> bool:
    return answer.strip().lower() in {"y", "yes"}


def _from_terminal(name: str, present: Mapping[str, str], answers: Answers, ask: Ask) -> None:
    if name in _FROM_QSTASH:
        return
    otherwise = (
        "keeps what is there"
        if name in present
        else "makes one"
        if name == "PAYLOAD_KEYS"
        else "leaves it out"
    )
    hint = f"{_HINTS[name]}; " if name in _HINTS else ""
    value = ask(f"{name} ({hint}Enter {otherwise}): ").strip()
    if value:
        answers.add(name, value, "as typed")
