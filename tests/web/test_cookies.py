import os
import stat
import string
import threading
import time
from http.cookies import Morsel, SimpleCookie
from multiprocessing import get_context
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from chatbot import SetupError
from chatbot.settings import MIN_KEY_CHARACTERS
from chatbot.web.cookies import MAX_AGE_SECONDS, Cookies, load_key, new_visitor
from tests.processes import STAND_IN, Server, serving_directly

KEY, OTHER_KEY = "k" * MIN_KEY_CHARACTERS, "o" * MIN_KEY_CHARACTERS
NAMES = {"http": "diego", "ws": "diego", "https": "__Host-diego", "wss": "__Host-diego"}
YEAR = 365 * 24 * 3600


@pytest.fixture
def cookies() -> Cookies:
    return Cookies([KEY])


def connection(cookie: str = "", scheme: str = "http") -> HTTPConnection:
    """A request with that value of the header Cookie."""
    headers = [(b"cookie", cookie.encode("latin-1"))] if cookie else []
    return HTTPConnection({"type": "http", "scheme": scheme, "path": "/", "headers": headers})


def morsel(header: str) -> Morsel[str]:
    """The one cookie of a header Set-Cookie."""
    (cookie,) = SimpleCookie(header).values()
    return cookie


def brought_back(header: str) -> str:
    """What a browser makes of Set-Cookie."""
    return header.partition(";")[0]


def signed(cookies: Cookies, visitor: str, scheme: str = "http") -> str:
    return brought_back(cookies.header(connection(scheme=scheme), visitor))


@pytest.mark.parametrize("scheme", NAMES)
def test_who_brings_the_cookie_is_the_visitor(cookies: Cookies, scheme: str) -> None:
    visitor = new_visitor()
    assert cookies.visitor(connection(signed(cookies, visitor, scheme), scheme)) == visitor


def test_no_two_visitors_are_the_same() -> None:
    assert len({new_visitor() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(("scheme", "name"), NAMES.items())
def test_scripts_do_not_see_the_cookie_nor_do_other_sites_send_it(cookies: Cookies, scheme: str, name: str) -> None:
    secure = scheme in ("https", "wss")
    for header in (
        cookies.header(connection(scheme=scheme), new_visitor()),
        cookies.removal(connection(scheme=scheme)),
    ):
        cookie = morsel(header)
        assert cookie.key == name
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        assert cookie["secure"] == (True if secure else "")
        assert cookie["domain"] == ""  # otherwise no browser takes __Host-


def test_it_lasts_a_year_and_its_removal_ends_it(cookies: Cookies) -> None:
    assert morsel(cookies.header(connection(), new_visitor()))["max-age"] == str(YEAR)
    removal = morsel(cookies.removal(connection()))
    assert (removal.value, removal["max-age"]) == ("", "0")


def test_under_tls_a_cookie_that_another_site_of_the_domain_may_have_set_is_ignored(cookies: Cookies) -> None:
    assert cookies.visitor(connection(signed(cookies, new_visitor(), "http"), "https")) is None


def test_a_cookie_forged_by_one_byte_is_none(cookies: Cookies) -> None:
    name, _, value = signed(cookies, new_visitor()).partition("=")
    for position, byte in enumerate(value):
        for other in {*string.ascii_letters, *string.digits, *"-_.!"} - {byte}:
            forged = f"{name}={value[:position]}{other}{value[position + 1 :]}"
            assert cookies.visitor(connection(forged)) is None, forged


@pytest.mark.parametrize("value", ["", ".", "..", "a.b.c", "=", '"', '"\\377\\000"', "é.ü.ß", "\xff", "x" * 10_000])
def test_an_empty_cookie_and_garbage_are_none(cookies: Cookies, value: str) -> None:
    assert cookies.visitor(connection(f"diego={value}")) is None


@pytest.mark.parametrize("visitor", ["", "x" * 32, "a" * 31, "a" * 33, "A" * 32])
def test_what_is_signed_but_no_number_of_a_visitor_is_none(cookies: Cookies, visitor: str) -> None:
    assert cookies.visitor(connection(signed(cookies, visitor))) is None


@pytest.mark.parametrize(
    ("seconds", "known"),
    [(0, True), (YEAR - 60, True), (YEAR + 60, False), (-300, True)],
    ids=["at once", "nearly a year later", "a year later", "on a machine whose clock is five minutes behind"],
)
def test_a_cookie_lasts_a_year_by_whatever_clock(
    cookies: Cookies, monkeypatch: pytest.MonkeyPatch, seconds: int, *, known: bool
) -> None:
    assert MAX_AGE_SECONDS == YEAR
    visitor = new_visitor()
    cookie = signed(cookies, visitor)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    assert cookies.visitor(connection(cookie)) == (visitor if known else None)


def test_keys_are_changed_without_losing_anybody(cookies: Cookies) -> None:
    visitor = new_visitor()
    old = signed(cookies, visitor)
    both = Cookies([OTHER_KEY, KEY])
    assert both.visitor(connection(old)) == visitor
    new = signed(both, visitor)
    only_new = Cookies([OTHER_KEY])
    assert only_new.visitor(connection(new)) == visitor
    assert only_new.visitor(connection(old)) is None


class TestTheKeyFile:
    def test_it_is_made_once_and_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        file = tmp_path / "diego.key"
        before = os.umask(0)  # the laxest
        try:
            key = load_key(file)
        finally:
            os.umask(before)
        assert len(key) == 64
        assert load_key(file) == key
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [*tmp_path.iterdir()] == [file]

    def test_two_have_different_keys(self, tmp_path: Path) -> None:
        assert load_key(tmp_path / "one.key") != load_key(tmp_path / "other.key")

    def test_processes_that_make_it_at_once_take_the_same(self, tmp_path: Path) -> None:
        files = [tmp_path / f"{number}.key" for number in range(20)]
        with get_context("spawn").Pool(2) as pool:
            keys = pool.map(load_keys, [files] * 2, chunksize=1)
        assert keys[0] == keys[1]
        assert sorted(tmp_path.iterdir()) == sorted(files)

    def test_who_is_late_takes_the_key_that_is_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "diego.key"
        together = threading.Barrier(2)
        exists = Path.exists

        def exists_for_none(path: Path) -> bool:
            there = exists(path)
            together.wait(30)  # both have looked before either makes it
            return there

        monkeypatch.setattr(Path, "exists", exists_for_none)
        keys: list[str] = []
        others = [threading.Thread(target=lambda: keys.append(load_key(file))) for _ in range(2)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        assert len(keys) == 2
        assert keys[0] == keys[1]

    def test_a_key_that_people_wrote_may_end_with_a_line_break(self, tmp_path: Path) -> None:
        file = tmp_path / "diego.key"
        file.write_text(f"{KEY}\n")
        assert load_key(file) == KEY

    @pytest.mark.parametrize("text", ["", "\n", "k" * (MIN_KEY_CHARACTERS - 1)])
    def test_a_short_one_is_refused(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "diego.key"
        file.write_text(text)
        with pytest.raises(SetupError, match=r"diego\.key is shorter than 16 characters\..*restore.*delete that file"):
            load_key(file)

    def test_one_that_cannot_be_made_is_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(SetupError) as refused:
            load_key(tmp_path / "nowhere" / "diego.key")
        assert str(refused.value) == (
            f"The secret key in {tmp_path}/nowhere/diego.key cannot be read or made: No such file or directory. See "
            "that its folder exists and that both may be read and written, name another database with "
            "DIEGO_DATABASE_URL, or take a backup back with python -m chatbot restore FILE."
        )

    def test_one_that_is_no_text_is_a_sentence(self, tmp_path: Path) -> None:
        file = tmp_path / "diego.key"
        file.write_bytes(b"\xff" * 64)
        with pytest.raises(SetupError, match="cannot be read or made"):
            load_key(file)

    def test_nothing_is_left_where_it_cannot_be_linked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_links(_source: Path, _target: Path) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "link", no_links)
        with pytest.raises(SetupError):
            load_key(tmp_path / "diego.key")
        assert [*tmp_path.iterdir()] == []


def load_keys(files: list[Path]) -> list[str]:
    return [load_key(file) for file in files]


@pytest.mark.server
class TestARealServer:
    def cookie(self, server: Server, path: str = "/", **headers: str) -> Morsel[str]:
        return morsel(server.get(path, **headers).headers["set-cookie"])

    def test_without_tls_the_cookie_is_plain(self, server: Server) -> None:
        cookie = self.cookie(server)
        assert (cookie.key, cookie["secure"]) == ("diego", "")

    def test_behind_a_trusted_proxy_with_tls_it_is_secure(self, tmp_path: Path) -> None:
        over_tls = {"X-Forwarded-Proto": "https"}
        with serving_directly(tmp_path, *STAND_IN, DIEGO_TRUSTED_PROXIES="127.0.0.1") as server:
            cookies = [self.cookie(server, **over_tls)]
            with server.connect(additional_headers=over_tls) as client:
                assert client.response is not None
                cookies.append(morsel(client.response.headers["Set-Cookie"]))
        assert [(cookie.key, cookie["secure"]) for cookie in cookies] == [("__Host-diego", True)] * 2

    def test_nobody_else_is_believed(self, server: Server) -> None:
        cookie = self.cookie(server, **{"X-Forwarded-Proto": "https"})
        assert (cookie.key, cookie["secure"]) == ("diego", "")

    @pytest.mark.parametrize("garbage", ["", "garbage", "a.b.c"])
    def test_a_bad_cookie_makes_a_new_visitor_and_no_error(self, server: Server, garbage: str) -> None:
        with server.connect(additional_headers={"Cookie": f"diego={garbage}"}) as client:
            client.send("Hi")
            assert client.recv(timeout=30) == "Hi"
            assert client.response is not None
            assert len(morsel(client.response.headers["Set-Cookie"]).value) > 32
        assert "Traceback" not in server.log

    def test_no_cache_may_hand_the_cookie_to_others(self, server: Server) -> None:
        for path in ("/", "/conversation/history"):
            assert server.get(path).headers["cache-control"] == "no-store"
