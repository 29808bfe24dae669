"""A configuration inside the file of a Dagster component: what stands under its `attributes`.

The file is read as it stands, so that a mistake is told with its own line, and so that every
command takes a component's file where it takes a configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

from healing_pipeline.catalog.document import Items, Node, Scalar, Table
from healing_pipeline.catalog.problems import Findings, listed

# What each component's file has, and no configuration.
TYPE, ATTRIBUTES = "type", "attributes"
# The attribute that names a file instead.
CONFIG = "config"


def configuration_in(document: Node | None, findings: Findings) -> Node | None:
    """The `attributes` of a component's file; any other document as it is."""
    entries = _entries(document)
    if TYPE not in entries:
        return document
    if ATTRIBUTES not in entries:
        findings.error(
            entries[TYPE][0].line,
            "This component has no attributes.",
            f"Add `{ATTRIBUTES}:` with `upstreams`, `sources` and `endpoints` below it, or with"
            f" `{CONFIG}: FILE`.",
        )
        return None
    attributes = entries[ATTRIBUTES][1]
    own = _entries(attributes)
    if CONFIG in own:
        beside = listed(each for each in own if each != CONFIG)
        findings.error(
            own[CONFIG][0].line,
            f"`{CONFIG}` names the file with the configuration, and {beside} stands beside it."
            if beside
            else f"`{CONFIG}` names the file with the configuration; this one holds none.",
            f"Keep `{CONFIG}` alone, or everything else without it."
            if beside
            else "Name that file instead of this one.",
        )
        return None
    for each in _scalars(attributes):
        if "{{" in each.text:
            findings.error(
                each.line,
                "A template (`{{ ... }}`) stands here, and none is rendered in this component.",
                "Write the value itself; a key is given by the name of its variable: `env: NAME`.",
            )
    return attributes


def _entries(node: Node | None) -> dict[str, tuple[Scalar, Node]]:
    return (
        {key.text: (key, value) for key, value in node.entries} if isinstance(node, Table) else {}
    )


def _scalars(node: Node) -> Iterator[Scalar]:
    # Not deeper than `document.DEEPEST`.
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for each in node.nodes:
            yield from _scalars(each)
    else:
        for key, value in node.entries:
            yield key
            yield from _scalars(value)
