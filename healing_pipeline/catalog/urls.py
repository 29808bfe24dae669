"""What a host's base URL may be, and the guard against addresses inside our own network.

The guard judges what is written. A public name that resolves to a private address is refused by the
transport, when it connects: see `destinations`.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from healing_pipeline.catalog.problems import shown

LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
Origin = tuple[str, str, int]
PORTS = {"http": 80, "https": 443}
PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Forms of IPv6 that hold an IPv4 address, or mean a site of ours, and that Python versions judge
# differently: 6to4 (given up by RFC 7526), local NAT64, IPv4-compatible, site-local, Teredo.
NEVER_OUT = tuple(
    ipaddress.IPv6Network(each)
    for each in ("2002::/16", "64:ff9b:1::/48", "::/96", "fec0::/10", "2001::/32")
)


def url_mistake(url: str) -> tuple[str, str] | None:
    """What keeps `url` from being a base URL, and the cure; None when it is one.

    A base URL is a scheme, a host and perhaps a port: ``https://api.example.com:8443``.
    """
    if "@" in url:
        # not quoted back: it may hold a password
        return "The URL holds credentials.", "Remove them; keys belong into `keys`, as `env: NAME`."
    if any(each.isspace() or each == "\\" for each in url):
        return f"The URL {shown(url)} holds a space or a backslash.", "Remove it."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"{shown(url)} is not a URL.", "Write it like `https://api.example.com`."
    if parts.scheme not in {"http", "https"}:
        return (
            f"The URL {shown(url)} does not begin with https:// or http://.",
            "Write it like `https://api.example.com`.",
        )
    host = parts.hostname or ""
    if not host:
        return f"The URL {shown(url)} has no host.", "Write it like `https://api.example.com`."
    if port == 0 or not _is_host(host, is_bracketed="[" in parts.netloc):
        return (
            f"The URL {shown(url)} has a bad host name or port.",
            "Write a DNS name in ASCII, or an IP address in its usual form.",
        )
    if parts.path or "?" in url or "#" in url:
        return (
            "The URL has more than a scheme, a host and a port.",
            f"Write `{parts.scheme}://{parts.netloc}`; paths and queries belong to endpoints.",
        )
    return None


def origin_of(base_url: str) -> Origin:
    """Scheme, host and port of a base URL."""
    parts = urlsplit(base_url)
    return (
        parts.scheme,
        (parts.hostname or "").rstrip("."),
        parts.port or PORTS.get(parts.scheme, 0),
    )


def is_private(url: str) -> bool:
    """Whether the host of a valid base URL is ours alone: loopback, private, link-local, local."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)
    return is_inside(address)


def is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address does not lead out of our own network, in whatever form it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in NEVER_OUT):
            return True
        inside = address.ipv4_mapped
        if address in NAT64:
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        address = inside or address
    return not address.is_global or address.is_multicast


def _is_host(host: str, *, is_bracketed: bool) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.rstrip(".").split(".")
        # 127.1, 0x7f.1 and 2130706433 are addresses to a resolver: only the usual form is taken
        numeric = labels[-1].isdigit() or labels[-1].lower().startswith("0x")
        return not is_bracketed and not numeric and all(LABEL.fullmatch(each) for each in labels)
    return is_bracketed == (address.version == 6)
