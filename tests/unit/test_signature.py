"""Our verification against two that are not ours: PyJWT, and the official SDK's for one key.

Where the oracles differ from the rule on purpose, the generated tokens stay out of the way: both refuse an `iat` in
the future, an audience and a `jti` that is no string, none of which QStash sends; the SDK ignores its tolerance,
compares URLs to the letter and takes the body as text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qstash.receiver import verify_with_key

from shared.errors import InvalidSignature
from shared.signature import verify

pytestmark = pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")

CURRENT, NEXT, STRANGER = (
    f"sig_{name}_0123456789abcdefghijklmnop" for name in ("current", "next", "stranger")
)
URL = "https://abc123.lambda-url.eu-central-1.on.aws"
BODY = b'{"type": "send-email"}'
NOW = 1_800_000_000
STANDARD = settings(max_examples=200, deadline=None)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims QStash makes at NOW for URL and BODY; a change to None leaves one out."""
    made = {"iss": "Upstash", "sub": URL, "exp": NOW + 300, "nbf": NOW, "iat": NOW, "body": digest(BODY)}
    return {name: value for name, value in (made | changes).items() if value is not None}


def signed(header: Any, payload: Any, key: str = CURRENT, method: str = "sha256") -> str:
    """A token of any JSON, or of bytes as they are: more than PyJWT would sign."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, payload)]
    signing_input = f"{b64(parts[0])}.{b64(parts[1])}"
    return f"{signing_input}.{b64(hmac.digest(key.encode(), signing_input.encode(), method))}"


def token(key: str = CURRENT, **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm="HS256")


def check(made: str | None, *, body: bytes = BODY, url: str = URL, **options: Any) -> None:
    verify(made, body=body, url=url, keys=(CURRENT, NEXT), **({"now": NOW} | options))


def accepts(work: Callable[[], object]) -> bool:
    try:
        work()
    except Exception:
        return False
    return True


def we_accept(made: str, body: bytes, url: str, *, now: float, tolerance: float) -> bool:
    """Unlike an oracle's, any exception of ours but InvalidSignature is a failure."""
    try:
        verify(made, body=body, url=url, keys=(CURRENT, NEXT), now=now, tolerance=tolerance)
    except InvalidSignature:
        return False
    return True


# --- generated tokens --------------------------------------------------------------------------------------

URLS = st.sampled_from([URL, URL + "/", URL + "//", URL + "/jobs", "https://other.example.com", ""])
OFFSETS = st.sampled_from(
    [-86_400, -400, -100, -30, -3, 3, 30, 100, 400, 86_400]
)  # never at the limit itself
NO_TIMES: st.SearchStrategy[Any] = st.sampled_from(
    [None, "soon", [], {}, True, float("nan"), float("inf"), -1, 10**15, 10**400]
)
ALGORITHMS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512", "none": "sha256", "hs256": "sha256"}


@st.composite
def made_tokens(draw: st.DrawFn) -> tuple[str, dict[str, Any], bytes, str, float]:
    """A token that is right or wrong in any of its parts; its claims, the request's body and URL, and the time."""
    now = int(time.time())  # PyJWT knows no other
    body, url = draw(st.text(max_size=64)).encode(), draw(URLS)  # text, for the SDK takes no other
    wrong = draw(st.sets(st.sampled_from(["iss", "sub", "exp", "nbf", "body", "alg", "key"]), max_size=2))
    made: dict[str, Any] = {
        "iss": draw(st.sampled_from([None, "upstash", "Upstash ", 5, ["Upstash"]]))
        if "iss" in wrong
        else "Upstash",
        "sub": draw(URLS | st.none() | st.integers() | st.text(max_size=9)) if "sub" in wrong else url,
        "exp": draw(NO_TIMES) if "exp" in wrong else now + draw(OFFSETS),
        "nbf": draw(NO_TIMES) if "nbf" in wrong else draw(st.just(0) | OFFSETS.map(lambda each: now + each)),
        "body": draw(st.none() | st.text(max_size=50) | st.integers()) if "body" in wrong else digest(body),
        "jti": draw(st.none() | st.text(max_size=5)),
    }
    if "body" not in wrong and draw(st.booleans()):
        made["body"] = made["body"].rstrip("=")
    made = {name: value for name, value in made.items() if value is not None}
    algorithm = draw(st.sampled_from(sorted(ALGORITHMS))) if "alg" in wrong else "HS256"
    key = STRANGER if "key" in wrong else draw(st.sampled_from([CURRENT, NEXT]))
    text = signed({"typ": "JWT", "alg": algorithm}, made, key, ALGORITHMS[algorithm])
    return text, made, body, url, now


def is_right(made: dict[str, Any], body: bytes, url: str) -> bool:
    """What we ask of the claims beyond the oracle: this URL but for one slash, this body, times that are times."""
    return (
        is_same_url(made.get("sub"), url)
        and isinstance(made.get("body"), str)
        and made["body"].rstrip("=") == digest(body).rstrip("=")
        and are_times(made.get("exp"), made.get("nbf"))
    )


def is_same_url(subject: object, url: str) -> bool:
    return isinstance(subject, str) and subject.removesuffix("/") == url.removesuffix("/")


def are_times(*values: Any) -> bool:
    return all(type(each) in {int, float} and 0 <= each < 1e11 for each in values)


@STANDARD
@given(made_tokens(), st.sampled_from([0, 10, 60]))
def test_we_accept_exactly_what_pyjwt_accepts_with_the_right_claims(
    made: tuple[str, dict[str, Any], bytes, str, float], tolerance: int
) -> None:
    text, payload, body, url, now = made

    def decode(key: str) -> bool:
        options: Any = {"require": ["iss", "sub", "exp", "nbf"]}
        return accepts(lambda: jwt.decode(text, key, ["HS256"], options, issuer="Upstash", leeway=tolerance))

    expected = (decode(CURRENT) or decode(NEXT)) and is_right(payload, body, url)
    assert we_accept(text, body, url, now=now, tolerance=tolerance) == expected


@STANDARD
@given(made_tokens())
def test_we_accept_exactly_what_the_sdk_accepts(
    made: tuple[str, dict[str, Any], bytes, str, float],
) -> None:
    text, payload, body, url, now = made
    subject = payload.get("sub")
    exact = str(subject) if is_same_url(subject, url) else url  # a slash is all that may differ

    def receive(key: str) -> bool:
        return accepts(lambda: verify_with_key(key, signature=text, body=body.decode(), url=exact))

    expected = (receive(CURRENT) or receive(NEXT)) and are_times(payload.get("exp"), payload.get("nbf"))
    assert we_accept(text, body, url, now=now, tolerance=0) == expected


def test_both_oracles_accept_what_we_do() -> None:
    now = int(time.time())
    made = token(exp=now + 300, nbf=now, iat=now)
    check(made, now=now)
    jwt.decode(made, CURRENT, algorithms=["HS256"], issuer="Upstash")
    verify_with_key(CURRENT, signature=made, body=BODY.decode(), url=URL)


def test_a_signature_has_one_spelling_as_it_has_for_pyjwt() -> None:
    """A last character whose unused bits are set, or the standard alphabet, decodes to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    made = next(t for t in (token(jti=str(n)) for n in range(99)) if set("-_") & set(t.rpartition(".")[2]))
    rest, _, signature = made.rpartition(".")
    spare_bit = signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]
    standard = signature.replace("-", "+").replace("_", "/")
    check(made)
    for other in (spare_bit, standard):
        assert not accepts(lambda: jwt.decode(f"{rest}.{other}", CURRENT, ["HS256"], {"verify_exp": False}))  # noqa: B023
        with pytest.raises(InvalidSignature):
            check(f"{rest}.{other}")


# --- anything at all ---------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "sub", "exp", "nbf", "body", "alg"])


def assert_refused(made: str, body: bytes = BODY, url: str = URL) -> None:
    with pytest.raises(InvalidSignature):
        check(made, body=body, url=url)


@STANDARD
@given(st.text(st.characters(codec=None)) | st.from_regex(r"[A-Za-z0-9_=+/.-]*", fullmatch=True), st.binary())
@example("..", b"")
@example("...", b"")
@example("\ud800.\udfff.é", b"")
@example("é.é.é", b"")
@example("A.A.A", b"")
@example("=.=.=", b"")
def test_no_text_is_an_error_of_another_kind(text: str, body: bytes) -> None:
    if text:
        assert_refused(text, body)


@STANDARD
@given(st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_bytes_are_an_error_of_another_kind(text: str) -> None:
    if text:
        assert_refused(text)
        assert_refused(f"{text}.{text}.{text}")


@STANDARD
@given(JSON | st.dictionaries(NAMES, JSON), JSON | st.dictionaries(NAMES, JSON))
def test_no_signed_json_is_an_error_of_another_kind(header: Any, payload: Any) -> None:
    assert_refused(signed(header, payload))
    assert_refused(signed({"alg": "HS256"}, payload))


@STANDARD
@given(st.binary(max_size=60))
def test_no_signed_bytes_are_an_error_of_another_kind(raw: bytes) -> None:
    assert_refused(signed(raw, raw))
    assert_refused(signed({"alg": "HS256"}, raw))


@STANDARD
@given(NAMES, JSON)
def test_no_single_claim_is_an_error_of_another_kind(name: str, value: Any) -> None:
    made = signed({"alg": "HS256"}, claims() | {name: value})
    try:
        check(made)
    except InvalidSignature:
        return
    assert name in {"exp", "nbf", "alg"}  # a number may be a time that fits


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 3000,
        b'{"exp":' * 400,
        b'{"exp": ' + b"9" * 3000 + b"}",
        b'{"iss": "Upstash", "exp": NaN, "nbf": NaN}',
        b'{"iss": "Upstash", "exp": Infinity, "nbf": -Infinity}',
        b'{"iss": "Upstash", "exp": 1e400, "nbf": 0}',
        b'{"iss": "Upstash", "exp": 2e9, "nbf": 0, "sub": "\\ud800"}',
        b"\xff\xfe\x00",
        b"",
    ],
    ids=[
        "deep",
        "deep objects",
        "huge integer",
        "nan",
        "infinity",
        "overflow",
        "surrogate",
        "utf-16",
        "empty",
    ],
)
def test_hostile_json_is_refused(payload: bytes) -> None:
    assert_refused(signed({"alg": "HS256"}, payload))
    assert_refused(signed(payload, claims()))


@pytest.mark.parametrize("name", ["iss", "sub", "body"])
@pytest.mark.parametrize(
    "value", ["\ud800", "ü", "\x00", "=", "a" * 2000], ids=["surrogate", "ü", "nul", "=", "long"]
)
def test_hostile_text_in_a_claim_is_refused(name: str, value: str) -> None:
    assert_refused(signed({"alg": "HS256"}, claims(**{name: value})))


@pytest.mark.parametrize(
    "text", ["a" * 10_000_000, "a." * 5_000_000, f"{'a' * 5_000_000}.{'a' * 5_000_000}.a"]
)
def test_ten_megabytes_are_refused_at_once(text: str) -> None:
    started = time.process_time()
    assert_refused(text)
    assert time.process_time() - started < 1


def test_a_body_of_ten_megabytes_is_checked() -> None:
    body = bytes(10_000_000)
    check(token(body=digest(body)), body=body)
    assert_refused(token(body=digest(body)), body[:-1])


@pytest.mark.parametrize("body", [b"", b"\xff\x00\xfe", "ä\n".encode(), b"\r\n"])
def test_a_body_is_its_exact_bytes(body: bytes) -> None:
    check(token(body=digest(body)), body=body)
    assert_refused(token(body=digest(body)), body + b"\n")


# --- the rules, one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [CURRENT, NEXT])
def test_either_key_will_do(key: str) -> None:
    check(token(key))


def test_an_empty_key_signs_nothing() -> None:
    with pytest.raises(InvalidSignature, match="neither signing key"):
        verify(signed({"alg": "HS256"}, claims(), ""), body=BODY, url=URL, keys=("", ""), now=NOW)


@pytest.mark.parametrize("padding", ["", "=", "=="])
def test_the_body_claim_may_be_padded_or_not(padding: str) -> None:
    check(token(body=digest(BODY).rstrip("=") + padding))


@pytest.mark.parametrize(("tolerance", "skew"), [(0, 0), (5, 5), (60, 60)])
def test_tolerance_is_the_same_in_both_directions(tolerance: float, skew: int) -> None:
    expired, early = token(exp=NOW - skew), token(nbf=NOW + skew)
    check(expired, tolerance=tolerance)
    check(early, tolerance=tolerance)
    for made, now in ((expired, NOW + 1), (early, NOW - 1)):
        with pytest.raises(InvalidSignature):
            check(made, tolerance=tolerance, now=now)


def test_the_default_tolerance_is_a_minute_by_the_wall_clock() -> None:
    now = int(time.time())
    for expires, begins in ((now - 50, 0), (now + 300, now + 50)):
        check(token(exp=expires, nbf=begins), now=None)
    for expires, begins in ((now - 70, 0), (now + 300, now + 80)):
        with pytest.raises(InvalidSignature):
            check(token(exp=expires, nbf=begins), now=None)


@pytest.mark.parametrize(
    ("subject", "url", "same"),
    [
        (URL, URL, True),
        (URL + "/", URL, True),
        (URL, URL + "/", True),
        (URL + "/", URL + "/", True),
        (URL + "//", URL, False),
        (URL + "/a", URL + "/a/", True),
        (URL + "/a", URL, False),
        (URL, URL + "?a=1", False),
        (URL.upper(), URL, False),
        (URL.replace("https", "http"), URL, False),
        (URL + ".example.com", URL, False),
        ("", URL, False),
    ],
)
def test_one_trailing_slash_is_all_that_may_differ(subject: str, url: str, same: bool) -> None:
    assert accepts(lambda: check(token(sub=subject), url=url)) is same


# --- the reason --------------------------------------------------------------------------------------------

WITHOUT = {name: f"claim {name} is missing" for name in ("exp", "nbf", "body")} | {
    "iss": "the issuer is None and must be 'Upstash'",
    "sub": "it was signed for None",
}


@pytest.mark.parametrize("key", [CURRENT, NEXT], ids=["current", "next"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        *[({name: None}, reason) for name, reason in WITHOUT.items()],
        ({"exp": NOW - 100}, "it expired 100 s ago"),
        ({"nbf": NOW + 100}, "it becomes valid only in 100 s"),
        ({"iss": "Somebody"}, "the issuer is 'Somebody'"),
        (
            {"sub": "https://other.example.com"},
            f"it was signed for 'https://other.example.com', and this is '{URL}'",
        ),
        ({"body": digest(b"other")}, "the body is not the one that was signed"),
    ],
)
def test_the_reason_is_the_true_one_under_either_key(key: str, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check(token(key, **changes))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (None, "the Upstash-Signature header is missing"),
        ("", "the Upstash-Signature header is missing"),
        ("one.two", "the signature is not a JWT"),
        ("one.two.three.four", "the signature is not a JWT"),
        ("x" * 4097, "the signature is not a JWT"),
        ("a.b.ü", "the signature is not a JWT"),
        ("a.b.!", "the JWT's signature is not base64url"),
        ("!.b.aaaa", "the JWT's header is not base64url"),
        (signed([], claims()), "the JWT's header is not a JSON object"),
        (signed({"alg": "HS256"}, []), "the JWT's claims is not a JSON object"),
        (signed({"alg": "HS256"}, claims(), STRANGER), "neither signing key made this signature"),
        (signed({"alg": "HS512"}, claims(), method="sha512"), "the algorithm is 'HS512' and must be HS256"),
        (signed({"alg": "none"}, claims()), "the algorithm is 'none' and must be HS256"),
        (signed({"alg": ["HS256"]}, claims()), "the algorithm is ['HS256'] and must be HS256"),
        (signed({}, claims()), "the algorithm is None and must be HS256"),
    ],
)
def test_the_reason_says_what_is_wrong_with_the_token(made: str | None, reason: str) -> None:
    with pytest.raises(InvalidSignature) as caught:
        check(made)
    assert str(caught.value) == reason


def test_a_forged_claim_is_not_believed_in_the_reason() -> None:
    """Before the signature is known to be right, nothing of the claims is looked at."""
    with pytest.raises(InvalidSignature, match="neither signing key"):
        check(token(STRANGER, exp=1))
