"""What was enqueued since a test began: found, asserted and refuted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from pydantic import ValidationError

from shared.envelope import Payload
from shared.errors import UnknownJobType
from shared.testing.enqueued import EnqueuedJob, UnreadPayload, enqueued_job
from shared.testing.handlers import Handlers
from shared.testing.table import AnyConnection, StoredJob, Table
from shared.testing.wanted import Wanted, describe

P = TypeVar("P", bound=Payload)


class EnqueuedJobs:
    """The jobs of one test, as they stand. Read on `connection`, where one is given."""

    def __init__(self, connection: AnyConnection | None) -> None:
        self._connection = connection
        self._handlers = Handlers()
        self._opened_table: Table | None = None

    @property
    def _table(self) -> Table:
        if self._opened_table is None:
            raise RuntimeError("a test begins where its block does: with Jobs() as jobs: …")
        return self._opened_table

    def enqueued(
        self,
        what: type[P] | P | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        within: float | None = None,
        connection: AnyConnection | None = None,
        **named: Any,
    ) -> list[EnqueuedJob[P]]:
        """The jobs that were enqueued, whatever became of them, in their order.

        `what` is a payload's class, or a whole payload. Fields of the payload are named as arguments (or in `fields`,
        where one has an option's name), and may be given in part: of a nested model or a mapping those that matter.
        Options are `organization_id`, `user_id`, `idempotency_key`, `schedule_id`, `batch_id`, `status`, `delay` (seconds
        or a timedelta; None: at once) and `not_before`, these two within 5 seconds or `within` so many. Raises TypeError
        for a name that is neither.

            (mail,) = jobs.enqueued(SendEmail, to="ada@example.com", delay=60)
            assert mail.payload.data.name == "Ada"
        """
        wanted = Wanted.of(what, fields, within, named)
        return cast("list[EnqueuedJob[P]]", self._fitting(wanted, self._all(wanted.kind, connection)))

    def assert_enqueued(
        self,
        what: type[P] | P,
        *,
        count: int | None = None,
        fields: Mapping[str, Any] | None = None,
        within: float | None = None,
        connection: AnyConnection | None = None,
        **named: Any,
    ) -> EnqueuedJob[P]:
        """The first job that fits, by what `enqueued` takes. Raises AssertionError, which shows what was enqueued instead.

        With `count` exactly so many must fit; without it one or more.

            jobs.assert_enqueued(SendReminder, applicant_id=7, organization_id=3, delay=86_400)
        """
        __tracebackhide__ = True
        wanted = Wanted.of(what, fields, within, named)
        everything = self._all(wanted.kind, connection)
        found = self._fitting(wanted, everything)
        if not found or count not in {None, len(found)}:
            said = (
                f"no {wanted} was enqueued"
                if count is None
                else f"{len(found)} {wanted} enqueued, not {count}"
            )
            raise AssertionError(f"{said}. {describe(wanted, everything)}")
        return cast("EnqueuedJob[P]", found[0])

    def refute_enqueued(
        self,
        what: type[Payload] | Payload | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        within: float | None = None,
        connection: AnyConnection | None = None,
        **named: Any,
    ) -> None:
        """No job fits, by what `enqueued` takes; without any of it: none was enqueued. Raises AssertionError."""
        __tracebackhide__ = True
        wanted = Wanted.of(what, fields, within, named)
        everything = self._all(wanted.kind, connection)
        if found := self._fitting(wanted, everything):
            raise AssertionError(f"{len(found)} {wanted} enqueued, not 0. {describe(wanted, everything)}")
        if any(wanted.cannot_tell(job) for job in everything):
            raise AssertionError(f"perhaps {wanted} was enqueued. {describe(wanted, everything)}")

    def find(self, job_id: UUID, *, connection: AnyConnection | None = None) -> EnqueuedJob[Any]:
        """One of the test's jobs, as it stands. Raises LookupError."""
        for row in self._table.accepted(connection or self._connection, job_id=job_id):
            return self._opened(row, None)
        raise LookupError(f"no job {job_id} was enqueued since the test began")

    def _all(
        self, kind: type[Payload] | None, connection: AnyConnection | None = None
    ) -> list[EnqueuedJob[Any]]:
        rows = self._table.accepted(connection or self._connection)
        return [self._opened(row, kind) for row in rows]

    def _fitting(self, wanted: Wanted, jobs: list[EnqueuedJob[Any]]) -> list[EnqueuedJob[Any]]:
        return [job for job in jobs if wanted.is_of_kind(job) and not wanted.differences(job)]

    def _opened(self, row: StoredJob, kind: type[Payload] | None) -> EnqueuedJob[Any]:
        not_before = self._table.as_asked(row)
        try:
            if kind is None or kind.job_type != row.job_type:
                kind = self._handlers.payload_of(row.job_type)
            return enqueued_job(row, kind, not_before)
        except (ValidationError, UnknownJobType):  # of an older version, or of a test's own
            return enqueued_job(row, UnreadPayload, not_before)
