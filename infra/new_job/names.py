"""A job type's name, and the names that follow from it everywhere."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass

from infra.new_job.errors import Refused

_WORDS = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_CAPITAL_WITHIN = re.compile(r"([a-z0-9])([A-Z])")
# CloudFormation makes a function's name of the stack's, the resource's and 12 characters, and cuts what is above 64.
_LONGEST = 40
_OURS = frozenset(
    {"function", "functions", "handler", "infra", "job", "jobs", "shared", "test", "tests", "worker"}
)
# What the new files import: a payload class of that name would hide it.
_IMPORTED = frozenset(
    {"Any", "Complete", "Connection", "Crash", "Done", "FaultPoint", "Field", "InvalidJob", "Job", "JobType"}
    | {"Payload", "Runner", "WireModel"}
)


@dataclass(frozen=True, slots=True)
class Name:
    """`send_sms`, and what it is called elsewhere."""

    module: str

    @classmethod
    def of(cls, text: str) -> Name:
        """The name that was asked for; `send-sms` is `send_sms`. Raises Refused for one that could not be used.

        >>> Name.of("send-sms").class_name
        'SendSms'
        """
        if not text:
            raise Refused("say what it is called: make new-job NAME=send_sms")
        name = cls(text.replace("-", "_"))
        if problem := name._problem():
            raise Refused(f"NAME is {text!r}{problem}")
        return name

    @property
    def type(self) -> str:
        """As the registry, the endpoints and the documents have it: `send-sms`."""
        return self.module.replace("_", "-")

    @property
    def member(self) -> str:
        """As JobType has it: `SEND_SMS`."""
        return self.module.upper()

    @property
    def class_name(self) -> str:
        """The payload's class, as the registry derives it: `SendSms`."""
        return self.type.title().replace("-", "")

    @property
    def function(self) -> str:
        """The template's resource: `SendSmsFunction`."""
        return f"{self.class_name}Function"

    @property
    def log_group(self) -> str:
        """The template's resource: `SendSmsLogGroup`."""
        return f"{self.class_name}LogGroup"

    def _problem(self) -> str | None:
        if not _WORDS.fullmatch(self.module):
            return f" and must be words of small letters, with '_' between them, such as {self._meant()}"
        if len(self.module) > _LONGEST:
            return (
                f", which is {len(self.module)} characters: {_LONGEST} at most, names on AWS are made of it"
            )
        if self._led_back() != self.module:
            return (
                f": its resource {self.function} would be looked for in functions/{self._led_back()}. Take words "
                "of two letters or more, with digits only at a word's end"
            )
        return self._taken()

    def _taken(self) -> str | None:
        if keyword.iskeyword(self.module) or keyword.issoftkeyword(self.module):
            return ", a word of Python's own: take another, two words say more"
        if self.module in _OURS:
            return ", which this repository means something else by: take two words, such as send_sms"
        if self.class_name in _IMPORTED or hasattr(builtins, self.class_name):
            return f": its payload {self.class_name} would hide another class of that name. Take another"
        return None

    def _led_back(self) -> str:
        """The folder that the Makefile makes of the resource's name."""
        return _CAPITAL_WITHIN.sub(r"\1_\2", self.class_name).lower()

    def _meant(self) -> str:
        words = re.findall(r"[a-z0-9]+", _CAPITAL_WITHIN.sub(r"\1_\2", self.module).lower())
        suggestion = "_".join(words)
        return suggestion if _WORDS.fullmatch(suggestion) else "send_sms"
