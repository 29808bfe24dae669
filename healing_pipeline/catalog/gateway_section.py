"""`gateway`: how much one client may ask, and which proxies say truly who asks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.problems import Findings, shown

SECTION = "gateway"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway asks of its clients.

    Attributes
    ----------
    requests_per_s : float
        Of one client, over a while. The default is far over what a website needs of one machine,
        and below what keeps others from being answered.
    burst : int
        As many at once, after a pause.
    proxies : tuple of networks
        Whose ``X-Forwarded-For`` is believed; whoever else sends it could be anybody he likes.
    """

    requests_per_s: float = 500.0
    burst: int = 1_000
    proxies: tuple[Network, ...] = ()


def read_gateway(root: Fields, findings: Findings) -> GatewaySettings:
    """The section's settings; what is wrong falls back to its default."""
    node = root.node(SECTION)
    if node is None:
        return GatewaySettings()
    fields = Fields(
        node,
        what=f"`{SECTION}`",
        line=node.line,
        required=(),
        optional=("requests_per_s", "burst", "proxies"),
        findings=findings,
    )
    per_s = fields.number("requests_per_s", 1, 1_000_000)
    burst = fields.whole("burst", 1, 10_000_000)
    proxies: list[Network] = []
    for each in fields.texts("proxies"):
        try:
            proxies.append(ipaddress.ip_network(each.text))
        except ValueError:
            findings.error(
                each.line,
                f"The proxy {shown(each.text)} is no address and no network.",
                "Write `proxies: [10.0.0.7]` or `[10.0.0.0/24]`; names could be anybody's.",
            )
    default = GatewaySettings()
    return GatewaySettings(
        default.requests_per_s if per_s is None else per_s,
        default.burst if burst is None else burst,
        tuple(proxies),
    )
