import pytest
from starlette.requests import HTTPConnection

from chatbot.web.addresses import network, network_of


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_one_machine_is_one_network(host: str, expected: str) -> None:
    connection = HTTPConnection({"type": "websocket", "client": (host, 1)})
    assert network(connection) == expected


def test_neighbours_are_two() -> None:
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("192.0.2.7") != network_of("192.0.2.8")


def test_who_comes_from_nowhere_is_nobody() -> None:
    assert network(HTTPConnection({"type": "http", "client": None})) == ""
    assert network(HTTPConnection({"type": "http"})) == ""


def test_long_garbage_is_cut() -> None:
    assert network(HTTPConnection({"type": "http", "client": ("x" * 60_000, 0)})) == "x" * 64


def test_of_many_addresses_few_are_remembered() -> None:
    most = network_of.cache_info().maxsize
    assert most
    for number in range(most + 100):
        network_of(f"2001:db8::{number:x}")
    assert network_of.cache_info().currsize == most
