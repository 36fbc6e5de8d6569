"""What AWS says: the stack's state, the account's concurrency, and which secrets are filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from infra.deployment.aws import Account, AwsUnavailable, DeployedStack
from infra.deployment.lines import Line
from infra.deployment.probes.database import deliveries_at_once
from infra.deployment.secret_entries import Entry

_WHOLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "IMPORT_COMPLETE"}
_ROLLED_BACK = {"UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"}
_NEVER_THERE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}


def stack_line(stack: DeployedStack, environment: str) -> Line:
    """Whether the last deploy went through."""
    deploy, destroy = f"`make deploy ENV={environment}`", f"`make destroy ENV={environment}`"
    because = f" ({stack.reason})" if stack.reason else ""
    detail = f"{stack.name} is {stack.status}{because}"
    if stack.status in _WHOLE:
        return Line("stack", "ok", detail)
    if stack.status in _ROLLED_BACK:
        return Line(
            "stack", "warning", detail, f"the version before runs; mend what its events name, then {deploy}"
        )
    if stack.status in _NEVER_THERE:
        return Line("stack", "failed", detail, f"it has to go first: {destroy}, then {deploy}")
    if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
        return Line("stack", "warning", detail, "a deploy is under way: come again when it is over")
    return Line("stack", "failed", detail, f"mend what its events name, then {deploy}")


def quota_line(account: Account) -> Line:
    """The concurrency quota, against what flow control may ask for."""
    wanted = deliveries_at_once()
    try:
        quota = account.concurrency()
    except AwsUnavailable as error:
        return Line(
            "concurrency",
            "warning",
            f"the account's quota cannot be read: {error}",
            "allow lambda:GetAccountSettings",
        )
    detail = f"{quota} functions at once in this account and region; flow control allows {wanted} deliveries"
    if quota >= wanted:
        return Line("concurrency", "ok", detail)
    return Line(
        "concurrency",
        "warning",
        detail,
        "throttled deliveries use up retries: ask Service Quotas for more (Lambda, concurrent executions), "
        "or lower parallelism in shared/registry.py",
    )


def secrets_lines(entries: Sequence[Entry], found: Mapping[str, str], environment: str) -> Iterator[Line]:
    """A line for each secret that lacks what functions need, else one for all."""
    fill_in = f"`make secrets ENV={environment}`"
    missing: dict[str, list[str]] = {}
    for each in entries:
        if each.required and not found.get(each.name):
            missing.setdefault(each.secret, []).append(each.name)
    for secret, names in missing.items():
        yield Line("secrets", "failed", f"{secret} has no {', '.join(names)}", fill_in)
    if not missing:
        unset = {each.secret for each in entries if not found.get(each.name)}
        besides = f" (optional and incomplete: {', '.join(sorted(unset))})" if unset else ""
        yield Line("secrets", "ok", f"all that functions need are set{besides}")
