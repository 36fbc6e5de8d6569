"""`make dev`: the local cloud, staying up. A function restarts when its code changes.

With `--fresh` it begins with an empty database, else with that of the last time. Writes `.local/dev/env`, which
`make shell` (a Python prompt) and your own application read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from watchfiles import watch

from infra.local.cloud import LocalCloud, LocalCloudError, Ports
from infra.local.console import end_on_sigterm, err, fail, out, up
from infra.local.environment import ENVIRONMENT, FOLDER
from infra.schedules.applying import apply
from infra.schedules.stack import LOCAL, Stack
from infra.template import ROOT, Template
from shared.errors import PosthasteError

_PORTS = {
    "POSTGRES_PORT": 54329,
    "QSTASH_PORT": 8080,
    "FUNCTIONS_PORT": 9000,
    "MAILBOX_PORT": 8025,
    "PLATFORMS_PORT": 8026,
    "AWS_PORT": 5005,
}

_MOST_NAMED = 4  # changed files


def main(arguments: Sequence[str] = ()) -> int:
    """Run until Ctrl-C; the exit code."""
    fresh = _is_fresh(arguments)
    end_on_sigterm()
    out.print("[bold]Posthaste[/]: starting the local cloud")
    try:
        with LocalCloud(
            FOLDER,
            ports=_ports(),
            log=_print,
            announce=up,
            backoff_scale=_backoff_scale(),
            fresh=fresh,
        ) as cloud:
            apply(Stack(LOCAL, variables=cloud.environment))
            up("schedules of template.yaml")
            _introduce(cloud)
            with _environment_file(cloud):
                _recycle_on_change(cloud)
    except KeyboardInterrupt:
        out.print("\nstopping")
    except (LocalCloudError, PosthasteError, ValueError) as error:
        return fail(str(error))
    return 0


def _is_fresh(arguments: Sequence[str]) -> bool:
    parser = argparse.ArgumentParser(prog="make dev", description="The local cloud, staying up.")
    parser.add_argument(
        "--fresh", action="store_true", help="begin with an empty database; what is there is lost"
    )
    return bool(parser.parse_args(arguments).fresh)


def _ports() -> Ports:
    chosen = {name: _number(name, default) for name, default in _PORTS.items()}
    return Ports(**{name.removesuffix("_PORT").lower(): port for name, port in chosen.items()})


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if text and not (text.isdecimal() and 0 < int(text) < 65536):
        raise ValueError(f"{variable} is {text!r} and must be a port number, 1 to 65535")
    return int(text or default)


def _backoff_scale() -> float:
    text = os.environ.get("BACKOFF_SCALE") or "1"
    try:
        scale = float(text)
    except ValueError:
        scale = -1.0
    if scale < 0:
        raise ValueError(
            f"BACKOFF_SCALE is {text!r} and must be a number: 1 for QStash's real waits, 0.02 for quick ones"
        )
    return scale


def _print(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


@contextmanager
def _environment_file(cloud: LocalCloud) -> Iterator[None]:
    _write_environment(cloud)
    try:
        yield
    finally:
        ENVIRONMENT.unlink()


def _write_environment(cloud: LocalCloud) -> None:
    api = {"JOBS_API_URL": cloud.dashboard_url, "JOBS_API_KEY": cloud.api_key}
    lines = [f"{name}='{value}'" for name, value in (cloud.environment | api).items()]
    ENVIRONMENT.unlink(missing_ok=True)
    ENVIRONMENT.touch(mode=0o600)
    ENVIRONMENT.write_text("\n".join(lines) + "\n", "utf-8")


def _introduce(cloud: LocalCloud) -> None:
    shown = {
        "mails": cloud.mailbox.url,
        "platforms": cloud.platforms.url,
        "QStash": cloud.qstash.url,
        "Postgres": cloud.database_url,
        "AWS": cloud.aws.url,
        "webhooks": cloud.webhooks_url,
    }
    shown |= cloud.endpoints
    width = max(map(len, shown))
    for name, url in shown.items():
        out.print(f"  {name:<{width}}  [link={url}]{url}[/link]", soft_wrap=True)
    url = cloud.dashboard_url
    out.print(
        f"\n[bold]Dashboard[/]: [link={url}]{url}[/link]  sign in with the key [bold]{cloud.api_key}[/]",
        soft_wrap=True,
    )
    out.print(
        "\nIn another terminal, [bold]make shell[/] opens a Python prompt:\n"
        "  >>> from shared.emails import WelcomeData, enqueue_welcome\n"
        '  >>> enqueue_welcome("ada@example.com", WelcomeData(name="Ada"))\n'
        "or send an event as Stripe, Resend, GitHub or a sender of your own would:\n"
        "  make stripe-event TYPE=checkout.session.completed\n"
        "[bold]make jobs[/] shows jobs and acts on them (docs/command-line.md).\n"
        "Functions restart when their code changes. Ctrl-C stops everything.\n"
    )


def _recycle_on_change(cloud: LocalCloud) -> None:
    while True:
        for changes in watch(
            ROOT / "functions", ROOT / "shared", ROOT / "template.yaml", raise_interrupt=True
        ):
            changed = {
                str(Path(path).relative_to(ROOT)) for _kind, path in changes if "__pycache__" not in path
            }
            _take_up(cloud, changed)
            if "template.yaml" in changed:
                break  # who saves by replacing the file has taken the watch with the old one: watch the new one


def _take_up(cloud: LocalCloud, changed: set[str]) -> None:
    if "template.yaml" in changed:
        _reload(cloud)
    if changed:
        cloud.recycle()
        out.print(
            f"[yellow]↻[/] {_named(changed)}: functions restart at their next invocation", soft_wrap=True
        )


def _named(changed: Collection[str]) -> str:
    names = sorted(changed)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _reload(cloud: LocalCloud) -> None:
    """Serve what template.yaml says now, as far as that takes no restart."""
    try:
        added = cloud.reload(Template())
    except (LocalCloudError, yaml.YAMLError, OSError, KeyError, TypeError) as error:
        err.print(
            f"template.yaml cannot be served: {' '.join(str(error).split())}. The functions are as they were: mend it, or restart make dev "
            "for a new secret or bucket",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
        return
    _write_environment(cloud)
    for name in added:
        out.print(f"[green]+[/] {name}  {cloud.functions.url(name)}/", soft_wrap=True)
    out.print(
        "template.yaml has changed: functions are as it says; make schedules brings its schedules",
        style="yellow",
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
