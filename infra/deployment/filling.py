"""`make secrets`: a stack's secrets are filled in, checked, and put to use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psycopg

from infra.deployment.asking import Answers, Ask, gather
from infra.deployment.aws import Account, DeployedStack
from infra.deployment.doctor.target import endpoints_parameter, qstash_url
from infra.deployment.lines import Line, show
from infra.deployment.probes.api_keys import probe_api_keys
from infra.deployment.probes.database import probe_database, safe_words
from infra.deployment.probes.payload_keys import probe_payload_keys, probe_replaced_keys
from infra.deployment.probes.qstash import signing_keys
from infra.deployment.probes.resend import probe_resend
from infra.deployment.probes.wrong import Works, Wrong
from infra.deployment.secret_entries import Entry, secret_entries
from infra.migrations import MigrationError, migrate
from infra.samconfig import Environment
from infra.schedules.applying import apply
from infra.schedules.stack import Stack
from infra.schedules.template import InvalidSchedules
from infra.template import Template
from shared.errors import PosthasteError

_KEYS = ("QSTASH_CURRENT_SIGNING_KEY", "QSTASH_NEXT_SIGNING_KEY")


@dataclass(frozen=True, slots=True)
class Filling:
    """One run of `make secrets`. With `unchecked` what is found wrong is only told, as where Postgres is out of reach."""

    environment: Environment
    template: Template
    account: Account
    stack: DeployedStack
    unchecked: bool = False

    def run(self, ask: Ask | None = None) -> int:
        """Ask, check, write, migrate, schedule; the exit code. Nothing is written unless everything was found right.

        Raises AwsUnavailable or GivenOpenly.
        """
        entries = [each for each in secret_entries(self.template) if each.secret in self.stack.secrets]
        kept = {name: self.account.secret(arn) for name, arn in self.stack.secrets.items()}
        present = {name: str(value) for secret in kept.values() for name, value in secret.items() if value}
        answers = gather(entries, present, ask)
        wrong = [line for line in self._checked(answers, present) if self._tell(line)]
        if wrong and not self.unchecked:
            print(f"nothing was written to {self.stack.name}", flush=True)
            return 1
        values = present | answers.values
        self._write(entries, kept, answers)
        return self._put_to_use(values)

    # --- checking -------------------------------------------------------------------------------------------

    def _checked(self, answers: Answers, present: Mapping[str, str]) -> Iterator[Line]:
        """A line for each entry that must be right; QStash's own keys are added to the answers."""
        values = {**present, **answers.values}
        url = values.get("DATABASE_URL")
        if url is not None:
            yield from _line("DATABASE_URL", lambda: probe_database(url))
        if "QSTASH_TOKEN" in values:
            yield from _line("QSTASH_TOKEN", lambda: self._compare_keys(values["QSTASH_TOKEN"], answers))
        if "RESEND_API_KEY" in values:
            sender = self.environment.parameters.get("MailFrom", "")
            yield from _line("RESEND_API_KEY", lambda: probe_resend(values["RESEND_API_KEY"], sender))
        if "PAYLOAD_KEYS" in values:
            before = present.get("PAYLOAD_KEYS", "")
            yield from _line("PAYLOAD_KEYS", lambda: probe_payload_keys(values["PAYLOAD_KEYS"]))
            yield from _line("PAYLOAD_KEYS", lambda: probe_replaced_keys(before, values["PAYLOAD_KEYS"], url))
        if "API_KEYS" in values:
            yield from _line("API_KEYS", lambda: probe_api_keys(values["API_KEYS"]))

    def _compare_keys(self, token: str, answers: Answers) -> Works:
        url = qstash_url(self.environment, self.template)
        found = signing_keys(url, token)
        for name, key in zip(_KEYS, found, strict=True):
            if answers.values.get(name, key) != key:
                raise Wrong(
                    f"{name} is not the key that {url} signs with",
                    f"leave {name} out, and QStash's own is taken",
                )
            answers.add(name, key, "as QStash says")
        return Works(f"{url} knows it; its signing keys are taken over")

    def _tell(self, line: Line) -> bool:
        show(line)
        return line.mark == "failed"

    # --- writing --------------------------------------------------------------------------------------------

    def _write(
        self, entries: list[Entry], kept: Mapping[str, Mapping[str, object]], answers: Answers
    ) -> None:
        """Write the secrets that change, each whole: with what it had besides."""
        for secret, arn in self.stack.secrets.items():
            names = [each.name for each in entries if each.secret == secret and each.name in answers.values]
            changed = {
                name: answers.values[name] for name in names if kept[secret].get(name) != answers.values[name]
            }
            if changed:
                self.account.write_secret(arn, {**kept[secret], **changed})
            for name in names:
                show(
                    Line(
                        secret,
                        "ok",
                        f"{name} {'written, ' if name in changed else 'unchanged, '}{answers.origins[name]}",
                    )
                )

    def _put_to_use(self, values: Mapping[str, str]) -> int:
        """Bring schema and schedules, which a deploy without secrets had to leave out; the exit code."""
        lines = [self._migrated(values.get("DATABASE_URL")), self._scheduled(values.get("QSTASH_TOKEN"))]
        for line in lines:
            show(line)
        return int(any(line.mark == "failed" for line in lines))

    def _migrated(self, url: str | None) -> Line:
        if url is None:
            return Line("migrations", "skipped", "without DATABASE_URL")
        try:
            applied = migrate(url)
        except (MigrationError, psycopg.Error) as error:
            words = safe_words(error) if isinstance(error, psycopg.Error) else str(error).splitlines()[0]
            return Line(
                "migrations", "failed", words, "mend it, then run `make migrate` with a direct DATABASE_URL"
            )
        return Line(
            "migrations", "ok", f"applied {', '.join(applied)}" if applied else "the schema is current"
        )

    def _scheduled(self, token: str | None) -> Line:
        if token is None:
            return Line("schedules", "skipped", "without QSTASH_TOKEN")
        again = f"mend it, then run `make schedules ENV={self.environment.name}`"
        try:
            variables = {
                "QSTASH_TOKEN": token,
                "QSTASH_URL": qstash_url(self.environment, self.template),
                "JOB_ENDPOINTS": self.account.parameter(endpoints_parameter(self.stack.name)),
            }
            changed = apply(Stack(self.stack.name, self.environment.parameters, variables), self.template)
        except (InvalidSchedules, PosthasteError) as error:
            return Line("schedules", "failed", str(error), again)
        return Line("schedules", "ok", f"{len(changed)} changed" if changed else "all as declared")


def _line(subject: str, probe: Callable[[], Works]) -> Iterator[Line]:
    """What a probe says, in lines."""
    try:
        works = probe()
    except Wrong as wrong:
        yield Line(subject, "failed", wrong.what, wrong.remedy)
        return
    yield Line(subject, "ok", works.detail)
    for each in works.warnings:
        yield Line(subject, "warning", each)
