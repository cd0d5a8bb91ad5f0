"""Whom a connection comes from, for limits."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

_MOST_REMEMBERED = 4096
_MOST_CHARACTERS = 64  # an address has fewer; what a proxy hands on may be anything
_BITS_OF_ONE_MACHINE = 64


def network(connection: HTTPConnection) -> str:
    """The client's IPv4 address, or the /64 network of its IPv6 address, in which one machine has 2**64 addresses.

    What is no address is given as it is; empty if it is unknown.
    """
    return network_of(connection.client.host[:_MOST_CHARACTERS]) if connection.client else ""


@lru_cache(_MOST_REMEMBERED)
def network_of(host: str) -> str:
    """The same for an address as text."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((int(address), _BITS_OF_ONE_MACHINE), strict=False))
    return str(address)
