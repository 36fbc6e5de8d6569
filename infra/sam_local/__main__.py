"""`python -m infra.sam_local`: build, and invoke every function in a container, one by `sam local invoke`.

Exit codes: 0, each did what it must, or there is no Docker (the line says so); 1, one did not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from infra.local.background import Background
from infra.local.cloud import LocalCloud, LocalCloudError
from infra.local.console import end_on_sigterm
from infra.sam_local.bridge import Bridge
from infra.sam_local.calls import Calls, NotAsItMust, cloudformation
from infra.sam_local.docker import Unavailable, architecture, gateway, image
from infra.sam_local.sam import Sam, SamFailed, build
from infra.sam_local.stack import local_template, variables
from infra.seed import seed
from infra.template import ROOT, Function, Template

_BUILD = ROOT / ".aws-sam" / "sam-local"
_FOLDER = ROOT / ".local" / "sam-local"
_PARAMETERS = {"AppUrl": "https://app.acme.io", "MailFrom": "jobs@acme.io"}
_ALONE = "SendEmailFunction"  # the one that `sam local invoke` runs too


def main(arguments: Sequence[str]) -> int:
    """Run it all; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.sam_local")
    parser.add_argument("--python", help="a Python 3.13, for an image where Lambda's cannot be pulled")
    parser.add_argument("--only", help="invoke this function alone, by its resource")
    asked = parser.parse_args(arguments)
    chosen = {name: each for name, each in Template().functions.items() if asked.only in {None, name}}
    if not chosen:
        known = ", ".join(Template().functions)
        print(f"✗ template.yaml has no function {asked.only}; it has {known}", file=sys.stderr)
        return 2
    end_on_sigterm()
    try:
        address = gateway()
        used = image(asked.python or None)
    except Unavailable as error:
        print(f"· sam-local skipped: {error}")
        return 0
    try:
        print(f"  image      {used}", flush=True)
        built = build(_BUILD)
        print(f"  built      {built.parent.relative_to(ROOT)}", flush=True)
        with LocalCloud(_FOLDER, fresh=True, reconcile_seconds=3_600) as cloud:
            return _invoke_all(cloud, address, built, used, chosen)
    except (SamFailed, LocalCloudError) as error:
        print(f"✗ {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("✗ stopped", file=sys.stderr)
    return 1


def _invoke_all(cloud: LocalCloud, address: str, built: Path, used: str, chosen: dict[str, Function]) -> int:
    with psycopg.connect(cloud.database_url) as connection:
        seed(connection)
    given = variables(cloud, Template(), address)
    file = built.with_name("variables.json")
    file.write_text(json.dumps(given))
    parameters = _PARAMETERS | {"Architecture": architecture()}
    sam = Sam(local_template(built, given), used, file, parameters)
    with Background() as background, cloudformation(address) as answers:
        bridge = Bridge(address, _ports(cloud))
        background.call(bridge.start())
        try:
            return _call_each(Calls(cloud, answers), chosen, sam)
        finally:
            background.call(bridge.stop())


def _call_each(calls: Calls, chosen: dict[str, Function], sam: Sam) -> int:
    wrong = 0
    with sam.start_lambda() as client:
        for resource, function in chosen.items():
            wrong += _tell(resource, calls, function, lambda event, at=resource: _invoke(client, at, event))
    if _ALONE in chosen:
        title = f"{_ALONE} (sam local invoke)"
        wrong += _tell(title, calls, chosen[_ALONE], lambda event: sam.invoke(_ALONE, event))
    mark = "✗" if wrong else "✓"
    print(f"{mark} {len(chosen)} functions invoked in containers, {wrong or 'none'} failed", flush=True)
    return int(wrong > 0)


def _tell(title: str, calls: Calls, function: Function, invoke: Any) -> int:
    started = time.monotonic()
    try:
        what = calls.call(function.folder.replace("_", "-"), invoke)
    except (NotAsItMust, SamFailed) as error:
        print(f"✗ {title}: {error}", flush=True)
        return 1
    print(f"✓ {title}: {what} ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


def _invoke(client: Any, resource: str, event: dict[str, Any]) -> Any:
    answer = client.invoke(FunctionName=resource, Payload=json.dumps(event).encode())
    text = answer["Payload"].read().decode()
    try:
        return json.loads(text)
    except ValueError:
        raise NotAsItMust(f"it returned {text[-500:]!r}, which is no JSON") from None


def _ports(cloud: LocalCloud) -> list[int]:
    """Of what functions call."""
    urls = [cloud.qstash.url, cloud.mailbox.url, cloud.platforms.url, cloud.aws.url]
    assert cloud.postgres is not None  # noqa: S101  # none other was given
    return [cloud.postgres.port, *(urlsplit(url).port or 0 for url in urls)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
