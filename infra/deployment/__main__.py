"""`python -m infra.deployment deploy|secrets|doctor|destroy --env NAME`: what an operator runs, through make.

Exit codes: 0, it was done, or all is well; 1, it was not, and the message says why; 2, the command or samconfig.toml is
wrong, and nothing was sent.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.deployment.asking import GivenOpenly
from infra.deployment.aws import Account, AwsUnavailable, NoSuchStack
from infra.deployment.deploying import Deployment
from infra.deployment.destroying import Destruction
from infra.deployment.doctor.visit import examine_deployed, examine_local
from infra.deployment.filling import Filling
from infra.deployment.lines import refuse
from infra.samconfig import (
    SAMCONFIG,
    Environment,
    UnknownEnvironment,
    UnreadableSamconfig,
    environment,
    environments,
)
from infra.template import ROOT, Template


def main(arguments: Sequence[str]) -> int:
    """Run one of the commands; the exit code."""
    asked = _arguments(arguments)
    template = Template(asked.template)
    if asked.command == "doctor" and not asked.env:
        return examine_local(template, seconds=asked.seconds)
    try:
        chosen = _environment(asked)
        return _COMMANDS[asked.command](chosen, template, asked)
    except (UnknownEnvironment, UnreadableSamconfig, GivenOpenly) as error:
        return refuse(str(error), 2)
    except NoSuchStack as error:
        return refuse(f"{error}: `make deploy ENV={asked.env}`", 1)
    except AwsUnavailable as error:
        return refuse(str(error), 1)
    except KeyboardInterrupt:
        return refuse("stopped", 1)


def _deploy(chosen: Environment, template: Template, asked: argparse.Namespace) -> int:
    return Deployment(chosen, template, samconfig=str(asked.samconfig)).run()


def _secrets(chosen: Environment, template: Template, asked: argparse.Namespace) -> int:
    account = Account(chosen)
    return Filling(chosen, template, account, account.stack(chosen.stack), unchecked=asked.unchecked).run()


def _doctor(chosen: Environment, template: Template, asked: argparse.Namespace) -> int:
    return examine_deployed(chosen, template, seconds=asked.seconds)


def _destroy(chosen: Environment, template: Template, _asked: argparse.Namespace) -> int:
    account = Account(chosen)
    return Destruction(chosen, template, account, account.stack(chosen.stack)).run()


_COMMANDS: dict[str, Callable[[Environment, Template, argparse.Namespace], int]] = {
    "deploy": _deploy,
    "secrets": _secrets,
    "doctor": _doctor,
    "destroy": _destroy,
}


def _environment(asked: argparse.Namespace) -> Environment:
    if not asked.env:
        known = "|".join(environments(asked.samconfig))
        raise UnknownEnvironment(f"say which environment: make {asked.command} ENV={known}")
    return environment(asked.env, asked.samconfig)


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.deployment", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("--env", help="an environment of samconfig.toml")
    parser.add_argument(
        "--unchecked", action="store_true", help="secrets: write them whatever the checks say"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="doctor: how long the ping may take")
    parser.add_argument("--samconfig", type=Path, default=SAMCONFIG)
    parser.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
