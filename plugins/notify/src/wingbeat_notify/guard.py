"""Which addresses may be reached: a webhook must not become a way to what only this machine can see.

A name is resolved once. What it gave is checked, and that is connected to: what the name gives a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection

from wingbeat.contracts.notifier import NotDelivered

ADDRESSES_MAX = 3
"""So many addresses of a name are tried."""

# Prefixes by which an IPv6 address reaches an IPv4 one, through whoever translates.
_TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))


def is_public(address: str) -> bool:
    """Whether everybody reaches the same under this address: not this machine, its network, or the metadata of its cloud."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.is_site_local or any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def addresses_of(host: str, port: int, inside: Collection[str]) -> list[str]:
    """The addresses of a host, checked.

    Args:
        inside: Names of hosts that need not be public.

    Raises:
        NotDelivered: It has none, or one that is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotDelivered(f"{host} has no address: {error}") from error
    addresses = [str(where[0]) for *_, where in found]
    if host.lower() not in inside and not all(map(is_public, addresses)):
        raise NotDelivered(
            f"{host} has an address that is not public, and nothing was sent there.",
            hint=f"If it is meant: webhook.hosts = [{host!r}].",
        )
    return list(dict.fromkeys(addresses))[:ADDRESSES_MAX]
