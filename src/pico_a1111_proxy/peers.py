"""Peers: the addresses of those who connect, which of them are proxies, and whom a request really comes from."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNIX = "unix"  # a peer on a socket that is a file, which has no address
MOST_HOPS = 32  # entries of X-Forwarded-For that are looked at, from the right
_ONE_CLIENT = 64  # bits of an IPv6 address: whoever has one has all that share them

_GOOD_FORM = "lists addresses and networks, comma-separated, as in 127.0.0.1, 172.16.0.0/12, fd00::/8, or unix"


@dataclass(frozen=True)
class TrustedProxies:
    """Whose X-Forwarded-For is believed; `unix` is whether that of a peer without an address is."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def trusts(self, peer: Address | None) -> bool:
        """Whether `peer` is one of them; None is a peer without an address."""
        return self.unix if peer is None else any(peer in network for network in self.networks)


def read_proxies(text: str) -> TrustedProxies:
    """The setting TRUSTED_PROXIES. Raises ValueError, whose words follow the setting's name."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    return TrustedProxies(tuple(_read_network(word) for word in words if word != UNIX), UNIX in words)


def check_proxies(text: str) -> str:
    """Give `text` back if it can be read. Raises ValueError."""
    read_proxies(text)
    return text


def read_address(text: str) -> Address | None:
    """An address as peers and proxies write it, perhaps with a port, brackets or a zone; None for anything else.

    An IPv4 address in IPv6's clothes is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def origin(peer: Address | None, forwarded: str, trusted: TrustedProxies) -> Address | None:
    """Whom a request comes from, by its peer and its X-Forwarded-For; None is a peer without an address.

    Every proxy writes to the right of the header whom it saw. So each entry is as good as the one who wrote it: the
    walk goes to the left as long as those are trusted, and ends where an entry is no address.
    """
    for entry in reversed(forwarded.split(",")[-MOST_HOPS:]):
        if not trusted.trusts(peer):
            break
        address = read_address(entry)
        if address is None:
            break
        peer = address
    return peer


def name_of(address: Address | None) -> str:
    """The name under which an address is counted: IPv6 by the network that one client has."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _ONE_CLIENT), strict=False))
    return UNIX if address is None else str(address)


def _read_network(word: str) -> Network:
    try:
        network = ip_network(word, strict=False)
    except ValueError:
        network = None
    if network is None and word != "*":
        raise ValueError(_GOOD_FORM)
    if network is None or network.prefixlen == 0:
        raise ValueError(f"can't be everybody, who could then all say that they are somebody else: it {_GOOD_FORM}")
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return IPv4Network((mapped, network.prefixlen - 96))
    return network
