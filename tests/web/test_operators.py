from collections.abc import Callable
from types import SimpleNamespace

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from chatbot.settings import load_settings
from chatbot.web.operators import (
    MAX_AGE_SECONDS,
    MOST_TRUSTED,
    MOST_WRONG,
    MOST_WRONG_IN_ALL,
    WRONG_SECONDS,
    Operators,
)
from providerconf import operators

TOKEN, KEYS = "the-token-of-the-tests", ["a key of the tests, the newest", "an older key of the tests"]


def connection(*, address: str = "192.0.2.1", scheme: str = "http", **headers: str) -> HTTPConnection:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "scheme": scheme, "headers": pairs, "client": (address, 1)})


def cookie(header: str) -> str:
    return header.partition(";")[0]


def outcome(made: Operators, token: str, address: str = "192.0.2.1") -> int:
    try:
        made.check_token(connection(address=address), token)
    except HTTPException as refused:
        return refused.status_code
    return 200


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock on."""
    now = [1000.0]
    monkeypatch.setattr("chatbot.web.operators.time.monotonic", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_who_has_the_token_gets_a_cookie_that_counts_as_the_token() -> None:
    made = Operators(TOKEN, KEYS)
    header = made.header(connection())
    assert header.endswith("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict")
    assert made.signed_in(connection(cookie=cookie(header)))
    made.check(connection(cookie=cookie(header)))
    assert not made.signed_in(connection(cookie=cookie(made.removal(connection()))))
    assert "Max-Age=0" in made.removal(connection())


def test_over_tls_the_cookie_is_for_this_host_and_tls_alone() -> None:
    made = Operators(TOKEN, KEYS)
    header = made.header(connection(scheme="https"))
    assert header.startswith("__Host-diego-operator=")
    assert header.endswith("; SameSite=Strict; Secure")
    assert made.signed_in(connection(scheme="https", cookie=cookie(header)))
    assert not made.signed_in(connection(cookie=cookie(header)))


@pytest.mark.parametrize(
    ("token", "keys", "known"),
    [
        (TOKEN, KEYS, True),
        (TOKEN, ["a new key of the tests", *KEYS], True),
        ("another-token-of-the-tests", KEYS, False),
        (TOKEN, ["a new key of the tests"], False),
    ],
)
def test_another_token_or_key_makes_cookies_invalid(token: str, keys: list[str], known: bool) -> None:  # noqa: FBT001
    header = Operators(TOKEN, KEYS).header(connection())
    assert Operators(token, keys).signed_in(connection(cookie=cookie(header))) is known


def test_when_another_key_is_restored_its_cookies_are_known_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIEGO_ADMIN_TOKEN", TOKEN)
    keys, restored = ["k" * 16], list[Callable[[], None]]()
    diary = SimpleNamespace(on_restore=restored)
    made = operators(load_settings(), lambda: keys, diary)  # type: ignore[arg-type]
    assert made is not None
    before = cookie(made.header(connection()))
    keys[:] = ["l" * 16]
    for notice in restored:
        notice()
    assert not made.signed_in(connection(cookie=before))
    assert Operators(TOKEN, ["l" * 16]).signed_in(connection(cookie=cookie(made.header(connection()))))


@pytest.mark.parametrize("made_up", ["", "operator", "operator.x.y", "operator.aaaaaa.AAAA", "é"])
def test_a_cookie_that_is_made_up_is_none(made_up: str) -> None:
    assert not Operators(TOKEN, KEYS).signed_in(connection(cookie=f"diego-operator={made_up}"))


def test_a_cookie_is_good_for_twelve_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Operators(TOKEN, KEYS)
    header = made.header(connection())
    now = made._signer.get_timestamp()  # noqa: SLF001
    monkeypatch.setattr(made._signer, "get_timestamp", lambda: now + MAX_AGE_SECONDS)  # noqa: SLF001
    assert made.signed_in(connection(cookie=cookie(header)))
    monkeypatch.setattr(made._signer, "get_timestamp", lambda: now + MAX_AGE_SECONDS + 1)  # noqa: SLF001
    assert not made.signed_in(connection(cookie=cookie(header)))


@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_a_script_sends_the_token_in_a_header(authorization: str) -> None:
    Operators(TOKEN, KEYS).check(connection(authorization=authorization))


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}é", ""])
def test_any_other_header_is_refused_without_a_hint_of_the_token(authorization: str) -> None:
    with pytest.raises(HTTPException) as refused:
        Operators(TOKEN, KEYS).check(connection(authorization=authorization))
    assert (refused.value.status_code, refused.value.headers) == (401, {"WWW-Authenticate": "Bearer"})
    assert TOKEN not in refused.value.detail


def test_from_one_network_few_wrong_tokens_are_looked_at(clock: Callable[[float], None]) -> None:
    made = Operators(TOKEN, KEYS)
    for number in range(MOST_WRONG):
        assert outcome(made, f"wrong {number}", "2001:db8::1") == 401
        clock(1)
    with pytest.raises(HTTPException, match=r"Try again in 56 s\.") as refused:
        made.check_token(connection(address="2001:db8::2"), TOKEN)
    assert (refused.value.status_code, refused.value.headers) == (429, {"Retry-After": "56"})
    assert outcome(made, TOKEN, "2001:db8:0:1::1") == 200
    clock(56)
    assert outcome(made, TOKEN, "2001:db8::1") == 200


def test_a_program_that_goes_on_with_an_old_token_keeps_nobody_out() -> None:
    made = Operators(TOKEN, KEYS)
    for _ in range(MOST_WRONG_IN_ALL):
        assert outcome(made, "of last year", "192.0.2.1") == 401
    assert outcome(made, TOKEN, "192.0.2.1") == 200


def test_from_all_networks_together_there_is_a_limit_but_for_those_who_have_been_right(
    clock: Callable[[float], None],
) -> None:
    made = Operators(TOKEN, KEYS)
    assert outcome(made, TOKEN, "198.51.100.1") == 200
    for number in range(MOST_WRONG_IN_ALL):
        assert outcome(made, "wrong", f"192.0.2.{number}") == 401
    assert outcome(made, "wrong", "192.0.2.99") == outcome(made, TOKEN, "192.0.2.99") == 429
    assert outcome(made, TOKEN, "198.51.100.1") == 200
    clock(WRONG_SECONDS)
    assert outcome(made, TOKEN, "192.0.2.99") == 200


def test_however_many_come_little_is_remembered_of_them() -> None:
    made = Operators(TOKEN, KEYS)
    for number in range(1000):
        address = f"10.0.{number // 250}.{number % 250}"
        outcome(made, TOKEN, address)
        outcome(made, "wrong", address)
    assert len(made._wrong) == MOST_WRONG_IN_ALL  # noqa: SLF001
    assert len(made._trusted) == MOST_TRUSTED  # noqa: SLF001
