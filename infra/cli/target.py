"""Which API is spoken to, and with which key: the running `make dev`, a deployed stack, or the one at a URL.

A key comes from JOBS_API_KEY or is asked for, hidden. It is never an argument, which the shell's history keeps and the
process list shows.
"""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from infra.cli.errors import NotAllowed, NotDone, Unreachable, Wrong
from infra.local import environment as local
from infra.loopback import is_this_machine
from infra.samconfig import SAMCONFIG, UnknownEnvironment, UnreadableSamconfig, environment

_NONE = (
    "there is no API to talk to: start `make dev` in another terminal, name a deployed stack with --env, "
    "or set JOBS_API_URL"
)


@dataclass(frozen=True, slots=True)
class Target:
    """An API's address, what it is called, the key, and what to do where nobody answers."""

    url: str
    name: str
    key: str | None
    remedy: str

    def with_key(self) -> Target:
        """The same with a key, which is asked for where there is none. Raises NotAllowed."""
        if self.key is not None:
            return self
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise NotAllowed(f"there is no key for {self.name}: set JOBS_API_KEY (make api-key prints one)")
        return replace(self, key=_checked_key(getpass.getpass(f"API key of {self.name}: ")))


def find_target(url: str | None = None, env: str | None = None, samconfig: Path = SAMCONFIG) -> Target:
    """What was named, else what JOBS_API_URL says, else the running `make dev`. Raises NotDone."""
    _refuse_argument()
    if url and env:
        raise Wrong("--url and --env name two APIs: give one of them")
    if env:
        return _deployed(env, samconfig)
    if given := url or os.environ.get("JOBS_API_URL"):
        return _at(checked_url(given))
    return _local()


def checked_url(given: str) -> str:
    """An address without what follows it. Raises Wrong, also for one that would show the key to the network.

    >>> checked_url("https://abc.lambda-url.eu-central-1.on.aws/v1/")
    'https://abc.lambda-url.eu-central-1.on.aws'
    """
    try:
        parts = urlsplit(given)
        host = parts.hostname if parts.port != 0 else None
        httpx.URL(given).host.encode("idna")  # what cannot be looked up, as a label that is empty or too long
    except (ValueError, httpx.InvalidURL):
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in {"http", "https"} or not given.isprintable() or " " in given:
        raise Wrong(f"{given!r} is no URL: it is like https://….lambda-url.eu-central-1.on.aws/")
    if parts.username is not None or parts.query or parts.fragment:
        raise Wrong("the URL has a user, a query or a fragment: give the address alone")
    if parts.scheme == "http" and not is_this_machine(host):
        raise Wrong(f"http://{host} would send the key unencrypted: give its https:// address")
    return given.rstrip("/").removesuffix("/v1").rstrip("/")


def _at(url: str) -> Target:
    dev = local.running() or {}
    key = _key() or (dev.get("JOBS_API_KEY") if checked_url(dev.get("JOBS_API_URL", url)) == url else None)
    return Target(url, url, key, "check the URL and this machine's network")


def _local() -> Target:
    """`make dev`, with its own key: one that is set is a deployed stack's."""
    dev = local.running()
    if dev is None:
        raise Unreachable(_NONE)
    if "JOBS_API_URL" not in dev:
        raise Unreachable("the running `make dev` is older than this command: start it again")
    return Target(
        checked_url(dev["JOBS_API_URL"]),
        "make dev",
        dev.get("JOBS_API_KEY"),
        "it has ended without a word: start `make dev` again",
    )


def _deployed(env: str, samconfig: Path) -> Target:
    from infra.deployment.aws import Account, AwsUnavailable, NoSuchStack  # noqa: PLC0415  # boto3 takes its time
    from infra.deployment.doctor.target import DASHBOARD, PUBLIC_OUTPUTS  # noqa: PLC0415  # so do its schedules

    try:
        chosen = environment(env, samconfig)
    except (UnknownEnvironment, UnreadableSamconfig) as error:
        raise Wrong(str(error)) from None
    try:
        outputs = Account(chosen).outputs(chosen.stack)
    except NoSuchStack as error:
        raise NotDone(f"{error}: `make deploy ENV={env}`") from None
    except AwsUnavailable as error:
        raise Unreachable(str(error)) from None
    output = PUBLIC_OUTPUTS[DASHBOARD]
    if output not in outputs:
        raise NotDone(
            f"{chosen.stack} has no output {output}: it is older than the API; `make deploy ENV={env}`"
        )
    return Target(
        checked_url(outputs[output]), chosen.stack, _key(), f"`make doctor ENV={env}` looks into it"
    )


def _key() -> str | None:
    given = os.environ.get("JOBS_API_KEY", "").strip()
    return _checked_key(given) if given else None


def _checked_key(given: str) -> str:
    if not given.strip() or not (given.isascii() and given.strip().isprintable()) or " " in given.strip():
        raise NotAllowed("that is no API key: it is like ph_…, without spaces (make api-key prints one)")
    return given.strip()


def _refuse_argument() -> None:
    if " JOBS_API_KEY=" in f" {dict(os.environ).get('MAKEFLAGS', '')}":  # make's own
        raise Wrong(
            "JOBS_API_KEY was given as an argument, which the shell's history keeps and the process list shows: "
            "take that key out of API_KEYS, and set the new one in the environment"
        )
