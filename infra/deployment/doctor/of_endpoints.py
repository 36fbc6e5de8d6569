"""The URLs that QStash calls must answer, and refuse who has not signed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx

from infra.deployment.doctor.target import Target
from infra.deployment.lines import Line

TIMEOUT = httpx.Timeout(30.0, connect=5.0)  # a cold start, several at once
_AT_ONCE = 4  # a new account runs ten functions at once


def endpoint_lines(target: Target, wanted: list[str]) -> Iterator[Line]:
    """A line for each URL that is missing or does not answer as it must, else one for all."""
    wrong = [_missing(name, target) for name in wanted if not target.endpoints.get(name)]
    there = {name: url for name, url in target.endpoints.items() if name in wanted and url}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = threads.map(lambda item: _call(target, *item), there.items())
        wrong += [line for line in answers if line is not None]
    yield from wrong
    if not wrong:
        yield Line("endpoints", "ok", f"all {len(there)} refuse an unsigned call")


def _missing(name: str, target: Target) -> Line:
    return Line("endpoints", "failed", f"no URL is known for {name}", f"{target.make('deploy')} writes them")


def _call(target: Target, name: str, url: str) -> Line | None:
    try:
        answer = httpx.post(url, json={}, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Line(
            "endpoints",
            "failed",
            f"{name} does not answer at {url}: {str(error) or type(error).__name__}",
            f"check this machine's network, then {target.make('deploy')}",
        )
    if answer.status_code == 401:
        return None
    return Line(
        "endpoints",
        "failed",
        f"{name} answers {answer.status_code} to an unsigned call",
        remedy(target, name, answer),
    )


def remedy(target: Target, name: str, answer: httpx.Response) -> str:
    """What to do about an answer to an unsigned call that is no refusal."""
    log, deploy = target.log_of(name), target.make("deploy")
    remedies = {
        403: "AWS refuses before the function is asked: a public URL takes lambda:InvokeFunctionUrl and "
        f"lambda:InvokeFunction, which {deploy} grants",
        404: f"the function is gone: {deploy}",
        429: "it is throttled: see the line about concurrency",
        500: f"{log} says why",
        502: f"it crashed or ran out of time: {log} says why",
        503: f"it says '{_error(answer)}': {target.make('secrets')}, and see {log}",
    }
    if answer.is_success:
        return "it works for anybody: take it down, and look at what changed in its handler"
    return remedies.get(answer.status_code, f"something else answers at that URL: {deploy}")


def _error(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])[:200]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
