"""QStash must know the token in the region that the stack uses; it tells which keys it signs with."""

from __future__ import annotations

from typing import NamedTuple

import httpx

from infra.deployment.probes.wrong import Wrong

REGIONS = ("https://qstash.upstash.io", "https://qstash-us-east-1.upstash.io")
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)
_OTHER_REGION = "user not found"  # as in: user not found in this region (eu-central-1)


class SigningKeys(NamedTuple):
    """What QStash signs deliveries with now, and after the next roll."""

    current: str
    next: str


def signing_keys(url: str, token: str) -> SigningKeys:
    """The account's keys, as QStash at this address gives them. Raises Wrong."""
    answer = _ask(url, token)
    match answer.status_code:
        case 200:
            return _read(url, answer)
        case 401 | 403:
            raise Wrong(f"QStash at {url} does not know QSTASH_TOKEN ({_words(answer)})", _copy_again())
        case 404 if _OTHER_REGION in answer.text:
            raise Wrong(
                f"QSTASH_TOKEN is of another region: {url} answers '{_words(answer)}'",
                _other_region(url, token),
            )
        case status:
            raise Wrong(
                f"QStash at {url} answered {status} ({_words(answer)})",
                "check QStashUrl in samconfig.toml, or try later",
            )


def _ask(url: str, token: str) -> httpx.Response:
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise Wrong("QSTASH_TOKEN has characters that no token has", _copy_again())
    try:
        return httpx.get(f"{url}/v2/keys", headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Wrong(
            f"QStash at {url} does not answer: {str(error) or type(error).__name__}",
            "check QStashUrl in samconfig.toml and this machine's network",
        ) from None


def _read(url: str, answer: httpx.Response) -> SigningKeys:
    try:
        return SigningKeys(str(answer.json()["current"]), str(answer.json()["next"]))
    except (ValueError, KeyError, TypeError):
        raise Wrong(f"{url} answers, but not as QStash does", "check QStashUrl in samconfig.toml") from None


def _other_region(url: str, token: str) -> str:
    """Which region it is of, where one of those that are known takes it."""
    for region in REGIONS:
        try:
            if region != url and _ask(region, token).status_code == 200:
                return (
                    f"it is of {region}: set QStashUrl={region} in samconfig.toml and deploy, "
                    "or take the token of the stack's region"
                )
        except Wrong:
            continue
    return "take the token of the stack's region from the Upstash console, or set QStashUrl in samconfig.toml and deploy"


def _copy_again() -> str:
    return "copy it again from the Upstash console (QStash, of the stack's region)"


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])[:200]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
