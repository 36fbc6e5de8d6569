"""Secrets and parameters: from the environment, else AWS's extension over loopback, else boto3. Cached per process.

The extension (a Lambda layer) answers in a millisecond or two, where importing boto3 costs a worker 291 ms of cold
start. It is asked in the handler and never at import, when it does not serve yet.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any
from urllib.parse import urlencode

from shared.errors import SecretUnavailable

_SECRET_OF = {
    "DATABASE_URL": "DATABASE_SECRET_ARN",
    "QSTASH_TOKEN": "QSTASH_SECRET_ARN",
    "QSTASH_CURRENT_SIGNING_KEY": "QSTASH_SECRET_ARN",
    "QSTASH_NEXT_SIGNING_KEY": "QSTASH_SECRET_ARN",
    "RESEND_API_KEY": "RESEND_SECRET_ARN",
    "PAYLOAD_KEYS": "PAYLOAD_SECRET_ARN",
    "STRIPE_WEBHOOK_SECRETS": "WEBHOOKS_SECRET_ARN",
    "RESEND_WEBHOOK_SECRETS": "WEBHOOKS_SECRET_ARN",
    "GITHUB_WEBHOOK_SECRETS": "WEBHOOKS_SECRET_ARN",
    "CUSTOM_WEBHOOKS": "WEBHOOKS_SECRET_ARN",
    "API_KEYS": "API_SECRET_ARN",
    "ZILLOW_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "ZILLOW_API_KEY": "SYNDICATION_SECRET_ARN",
    "APARTMENTS_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "APARTMENTS_API_KEY": "SYNDICATION_SECRET_ARN",
    "CRAIGSLIST_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "CRAIGSLIST_USERNAME": "SYNDICATION_SECRET_ARN",
    "CRAIGSLIST_PASSWORD": "SYNDICATION_SECRET_ARN",
    "CRAIGSLIST_ACCOUNT_ID": "SYNDICATION_SECRET_ARN",
    "FACEBOOK_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "FACEBOOK_API_KEY": "SYNDICATION_SECRET_ARN",
    "STREETEASY_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "STREETEASY_API_KEY": "SYNDICATION_SECRET_ARN",
    "REALTOR_ENDPOINT": "SYNDICATION_SECRET_ARN",
    "REALTOR_API_KEY": "SYNDICATION_SECRET_ARN",
}
_REFRESH_SECONDS = 60.0
_PARAMETER_SECONDS = 300.0
_EXTENSION_TIMEOUT = 3.0
_cache: dict[str, tuple[float, str]] = {}
_last: dict[str, str] = {}  # what was forgotten, for when it cannot be read anew


def entries_of(variable: str) -> list[str]:
    """The entries that the secret named by this variable may have: `DATABASE_SECRET_ARN`'s is `DATABASE_URL`."""
    return [entry for entry, named in _SECRET_OF.items() if named == variable]


def secret(name: str) -> str:
    """One entry of a secret, by the name of the variable that may hold it instead.

    Raises SecretUnavailable, which says where it was looked for.

        >>> secret("RESEND_API_KEY")  # doctest: +SKIP
        're_…'
    """
    if value := os.environ.get(name):
        return value
    arn = os.environ.get(_SECRET_OF[name])
    if not arn:
        raise SecretUnavailable(f"set {name}, or {_SECRET_OF[name]} to the secret that holds it")
    try:
        return _entry(arn, name)
    except SecretUnavailable:
        if not refresh():  # an operator may have filled it in since
            raise
        return _entry(arn, name)


def find(name: str) -> str | None:
    """One entry that need not be there; None where neither the environment nor the secret has it.

    Raises SecretUnavailable where the secret cannot be read: it may have it.
    """
    if value := os.environ.get(name):
        return value
    arn = os.environ.get(_SECRET_OF[name])
    if not arn:
        return None
    entry = _entries(arn).get(name)
    if not entry and refresh():  # an operator may have filled it in since
        entry = _entries(arn).get(name)
    return _text(entry) if entry else None


def refresh() -> bool:
    """Forget secrets read more than a minute ago, so that rotated ones are seen; whether there were any."""
    old = {
        key: value
        for key, (read_at, value) in _cache.copy().items()
        if time.time() - read_at > _REFRESH_SECONDS
    }
    for key, value in old.items():
        _last[key] = value
        _cache.pop(key, None)
    return bool(old)


def parameter(name: str) -> str:
    """An SSM parameter's value, at most five minutes old if it can be read. Raises SecretUnavailable."""
    key = f"parameter {name}"
    kept = _cache.get(key)
    if kept is not None and time.time() - kept[0] > _PARAMETER_SECONDS:
        _last[key] = kept[1]
        _cache.pop(key, None)
    return _cached(key, lambda: _parameter(name))


def _entry(arn: str, name: str) -> str:
    entry = _entries(arn).get(name)
    if not entry:
        raise SecretUnavailable(f"secret {arn} has no entry {name}: add it to the secret's JSON")
    return _text(entry)


def _text(entry: Any) -> str:
    """An entry as a variable would hold it: what is JSON in a secret need not be quoted once more."""
    return json.dumps(entry) if isinstance(entry, dict | list) else str(entry)


def _entries(arn: str) -> dict[str, Any]:
    try:
        entries = json.loads(_cached(f"secret {arn}", lambda: _secret_string(arn)))
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        raise SecretUnavailable(f"secret {arn} must hold a JSON object")
    return entries


def _cached(key: str, read: Any) -> str:
    kept = _cache.get(key)
    if kept is None:
        try:
            kept = (time.time(), read())
        except SecretUnavailable:
            if key not in _last:
                raise
            kept = (time.time(), _last[key])
        _cache[key] = kept
    return kept[1]


def _secret_string(arn: str) -> str:
    if port := os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"):
        answer = _ask_extension(port, "/secretsmanager/get", {"secretId": arn})
    else:
        answer = _ask_boto3("secretsmanager", "get_secret_value", SecretId=arn)
    return str(answer.get("SecretString", ""))  # a binary secret has none


def _parameter(name: str) -> str:
    if port := os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"):
        answer = _ask_extension(port, "/systemsmanager/parameters/get", {"name": name})
    else:
        answer = _ask_boto3("ssm", "get_parameter", Name=name)
    return str(answer["Parameter"]["Value"])


def _ask_extension(port: str, path: str, query: dict[str, str]) -> Any:
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415  # not where the environment has it all

    connection = HTTPConnection("127.0.0.1", int(port), timeout=_EXTENSION_TIMEOUT)
    token = {"X-Aws-Parameters-Secrets-Token": os.environ.get("AWS_SESSION_TOKEN", "")}
    try:
        connection.request("GET", f"{path}?{urlencode(query)}", headers=token)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SecretUnavailable(
                f"the secrets extension answered {response.status} for {query}: {body[:200]!r}"
            )
        return json.loads(body)
    except (OSError, HTTPException, ValueError) as error:
        raise SecretUnavailable(f"the secrets extension did not answer for {query}: {error}") from error
    finally:
        connection.close()


def _ask_boto3(service: str, operation: str, **arguments: str) -> Any:
    try:
        import boto3  # noqa: PLC0415  # 291 ms: only without the extension
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    except ModuleNotFoundError:
        raise SecretUnavailable(f"reading {arguments} needs boto3: pip install 'posthaste[aws]'") from None
    try:
        return getattr(boto3.client(service), operation)(**arguments)
    except (BotoCoreError, ClientError) as error:
        raise SecretUnavailable(f"could not read {arguments}: {error}") from error
