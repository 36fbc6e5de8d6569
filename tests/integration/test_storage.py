"""Files in moto's S3: whole or not there, in parts, and what a refusal says."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from infra.local.aws import REGION, LocalAws
from shared import storage
from shared.errors import JobTimeout, StorageFailed
from shared.storage import PART, upload
from tests.integration.workers.conftest import Files

KEY = "exports/7/job.csv"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    server = LocalAws()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def files(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """A bucket of the test's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    made = Files(aws.url)
    monkeypatch.setenv("FILES_BUCKET", made.bucket)
    storage._client.cache_clear()
    yield made
    storage._client.cache_clear()


def deny(files: Files, *actions: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": f"arn:aws:s3:::{files.bucket}/*",
    }
    files.client.put_bucket_policy(Bucket=files.bucket, Policy=json.dumps({"Statement": [statement]}))


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 3 * PART])
def test_what_is_written_is_there(files: Files, size: int) -> None:
    content = b"x" * size
    with upload(KEY, content_type="text/csv", filename="activity, ä.csv") as file:
        for start in range(0, size, 700_001):
            file.write(content[start : start + 700_001])
    found = files.client.get_object(Bucket=files.bucket, Key=KEY)
    assert found["Body"].read() == content
    assert found["ContentType"] == "text/csv"
    assert found["ContentDisposition"] == "attachment; filename*=UTF-8''activity%2C%20%C3%A4.csv"
    assert (file.bytes, file.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert files.unfinished() == []


def test_a_write_larger_than_a_part(files: Files) -> None:
    content = bytes(range(256)) * (3 * PART // 256)
    with upload(KEY, content_type="text/csv") as file:
        file.write(content)
        file.write(b"end")
    assert files.read(KEY) == content + b"end"


@pytest.mark.parametrize("error", [ValueError("no"), JobTimeout("time is up")], ids=["error", "timeout"])
@pytest.mark.parametrize("written", [10, 2 * PART])
def test_a_block_that_raises_leaves_nothing(files: Files, error: BaseException, written: int) -> None:
    with pytest.raises(type(error)):
        write_and_raise(b"x" * written, error)
    assert (files.keys(), files.unfinished()) == ([], [])


def test_a_block_that_raises_leaves_the_file_that_was_there(files: Files) -> None:
    storage_of(b"old")
    with pytest.raises(ValueError, match="no"):
        write_and_raise(b"x" * 2 * PART, ValueError("no"))
    assert files.read(KEY) == b"old"


def test_parts_that_a_killed_attempt_left_are_removed_and_those_of_other_files_are_not(files: Files) -> None:
    for key in (KEY, KEY, f"{KEY}.gz"):
        left = files.client.create_multipart_upload(Bucket=files.bucket, Key=key)["UploadId"]
        files.client.upload_part(Bucket=files.bucket, Key=key, UploadId=left, PartNumber=1, Body=b"left")
    storage_of(b"new")
    assert files.unfinished() == [f"{KEY}.gz"]
    assert files.read(KEY) == b"new"


def test_another_attempt_replaces_the_file(files: Files) -> None:
    storage_of(b"first")
    storage_of(b"x" * 2 * PART)
    assert files.read(KEY) == b"x" * 2 * PART


# --- links, reading, deleting ---------------------------------------------------------------------------------


def test_a_link_opens_the_file_as_a_download(files: Files) -> None:
    with upload(KEY, content_type="text/csv", filename="invoices.csv") as file:
        file.write(b"id\r\n1\r\n")
    with urllib.request.urlopen(storage.link(KEY, seconds=60)) as answer:
        assert answer.read() == b"id\r\n1\r\n"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''invoices.csv"
    assert "X-Amz-Expires=60" in storage.link(KEY, seconds=60)


def test_reading(files: Files) -> None:
    storage_of(b"content")
    assert storage.read(KEY) == b"content"
    with pytest.raises(StorageFailed, match="NoSuchKey"):
        storage.read("nothing")


def test_deleting_more_than_s3_takes_at_once(files: Files) -> None:
    keys = [f"exports/7/{number}.csv" for number in range(1_001)]
    for key in (keys[0], keys[-1], KEY):
        storage_of(b"x", key)
    assert storage.delete(keys) == 1_001  # one that is not there counts
    assert files.keys() == [KEY]
    assert storage.delete([]) == 0


# --- refusals -------------------------------------------------------------------------------------------------


def test_a_refused_part_leaves_nothing_and_says_why(files: Files) -> None:
    def write_until_refused() -> None:
        with upload(KEY, content_type="text/csv") as file:
            file.write(b"x" * PART)
            deny(files, "s3:PutObject")
            file.write(b"x" * PART)

    with pytest.raises(StorageFailed, match=f"bucket {files.bucket}.*UploadPart.*Forbidden"):
        write_until_refused()
    assert (files.keys(), files.unfinished()) == ([], [])


def test_access_denied_to_a_file_is_said_with_its_key(files: Files) -> None:
    storage_of(b"x")
    deny(files, "s3:DeleteObject")
    with pytest.raises(StorageFailed, match=f"{KEY}.*Access Denied"):
        storage.delete([KEY])
    assert files.keys() == [KEY]


def test_access_denied(files: Files) -> None:
    deny(files, "s3:PutObject")
    with pytest.raises(StorageFailed, match="Forbidden"):
        storage_of(b"x")
    assert files.keys() == []


def test_a_bucket_that_is_not_there(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILES_BUCKET", "no-such-bucket")
    with pytest.raises(StorageFailed, match=r"bucket no-such-bucket: .*NoSuchBucket"):
        storage_of(b"x")


@pytest.mark.parametrize(
    "use", [lambda: storage_of(b"x"), lambda: storage.read(KEY), lambda: storage.delete([KEY])]
)
def test_nobody_listens(files: Files, monkeypatch: pytest.MonkeyPatch, use: object) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    storage._client.cache_clear()
    with pytest.raises(StorageFailed, match="Could not connect"):
        use()  # type: ignore[operator]


def storage_of(content: bytes, key: str = KEY) -> None:
    with upload(key, content_type="text/csv") as file:
        file.write(content)


def write_and_raise(content: bytes, error: BaseException) -> None:
    with upload(KEY, content_type="text/csv") as file:
        file.write(content)
        raise error
