"""GitHub's events become the activity of an organization: the job's, else the one that the event's account is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from psycopg.types.json import Jsonb
from pydantic import AliasChoices, BaseModel, Field, StringConstraints, ValidationError

from shared.database import Connection
from shared.envelope import problems
from shared.jobs.process_webhook import ProcessWebhook
from shared.webhook_events import Ignored, InvalidEvent, Processed
from shared.worker import Job

_SQL = Path(__file__).parent / "sql"
_FIND_ORGANIZATION = (_SQL / "find_organization.sql").read_bytes()
_FIND_BY_ACCOUNT = (_SQL / "find_github_organization.sql").read_bytes()
_LOG = (_SQL / "log_activity.sql").read_bytes()

Action = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]


class _Account(BaseModel):
    """A user or an organization; an enterprise has a slug in its place."""

    login: str = Field(validation_alias=AliasChoices("login", "slug"))


class _Repository(BaseModel):
    full_name: str


class _Push(BaseModel):
    """Commits that were pushed to a branch or a tag."""

    ref: str
    after: str
    compare: str | None = None
    commits: list[Any] = []
    repository: _Repository
    sender: _Account | None = None


class _PullRequest(BaseModel):
    title: str
    html_url: str
    merged: bool | None = None  # None: GitHub does not know yet


class _PullRequestEvent(BaseModel):
    """Something was done with a pull request."""

    action: Action
    number: int
    pull_request: _PullRequest
    repository: _Repository
    sender: _Account | None = None


class _Release(BaseModel):
    tag_name: str
    name: str | None = None
    html_url: str


class _ReleaseEvent(BaseModel):
    """Something was done with a release."""

    action: Action
    release: _Release
    repository: _Repository
    sender: _Account | None = None


class _Installation(BaseModel):
    id: int = Field(ge=1)
    account: _Account


class _InstallationEvent(BaseModel):
    """The GitHub App was installed somewhere, or is no more."""

    action: Action
    installation: _Installation
    sender: _Account | None = None


class _Owner(BaseModel):
    """An account by GitHub's id for it: a login may be given up, and taken by somebody else."""

    id: int = Field(ge=1, lt=2**63)
    login: str = Field(max_length=100)


class _Installed(BaseModel):
    account: _Owner | None = None  # only in the events about the installation itself


class _Owned(BaseModel):
    owner: _Owner | None = None


class _Places(BaseModel):
    """Where an event may say whose it is."""

    installation: _Installed | None = None
    organization: _Owner | None = None
    repository: _Owned | None = None


Activity = dict[str, Any]


def _push(data: dict[str, Any]) -> Activity:
    push = _Push.model_validate(data)
    details = {"ref": push.ref, "after": push.after, "commits": len(push.commits), "url": push.compare}
    return _activity("push", "repository", push.repository.full_name, push.sender, details)


def _pull_request(data: dict[str, Any]) -> Activity:
    event = _PullRequestEvent.model_validate(data)
    subject = f"{event.repository.full_name}#{event.number}"
    pull_request = event.pull_request
    details = {"title": pull_request.title, "merged": pull_request.merged, "url": pull_request.html_url}
    return _activity(f"pull_request.{event.action}", "pull_request", subject, event.sender, details)


def _release(data: dict[str, Any]) -> Activity:
    event = _ReleaseEvent.model_validate(data)
    subject = f"{event.repository.full_name}@{event.release.tag_name}"
    details = {"name": event.release.name, "url": event.release.html_url}
    return _activity(f"release.{event.action}", "release", subject, event.sender, details)


def _installation(data: dict[str, Any]) -> Activity:
    event = _InstallationEvent.model_validate(data)
    details = {"account": event.installation.account.login}
    return _activity(
        f"installation.{event.action}", "installation", str(event.installation.id), event.sender, details
    )


_READ: dict[str, Callable[[dict[str, Any]], Activity]] = {
    "push": _push,
    "pull_request": _pull_request,
    "release": _release,
    "installation": _installation,
}


def apply_github_event(connection: Connection, job: Job[ProcessWebhook]) -> Processed | Ignored:
    """Write the event down as activity of the job's organization; a delivery that is there already changes nothing."""
    read = _READ.get(job.payload.event)
    if read is None:
        return Ignored(f"{job.payload.event} is no activity")
    owner = _owner(connection, job)
    if isinstance(owner, Ignored):
        return owner
    values = _read(read, job.payload.data) | {
        "organization_id": owner,
        "external_id": job.payload.event_id or str(job.id),
        "occurred_at": job.payload.occurred_at or job.created_at,
    }
    connection.execute(_LOG, values)
    return Processed()


def _owner(connection: Connection, job: Job[ProcessWebhook]) -> int | Ignored:
    if job.organization_id is not None:
        found = connection.execute(_FIND_ORGANIZATION, {"id": job.organization_id}).fetchone()
        return job.organization_id if found else Ignored("there is no such organization")
    account = _account(job.payload.data)
    if account is None:
        return Ignored("nobody knows whose event this is: it names no account, and was enqueued without one")
    found = connection.execute(_FIND_BY_ACCOUNT, {"account_id": account.id}).fetchone()
    if found is None:
        return Ignored(f"no organization is the GitHub account {account.login} (id {account.id})")
    owner: int = found["id"]
    return owner


def _account(data: dict[str, Any]) -> _Owner | None:
    """Whose repository or installation it is."""
    try:
        places = _Places.model_validate(data)
    except ValidationError:
        return None
    if places.installation is not None and places.installation.account is not None:
        return places.installation.account
    return places.organization or (places.repository.owner if places.repository else None)


def _read(read: Callable[[dict[str, Any]], Activity], data: dict[str, Any]) -> Activity:
    try:
        return read(data)
    except ValidationError as error:
        words = "; ".join(f"{field}: {what}" for field, what in problems(error))
        raise InvalidEvent(f"GitHub sends this event otherwise: {words}") from None


def _activity(
    action: str, subject_type: str, subject_id: str, sender: _Account | None, details: Activity
) -> Activity:
    by = {"sender": sender.login} if sender is not None else {}
    return {
        "action": f"github.{action}",
        "subject_type": subject_type,
        "subject_id": subject_id,
        "data": Jsonb(details | by),
    }
