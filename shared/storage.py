"""Files in S3: streamed up part by part, there whole or not at all, and handed out by links that expire.

boto3 comes with Lambda's runtime and costs 291 ms to import: only functions that store files import this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, cast
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import StorageFailed
from shared.settings import StorageSettings

PART = 5 * 1024 * 1024  # bytes; S3 takes 10,000 parts of a file, none but the last below 5 MiB
LINK_SECONDS = 6 * 3600  # a link also ends with the credentials that signed it: a Lambda's last some hours
_DELETED_AT_ONCE = 1000  # S3's limit
_CONFIG = Config(
    signature_version="s3v4",
    connect_timeout=3,
    read_timeout=20,
    retries={"total_max_attempts": 3, "mode": "standard"},
)


class Upload:
    """A file on its way: what is written goes up as soon as it makes a part. Holds one part in memory."""

    def __init__(self, key: str, options: dict[str, str]) -> None:
        self.bytes = 0
        self._target = {"Bucket": bucket(), "Key": key}
        self._options = options
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        """Append. Raises StorageFailed."""
        self.bytes += len(data)
        self._digest.update(data)
        self._buffer += data
        if len(self._buffer) >= PART:
            self._send()

    @property
    def sha256(self) -> str:
        """The checksum of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Make the file appear, whole."""
        if self._id is None:
            _s3("put_object", **self._target, **self._options, Body=self._buffer)
            return
        if self._buffer:
            self._send()
        _s3(
            "complete_multipart_upload",
            **self._target,
            UploadId=self._id,
            MultipartUpload={"Parts": self._parts},
        )

    def abort(self) -> None:
        """Leave nothing of it in S3; where that fails too, the bucket's lifecycle rule does it after a day."""
        if self._id is not None:
            with suppress(StorageFailed):
                _s3("abort_multipart_upload", **self._target, UploadId=self._id)

    def _send(self) -> None:
        if self._id is None:
            self._id = str(_s3("create_multipart_upload", **self._target, **self._options)["UploadId"])
        number = len(self._parts) + 1
        sent = _s3("upload_part", **self._target, UploadId=self._id, PartNumber=number, Body=self._buffer)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._buffer = bytearray()


@contextmanager
def upload(key: str, *, content_type: str, filename: str | None = None) -> Iterator[Upload]:
    """A file to write to. It is there once the block has ended, and nothing of it is if the block raises.

    Name the key after the job, so that another attempt replaces what an earlier one left; parts left by an attempt
    that was killed are removed first. `filename` is what a browser saves it as. Raises StorageFailed.

        with storage.upload(f"exports/{job.id}.csv", content_type="text/csv") as file:
            file.write(b"id,name")
    """
    _abort_left_over(key)
    options = {"ContentType": content_type}
    if filename is not None:
        options["ContentDisposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
    file = Upload(key, options)
    try:
        yield file
        file.finish()
    except BaseException:  # JobTimeout is one
        file.abort()
        raise


def link(key: str, seconds: int = LINK_SECONDS) -> str:
    """A URL that lets anyone who has it read the file, for so many seconds (six hours). Raises StorageFailed."""
    with _in_own_words():
        target = {"Bucket": bucket(), "Key": key}
        return cast("str", _client().generate_presigned_url("get_object", Params=target, ExpiresIn=seconds))


def read(key: str) -> bytes:
    """A whole file. Raises StorageFailed, also where there is none."""
    with _in_own_words():
        return cast("bytes", _client().get_object(Bucket=bucket(), Key=key)["Body"].read())


def delete(keys: Iterable[str]) -> int:
    """Delete files; how many were asked for. One that is not there counts as deleted. Raises StorageFailed."""
    wanted = list(keys)
    for start in range(0, len(wanted), _DELETED_AT_ONCE):
        some = [{"Key": key} for key in wanted[start : start + _DELETED_AT_ONCE]]
        answer = _s3("delete_objects", Bucket=bucket(), Delete={"Objects": some, "Quiet": True})
        if errors := answer.get("Errors"):
            raise StorageFailed(f"S3 did not delete {errors[0]['Key']}: {errors[0].get('Message')}")
    return len(wanted)


def _abort_left_over(key: str) -> None:
    found = _s3("list_multipart_uploads", Bucket=bucket(), Prefix=key)
    for each in found.get("Uploads", []):
        if each["Key"] == key:
            _s3("abort_multipart_upload", Bucket=bucket(), Key=key, UploadId=each["UploadId"])


def bucket() -> str:
    """The name of the bucket that files are stored in. Raises MissingSettings."""
    return StorageSettings.load().files_bucket


@cache
def _client() -> Any:
    return boto3.client("s3", config=_CONFIG)


def _s3(operation: str, **arguments: Any) -> Any:
    with _in_own_words():
        return getattr(_client(), operation)(**arguments)


@contextmanager
def _in_own_words() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StorageFailed(f"S3, bucket {bucket()}: {error}") from error
