"""`allow_private_hosts`: the hosts that may be in our own network, each by its name.

One switch for all would let any other name lead into it too, as soon as its DNS says so. `true`,
which earlier versions wrote, therefore means those hosts alone that are written as private ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from healing_pipeline.catalog.document import Scalar
from healing_pipeline.catalog.fields import Fields
from healing_pipeline.catalog.problems import Findings, shown

KEY = "allow_private_hosts"
EXAMPLE = f"Name each: `{KEY}: [localhost:8080, 10.0.0.7]`."
_NAMED = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)(:[0-9]{1,5})?"
)

Place = tuple[str, int]


def read_private_hosts(root: Fields, findings: Findings) -> tuple[Scalar, ...]:
    """The hosts as they are written; those that are none become problems."""
    node = root.node(KEY)
    if node is None:
        return ()
    if isinstance(node, Scalar) and node.is_plain and node.text in {"true", "false"}:
        if node.text == "true":
            findings.warn(
                node.line,
                f"`{KEY}: true` lets in the hosts that are written as private ones.",
                EXAMPLE,
            )
        return ()
    named = root.texts(KEY)
    for each in named:
        if _NAMED.fullmatch(each.text) is None:
            findings.error(
                each.line, f"{shown(each.text)} in `{KEY}` is no host, nor host:port.", EXAMPLE
            )
    return tuple(each for each in named if _NAMED.fullmatch(each.text))


def takes_those_written(root: Fields) -> bool:
    """Whether every host that is written as a private one may be in our own network."""
    node = root.node(KEY)
    return isinstance(node, Scalar) and node.is_plain and node.text == "true"


def is_named(place: Place, named: Iterable[str]) -> bool:
    """Whether `place` is among the hosts that may be private; one without a port means any."""
    host, port = place
    shown_host = f"[{host}]" if ":" in host else host
    return any(each.lower() in (shown_host, f"{shown_host}:{port}") for each in named)


def report_unused(named: Iterable[Scalar], places: Iterable[Place], findings: Findings) -> None:
    """Warn of a name that no source and no witness has: it may be a slip of the pen."""
    known = list(places)
    for each in named:
        if not any(is_named(place, [each.text]) for place in known):
            findings.warn(
                each.line,
                f"`{KEY}` names {shown(each.text)}, which is no host of a source and no witness.",
                "Write it as in the URL, without the scheme, or remove it.",
            )
