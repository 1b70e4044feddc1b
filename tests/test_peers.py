"""Peers: whose X-Forwarded-For is believed, and how far."""

from __future__ import annotations

import pytest

from pico_a1111_proxy.peers import name_of, origin, read_address, read_proxies

TRUSTED = "127.0.0.1, 10.0.0.0/8, fd00::/8, ::ffff:192.168.7.0/120, unix"

WALKS = [
    # peer, X-Forwarded-For, whom it comes from
    ("192.0.2.1", "", "192.0.2.1"),
    ("192.0.2.1", "198.51.100.9", "192.0.2.1"),  # it is no proxy of ours
    ("127.0.0.1", "", "127.0.0.1"),
    ("127.0.0.1", "198.51.100.9", "198.51.100.9"),
    ("127.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"),  # what the client itself wrote stays unread
    ("127.0.0.1", "203.0.113.5,198.51.100.9 , 10.1.2.3", "198.51.100.9"),
    ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),  # all are trusted: the first that is known
    ("127.0.0.1", "unknown", "127.0.0.1"),
    ("127.0.0.1", "198.51.100.9, unknown, 10.1.2.3", "10.1.2.3"),
    ("127.0.0.1", "198.51.100.9, , 10.1.2.3", "10.1.2.3"),
    ("127.0.0.1", "198.51.100.9:1234", "198.51.100.9"),
    ("127.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
    ("127.0.0.1", "[2001:db8::7]", "2001:db8::7"),
    ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
    ("127.0.0.1", "::ffff:198.51.100.9", "198.51.100.9"),
    ("::ffff:127.0.0.1", "198.51.100.9", "198.51.100.9"),
    ("fd12::1", "198.51.100.9, fd00::2", "198.51.100.9"),
    ("192.168.7.5", "198.51.100.9", "198.51.100.9"),
    ("192.168.8.5", "198.51.100.9", "192.168.8.5"),
    ("127.0.0.1", ",".join(["198.51.100.9", *["10.1.2.3"] * 10_000]), "10.1.2.3"),  # bounded
    ("127.0.0.1", "010.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "198.51.100.9/32", "127.0.0.1"),
]


@pytest.mark.parametrize(("peer", "forwarded", "expected"), WALKS, ids=range(len(WALKS)))
def test_the_walk_ends_at_whom_a_trusted_proxy_saw(peer: str, forwarded: str, expected: str) -> None:
    found = origin(read_address(peer), forwarded, read_proxies(TRUSTED))
    assert str(found) == expected


def test_a_peer_without_an_address_is_trusted_only_where_it_is_named() -> None:
    assert str(origin(None, "198.51.100.9", read_proxies(" unix "))) == "198.51.100.9"
    assert name_of(origin(None, "198.51.100.9", read_proxies("10.0.0.0/8"))) == "unix"


def test_nobody_is_trusted_unless_told() -> None:
    assert not read_proxies("").trusts(read_address("127.0.0.1"))
    assert not read_proxies(" , ").trusts(None)


NAMES = [
    ("192.0.2.1", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
    ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
    ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ("fe80::1%eth0", "fe80::/64"),
]


@pytest.mark.parametrize(("address", "name"), NAMES)
def test_ipv6_is_counted_by_the_network_that_one_client_has(address: str, name: str) -> None:
    assert name_of(read_address(address)) == name


@pytest.mark.parametrize("text", ["*", "0.0.0.0/0", "127.0.0.1, ::/0", "::ffff:0.0.0.0/0"])
def test_everybody_can_not_be_trusted(text: str) -> None:
    with pytest.raises(ValueError, match=r"everybody.* as in 127\.0\.0\.1"):
        read_proxies(text)


@pytest.mark.parametrize("text", ["nginx", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1 10.0.0.2", "300.1.1.1", "[::1]"])
def test_a_wrong_one_names_the_good_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"^lists addresses and networks.* as in 127\.0\.0\.1, 172\.16\.0\.0/12"):
        read_proxies(f"10.0.0.1, {text}")
