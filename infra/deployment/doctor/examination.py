"""The examination: one check after another, those left out that cannot succeed after what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from infra.deployment.doctor.of_endpoints import endpoint_lines
from infra.deployment.doctor.of_jobs import look_at_queue, send_ping
from infra.deployment.doctor.of_public import check_dashboard, check_webhooks
from infra.deployment.doctor.of_qstash import compare_keys, compare_schedules
from infra.deployment.doctor.target import Target
from infra.deployment.lines import Line
from infra.deployment.probes.api_keys import probe_api_keys
from infra.deployment.probes.database import probe_database
from infra.deployment.probes.payload_keys import probe_payload_keys
from infra.deployment.probes.resend import probe_resend
from infra.deployment.probes.schema import probe_schema
from infra.deployment.probes.wrong import Works, Wrong
from infra.template import Template


class Examination:
    """What is found of one target, in lines. `seconds` is how long the ping may take."""

    def __init__(self, target: Target, template: Template, *, seconds: float = 60.0) -> None:
        self._target, self._template, self._seconds = target, template, seconds
        self._sound: set[str] = set()

    def lines(self) -> Iterator[Line]:
        """Examine, and tell each finding as it is made."""
        target, entries = self._target, self._target.entries
        url, migrate = (
            entries.get("DATABASE_URL", ""),
            f"`make migrate` with its DATABASE_URL, or {target.make('deploy')}",
        )
        deployed = target.environment is not None
        yield from self._check(
            "database", lambda: probe_database(url, from_lambda=deployed), entry="DATABASE_URL"
        )
        yield from self._check("schema", lambda: probe_schema(url, migrate), after=["database"])
        yield from self._check("qstash", lambda: compare_keys(target), entry="QSTASH_TOKEN")
        yield from self._check(
            "schedules", lambda: compare_schedules(target, self._template), after=["qstash"]
        )
        if deployed:
            sender = target.parameters.get("MailFrom", "")
            yield from self._check(
                "mail", lambda: probe_resend(entries["RESEND_API_KEY"], sender), entry="RESEND_API_KEY"
            )
            yield from self._check("api keys", lambda: probe_api_keys(entries["API_KEYS"]), entry="API_KEYS")
        yield from self._check(
            "sealing", lambda: probe_payload_keys(entries["PAYLOAD_KEYS"]), entry="PAYLOAD_KEYS"
        )
        yield from endpoint_lines(target, list(self._template.endpoints))
        yield from self._check("dashboard", lambda: check_dashboard(target))
        yield from self._check("webhooks", lambda: check_webhooks(target))
        yield from self._check("queue", lambda: look_at_queue(target), after=["schema"])
        ping_needs = ["database", "schema", "qstash"]
        yield from self._check("ping", lambda: send_ping(target, self._seconds), after=ping_needs)

    def _check(
        self,
        name: str,
        probe: Callable[[], Works],
        *,
        entry: str | None = None,
        after: list[str] | None = None,
    ) -> Iterator[Line]:
        missing = [each for each in after or [] if each not in self._sound]
        if entry is not None and not self._target.entries.get(entry):
            yield Line(name, "skipped", f"not asked: there is no {entry}")
        elif missing:
            yield Line(name, "skipped", f"not asked: first mend {', '.join(missing)}")
        else:
            yield from self._ask(name, probe)

    def _ask(self, name: str, probe: Callable[[], Works]) -> Iterator[Line]:
        try:
            works = probe()
        except Wrong as wrong:
            yield Line(name, "failed", wrong.what, wrong.remedy)
            return
        self._sound.add(name)
        yield Line(name, "ok", works.detail)
        yield from (Line(name, "warning", each) for each in works.warnings)
