"""`python -m infra.local.qstash`: run the server until it is interrupted."""

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence

from infra.local.qstash.server import DEFAULT_MAX_RETRIES, QStashServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except OSError as error:
        print(f"cannot listen on {options.host}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local.qstash", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("QSTASH_DEV_PORT", "8080")))
    parser.add_argument(
        "--backoff-scale",
        type=_scale,
        default=1.0,
        help="multiplies every wait before a retry; 0 retries at once",
    )
    parser.add_argument(
        "--max-retries", type=int, default=DEFAULT_MAX_RETRIES, help="most retries that a message may ask for"
    )
    parser.add_argument("--max-delay", type=float, help="longest delay in seconds; no limit by default")
    parser.add_argument("--max-schedules", type=int, help="most schedules of a user; no limit by default")
    parser.add_argument("--quiet", action="store_true", help="no line for each delivery")
    return parser


def _scale(text: str) -> float:
    scale = float(text)
    if scale < 0:
        raise ValueError("a scale cannot be negative")
    return scale


async def _run(options: argparse.Namespace) -> None:
    server = QStashServer(
        host=options.host,
        port=options.port,
        backoff_scale=options.backoff_scale,
        log=None if options.quiet else _print_line,
        max_retries=options.max_retries,
        max_delay=options.max_delay,
        max_schedules=options.max_schedules,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await server.start()
    print(_banner(server), flush=True)
    await stopped.wait()
    await server.stop()


def _banner(server: QStashServer) -> str:
    return "\n".join(
        [
            f"QStash is running at {server.url}",
            f"QSTASH_URL={server.url}",
            f"QSTASH_TOKEN={server.token}",
            f"QSTASH_CURRENT_SIGNING_KEY={server.current_signing_key}",
            f"QSTASH_NEXT_SIGNING_KEY={server.next_signing_key}",
        ]
    )


def _print_line(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
