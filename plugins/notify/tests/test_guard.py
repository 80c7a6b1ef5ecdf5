"""Which addresses may be reached."""

import pytest

from wingbeat.contracts.notifier import NotDelivered
from wingbeat_notify.guard import ADDRESSES_MAX, addresses_of, is_public

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8"]
NOT_PUBLIC = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "2002:7f00:1::", "2001:0:7f00:1::", "::127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_what_everybody_reaches_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_here_or_around_is_not(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
    ],
)
async def test_every_way_to_write_an_address_is_seen_through(host):
    with pytest.raises(NotDelivered, match="not public|no address"):
        await addresses_of(host, 80, ())


async def test_a_host_that_the_settings_name_may_be_inside():
    assert await addresses_of("127.0.0.1", 80, {"127.0.0.1"}) == ["127.0.0.1"]
    with pytest.raises(NotDelivered, match=r"webhook\.hosts|not public"):
        await addresses_of("127.0.0.1", 80, {"localhost"})


async def test_one_address_that_is_inside_is_enough_to_refuse(resolving):
    found = resolving({"mixed.example": ["8.8.8.8", "10.0.0.1"], "many.example": [f"8.8.8.{n}" for n in range(9)]})
    with pytest.raises(NotDelivered, match="not public"):
        await addresses_of("mixed.example", 443, ())
    assert len(await addresses_of("many.example", 443, ())) == ADDRESSES_MAX
    assert found == ["mixed.example", "many.example"]


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 300 + ".example", "x..example", "\u2603" * 70])
async def test_a_name_without_an_address_is_told(host):
    with pytest.raises(NotDelivered, match="has no address"):
        await addresses_of(host, 80, ())
