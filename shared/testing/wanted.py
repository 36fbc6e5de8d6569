"""What a test looks for among the jobs that were enqueued, and what it says where it is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from shared.envelope import Payload, models_in
from shared.errors import InvalidJob
from shared.testing.enqueued import EnqueuedJob, UnreadPayload

_PLAIN = (str, bytes, int, float, UUID, datetime, timedelta)
_OPTIONS: dict[str, tuple[type, ...]] = {
    "organization_id": (int,),
    "user_id": (int,),
    "idempotency_key": (str,),
    "schedule_id": (str,),
    "batch_id": (UUID, str),
    "status": (str,),
    "delay": (int, float, timedelta),
    "not_before": (datetime,),
}
_STATUSES = ("pending", "processing", "retrying", "completed", "failed", "cancelled")
_NEAR = 5.0  # seconds by which a time may be off


@dataclass(frozen=True, slots=True)
class Wanted:
    """A payload's class or a whole payload, some of its fields, and some of the options of `enqueue`."""

    kind: type[Payload] | None
    payload: Payload | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    within: float = _NEAR

    @classmethod
    def of(
        cls,
        what: type[Payload] | Payload | None,
        fields: Mapping[str, Any] | None,
        within: float | None,
        named: Mapping[str, Any],
    ) -> Wanted:
        """What was asked for, `named` being options and fields alike. Raises TypeError for a name that is neither."""
        __tracebackhide__ = True
        options = {name: value for name, value in named.items() if name in _OPTIONS}
        looked_at = {name: value for name, value in named.items() if name not in _OPTIONS} | dict(
            fields or {}
        )
        payload = what if isinstance(what, Payload) else None
        kind = type(what) if isinstance(what, Payload) else what
        if kind is not None:
            check_kind(kind)
        _check_names(kind, payload, looked_at)
        _check_options(options)
        return cls(kind, payload, looked_at, options, _NEAR if within is None else within)

    def is_of_kind(self, job: EnqueuedJob[Any]) -> bool:
        """Whether the job is of the type looked for."""
        return self.kind is None or job.job_type == self.kind.job_type

    def cannot_tell(self, job: EnqueuedJob[Any]) -> bool:
        """Whether the job's payload would have to be read, and cannot be."""
        looks_inside = self.payload is not None or bool(self.fields)
        return looks_inside and self.is_of_kind(job) and isinstance(job.payload, UnreadPayload)

    def differences(self, job: EnqueuedJob[Any]) -> list[str]:
        """What of a job of this type is not as it was looked for."""
        found = []
        if self.kind is not None and self.cannot_tell(job):
            return [f"its payload cannot be read as a {self.kind.__name__}"]
        if self.payload is not None and job.payload not in (self.payload, _as_stored(self.payload)):
            found.append(f"its payload is {job.payload!r}")
        for name, value in self.fields.items():
            if not (_fits(getattr(job.payload, name), value) or _is_checked_to(job.payload, name, value)):
                found.append(f"{name} is {getattr(job.payload, name)!r}")
        for name, value in self.options.items():
            if not self._fits_option(job, name, value):
                found.append(f"{name} is {getattr(job, name)!r}")
        return found

    def _fits_option(self, job: EnqueuedJob[Any], name: str, value: Any) -> bool:
        actual = getattr(job, name)
        if name == "delay":
            return self._fits_delay(actual or 0.0, value)
        if name == "not_before" and isinstance(actual, datetime) and isinstance(value, datetime):
            return abs((actual - value).total_seconds()) <= self.within
        return _fits(actual, value)

    def _fits_delay(self, actual: float, value: Any) -> bool:
        if value is None:
            return actual <= 0
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if not isinstance(seconds, int | float):
            return _fits(actual, seconds)
        return abs(actual - seconds) <= self.within

    def __str__(self) -> str:
        what = "job" if self.kind is None else self.kind.__name__
        wanted = [f"{name}={value!r}" for name, value in (dict(self.fields) | dict(self.options)).items()]
        if self.payload is not None:
            what = repr(self.payload)
        return f"{what} with {', '.join(wanted)}" if wanted else what


def describe(wanted: Wanted, jobs: Sequence[EnqueuedJob[Any]]) -> str:
    """What was enqueued instead, each job of the same type with what it lacks."""
    if not jobs:
        return (
            "Nothing has been enqueued since the test began. What a transaction has not committed is seen with "
            "connection= only"
        )
    return "Enqueued since the test began:\n" + "\n".join(
        f"  {number}. {job}{_why_not(wanted, job)}" for number, job in enumerate(jobs, start=1)
    )


def _why_not(wanted: Wanted, job: EnqueuedJob[Any]) -> str:
    if not wanted.is_of_kind(job):
        return ""
    differences = wanted.differences(job)
    return f"\n     but {', and '.join(differences)}" if differences else "\n     which fits"


def check_kind(kind: object) -> None:
    """Raise TypeError unless it is a payload's class."""
    __tracebackhide__ = True
    if not (isinstance(kind, type) and issubclass(kind, Payload) and hasattr(kind, "job_type")):
        raise TypeError(f"give the class of a job's payload, such as SendEmail, not {kind!r}")


def _check_names(kind: type[Payload] | None, payload: Payload | None, fields: Mapping[str, Any]) -> None:
    """A field that is not there would make every `refute_enqueued` pass."""
    __tracebackhide__ = True
    if not fields:
        return
    if kind is None or payload is not None:
        raise TypeError(f"give the payload's class to look at its fields: {', '.join(fields)}")
    unknown = [name for name in fields if name not in kind.model_fields]
    if unknown:
        raise TypeError(
            f"{kind.__name__} has no field {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(kind.model_fields) or 'none'}. Beside fields there are {', '.join(_OPTIONS)}, within and count"
        )
    for name, value in fields.items():
        _check_nested(name, kind.model_fields[name].annotation, value)


def _check_nested(path: str, annotation: Any, value: Any) -> None:
    __tracebackhide__ = True
    models = list(models_in(annotation))
    if not models or not isinstance(value, Mapping):
        return
    for name, part in value.items():
        holding = [each.model_fields[name] for each in models if name in each.model_fields]
        if not holding:
            known = ", ".join(sorted({each for model in models for each in model.model_fields}))
            raise TypeError(f"{path} has no field {name!r}; it has {known or 'none'}")
        for field_ in holding:
            _check_nested(f"{path}.{name}", field_.annotation, part)


def _check_options(options: Mapping[str, Any]) -> None:
    """A value that no job can have would make every `refute_enqueued` pass."""
    __tracebackhide__ = True
    for name, value in options.items():
        if isinstance(value, _PLAIN) and not isinstance(value, _OPTIONS[name]):
            kinds = " or ".join(each.__name__ for each in _OPTIONS[name])
            raise TypeError(f"{name} is {kinds}, not {value!r}")
    status = options.get("status")
    if isinstance(status, str) and status not in _STATUSES:
        raise TypeError(f"there is no status {status!r}; there are {', '.join(_STATUSES)}")


def _as_stored(payload: Payload) -> Payload | None:
    """The payload as it comes out of the table; None where it is none that could go in."""
    try:
        return type(payload).model_validate_json(payload.model_dump_json(by_alias=True, warnings=False))
    except ValidationError:
        return None


def _is_checked_to(payload: Payload, name: str, value: Any) -> bool:
    """Whether the payload would be the same with this value, which its checks may turn into another, as in lower case."""
    given = {each: getattr(payload, each) for each in type(payload).model_fields}
    try:
        checked = type(payload).model_validate(given | {name: value})
    except (ValidationError, InvalidJob):
        return False
    return bool(getattr(checked, name) == getattr(payload, name))


def _fits(actual: Any, wanted: Any) -> bool:
    """Equal, also as JSON; of a mapping that is wanted only what it holds."""
    if isinstance(wanted, Mapping) and isinstance(actual, BaseModel):
        return all(
            hasattr(actual, name) and _fits(getattr(actual, name), value) for name, value in wanted.items()
        )
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        return all(name in actual and _fits(actual[name], value) for name, value in wanted.items())
    return bool(actual == wanted) or _as_json(actual) == _as_json(wanted)


def _as_json(value: Any) -> Any:
    return to_jsonable_python(value, fallback=id)
