"""The environment variables of a function's process."""

import datetime as dt
import secrets
import sys
import tempfile
from pathlib import Path

from infra.local.awslambda.function import Function, Machine


def variables(function: Function, machine: Machine, runtime_api: str) -> dict[str, str]:
    """What the process sees: what Lambda sets, the function's own variables, and nothing of the developer's."""
    return {
        **_minimum(machine),
        **_lambda(function, machine),
        **_credentials(machine),
        **function.environment,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
    }


def _minimum(machine: Machine) -> dict[str, str]:
    # HOME is not the developer's: boto3 would read credentials and endpoints from there.
    return {
        "HOME": tempfile.gettempdir(),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(machine.python).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(machine.task_root),
        "TZ": ":UTC",
    }


def _lambda(function: Function, machine: Machine) -> dict[str, str]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": f"{function.timeout:g}",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": _log_stream(),
        "LAMBDA_TASK_ROOT": str(machine.task_root),
    }


def _log_stream() -> str:
    today = dt.datetime.now(dt.UTC)
    return f"{today:%Y/%m/%d}/[$LATEST]{secrets.token_hex(16)}"


def _credentials(machine: Machine) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_DEFAULT_REGION": machine.region,
        "AWS_REGION": machine.region,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": machine.session_token,
    }
