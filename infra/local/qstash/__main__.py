"""Run the server until it is interrupted."""

import argparse
import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .accounts import DEFAULT_USER
from .delivery.hosts import Hosts
from .disk.file import Unreadable, Unwritable
from .plans import DEFAULT_MAX_RETRIES, PLANS, Plan
from .server import QStashServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; the process's exit code."""
    options = _parser().parse_args(arguments)
    # What is remembered lives long: looking through it again and again would take a third of the time.
    gc.set_threshold(50_000, 20, 20)
    try:
        asyncio.run(_run(options))
    except Unreadable as error:
        return _say(str(error))
    except Unwritable as error:
        return _say(f"{error.text}; what it does not hold yet is lost")
    except OSError as error:
        # The event loop's own words name the address once more; a name that is not found has no number of ours.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        return _say(f"cannot listen on {options.host}:{options.port}: {reason}")
    return 0


def _say(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", "-port", type=_port, default=os.environ.get("QSTASH_DEV_PORT", "8080"))
    parser.add_argument(
        "--state", type=Path, help="a file to keep all state in over a restart; none by default"
    )
    parser.add_argument(
        "--rewrite",
        metavar="HOST=URL",
        type=_rewrite,
        action="append",
        default=[],
        help="deliver what is for a host elsewhere, as in api.example.com=http://127.0.0.1:3000; may be repeated",
    )
    parser.add_argument(
        "--backoff-scale",
        type=_scale,
        default=1.0,
        help="multiplies every wait before a retry; 0 retries at once",
    )
    parser.add_argument(
        "--quota",
        "-quota",
        type=_quota,
        default=os.environ.get("QSTASH_DEV_QUOTA", "none"),
        help=f"the plan whose limits hold: {', '.join(PLANS)}",
    )
    parser.add_argument(
        "--max-retries", type=int, default=DEFAULT_MAX_RETRIES, help="most retries that a message may ask for"
    )
    parser.add_argument("--max-delay", type=float, help="longest delay in seconds, instead of the plan's")
    parser.add_argument("--max-schedules", type=int, help="most schedules of a user, instead of the plan's")
    parser.add_argument("--region", default="EU-CENTRAL-1", help="what deliveries say in Upstash-Region")
    parser.add_argument(
        "--allow-host", action="append", default=[], help="a name under which the pages may be looked at, too"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each delivery")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"{text!a} is no port")
    return int(text)


def _scale(text: str) -> float:
    scale = float(text)
    if scale < 0:
        raise ValueError("a scale cannot be negative")
    return scale


def _quota(text: str) -> str:
    if text not in PLANS:
        raise argparse.ArgumentTypeError(f"{text!a} is not one of {', '.join(PLANS)}")
    return text


def _rewrite(text: str) -> tuple[str, str]:
    host, _, target = text.partition("=")
    try:
        Hosts().replace({host: target})
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!a} is not HOST=URL: {error}") from error
    return host, target


def _plan(options: argparse.Namespace) -> Plan:
    given = {
        "max_retries": options.max_retries,
        "max_delay": options.max_delay,
        "max_schedules": options.max_schedules,
    }
    return replace(
        PLANS[options.quota], **{name: value for name, value in given.items() if value is not None}
    )


async def _run(options: argparse.Namespace) -> None:
    server = QStashServer(
        host=options.host,
        port=options.port,
        backoff_scale=options.backoff_scale,
        log=None if options.quiet else _print_line,
        plan=_plan(options),
        hosts=dict(options.rewrite),
        state=options.state,
        region=options.region,
        allowed_hosts=options.allow_host,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await server.start()
    print(_banner(server), flush=True)
    await stopped.wait()
    await server.stop()
    server.close()


def _banner(server: QStashServer) -> str:
    return "\n".join(
        [
            f"QStash is running at {server.url}",
            f"QSTASH_URL={server.url}",
            f"QSTASH_TOKEN={server.token}",
            f"QSTASH_CURRENT_SIGNING_KEY={server.current_signing_key}",
            f"QSTASH_NEXT_SIGNING_KEY={server.next_signing_key}",
            f"Read-only token: {DEFAULT_USER.read_only_token}",
        ]
    )


def _print_line(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
