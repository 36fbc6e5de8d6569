"""What is sealed opens in its place, under its key, and in no other way."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.payload_keys import main, new_entry
from shared import sealing, secrets
from shared.errors import SecretUnavailable
from shared.sealing import Sealed, payload_of, payload_of_schedule, result_of, seal, unseal

JOB, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
OLD, NEW = "old:" + "A" * 43, "new:" + "B" * 42 + "A"
STANDARD = settings(max_examples=100, deadline=None)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("PAYLOAD_KEYS", OLD)
    monkeypatch.delenv("PAYLOAD_SECRET_ARN", raising=False)
    yield monkeypatch
    sealing._parsed.cache_clear()


def stored(sealed: Sealed) -> str:
    return json.dumps(sealed.body)


@given(text=st.text(), number=st.integers(0, 2**128 - 1))
@STANDARD
def test_what_is_sealed_opens_again(text: str, number: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYLOAD_KEYS", OLD)
        place = payload_of(uuid.UUID(int=number))
        sealed = seal(text, place)
        assert unseal(stored(sealed), sealed.key_id, place) == text
        assert len(text) < 4 or text not in stored(sealed)


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert len({seal("{}", payload_of(JOB)).body["sealed"] for _each in range(100)}) == 100


def test_what_has_no_key_is_plain() -> None:
    assert unseal('{"sealed": "a", "as": "b"}', None, payload_of(JOB)) == '{"sealed": "a", "as": "b"}'


@pytest.mark.parametrize("written_over", ['{"text": "plain"}', "[]", "null", "5", '{"sealed": "a"}'])
def test_what_code_without_keys_wrote_over_a_sealed_payload_is_plain(written_over: str) -> None:
    assert unseal(written_over, "old", payload_of(JOB)) == written_over


@pytest.mark.parametrize(
    "place", [payload_of(OTHER), result_of(JOB), payload_of_schedule(str(JOB)), payload_of_schedule(None)]
)
def test_it_opens_in_no_other_place(place: str) -> None:
    sealed = seal("{}", payload_of(JOB))
    with pytest.raises(SecretUnavailable, match="stands as the"):
        unseal(stored(sealed), "old", place)
    forged = json.dumps({**sealed.body, "as": place})
    with pytest.raises(SecretUnavailable, match="does not open"):
        unseal(forged, "old", place)


def test_it_opens_in_one_of_several_places() -> None:
    sealed = seal("{}", payload_of_schedule("nightly"))
    assert unseal(stored(sealed), "old", payload_of(JOB), payload_of_schedule("nightly")) == "{}"


def test_every_bit_counts() -> None:
    sealed = seal("{}", payload_of(JOB))
    raw = base64.b64decode(sealed.body["sealed"])
    for position in range(len(raw)):
        changed = raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]
        body = {**sealed.body, "sealed": base64.b64encode(changed).decode()}
        with pytest.raises(SecretUnavailable, match="does not open"):
            unseal(json.dumps(body), "old", payload_of(JOB))
    for broken in ("", "AAAA", "not base64!", sealed.body["sealed"][:-8]):
        with pytest.raises(SecretUnavailable, match="does not open"):
            unseal(json.dumps({**sealed.body, "sealed": broken}), "old", payload_of(JOB))


# --- keys --------------------------------------------------------------------------------------------------


def test_the_first_key_seals_and_all_open(keys: pytest.MonkeyPatch) -> None:
    before = seal("{}", payload_of(JOB))
    keys.setenv("PAYLOAD_KEYS", f"{NEW}, {OLD}")
    after = seal("{}", payload_of(JOB))
    assert (before.key_id, after.key_id) == ("old", "new")
    for each in (before, after):
        assert unseal(stored(each), each.key_id, payload_of(JOB)) == "{}"


def test_a_key_that_has_gone_is_named(keys: pytest.MonkeyPatch) -> None:
    sealed = seal("{}", payload_of(JOB))
    keys.setenv("PAYLOAD_KEYS", NEW)
    with pytest.raises(
        SecretUnavailable, match=r"^PAYLOAD_KEYS has no key 'old', under which the payload of job"
    ):
        unseal(stored(sealed), "old", payload_of(JOB))


def test_another_key_of_the_same_id_is_told_apart(keys: pytest.MonkeyPatch) -> None:
    sealed = seal("{}", payload_of(JOB))
    keys.setenv("PAYLOAD_KEYS", NEW.replace("new", "old"))
    with pytest.raises(SecretUnavailable, match="another key of this id"):
        unseal(stored(sealed), "old", payload_of(JOB))


def test_an_unknown_key_has_the_secret_read_anew_once(keys: pytest.MonkeyPatch) -> None:
    keys.delenv("PAYLOAD_KEYS")
    keys.setenv("PAYLOAD_SECRET_ARN", "arn")
    held = [OLD, OLD]
    keys.setattr(secrets, "_secret_string", lambda arn: json.dumps({"PAYLOAD_KEYS": held.pop(0)}))
    sealed = seal("{}", payload_of(JOB))
    now = time.time()
    keys.setattr("shared.secrets.time.time", lambda: now + 61)
    with pytest.raises(SecretUnavailable, match="has no key 'new'"):
        unseal(stored(sealed), "new", payload_of(JOB))
    assert held == []
    with pytest.raises(SecretUnavailable, match="has no key 'new'"):  # and not again within the minute
        unseal(stored(sealed), "new", payload_of(JOB))
    held[:] = [f"{NEW},{OLD}"]
    keys.setattr("shared.secrets.time.time", lambda: now + 122)
    with pytest.raises(SecretUnavailable, match="does not open"):  # the key is there, and it is not its key
        unseal(stored(sealed), "new", payload_of(JOB))
    secrets._cache.clear()
    secrets._last.clear()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("", "set PAYLOAD_KEYS"),
        ("k", "entry 1 is not ID:KEY"),
        ("k:short", "entry 1 is not ID:KEY"),
        (f"{OLD},", "entry 2 is not ID:KEY"),
        (f"{OLD},{OLD}", "entry 2 repeats"),
        (":" + "A" * 43, "entry 1 is not ID:KEY"),
        ("a b:" + "A" * 43, "entry 1 is not ID:KEY"),
        ("k:" + "A" * 44, "entry 1 is not ID:KEY"),
    ],
)
def test_a_list_that_is_none_is_told_without_its_keys(
    keys: pytest.MonkeyPatch, given: str, complaint: str
) -> None:
    keys.setenv("PAYLOAD_KEYS", given)
    with pytest.raises(SecretUnavailable, match=complaint) as caught:
        seal("{}", payload_of(JOB))
    assert "AAAA" not in str(caught.value)
    with pytest.raises(SecretUnavailable):
        sealing.check_keys()


def test_the_command_makes_entries_that_are_taken(
    keys: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    keys.setenv("PAYLOAD_KEYS", f"{capsys.readouterr().out.strip()},{OLD}")
    sealed = seal("{}", payload_of(JOB))
    assert unseal(stored(sealed), sealed.key_id, payload_of(JOB)) == "{}"
    assert len({new_entry() for _each in range(100)}) == 100


def test_the_command_says_what_it_takes(keys: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    keys.delenv("DATABASE_URL", raising=False)
    assert main(["--use"]) == 2
    assert "DATABASE_URL is missing" in capsys.readouterr().err
    assert main(["--other"]) == 2
    assert "usage" in capsys.readouterr().err
    keys.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert main(["--use"]) == 1
    assert "not counted" in capsys.readouterr().err


def test_libsodium_is_loaded_where_something_is_sealed_and_not_before() -> None:
    program = (
        "import sys, uuid, shared.worker, shared.dispatcher, shared.delivery, shared.sealing as sealing;"
        "assert 'nacl' not in sys.modules;"
        "sealing.seal('{}', sealing.payload_of(uuid.UUID(int=1)));"
        "assert 'nacl' in sys.modules"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "PAYLOAD_KEYS": OLD}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
