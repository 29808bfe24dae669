"""A mapping's keys as typed fields. Each mistake becomes a problem; the field is then None."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from healing_pipeline.catalog.document import Items, Node, Scalar, Table
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown

NUMBER = re.compile(r"[-+]?([0-9]{1,15}(\.[0-9]{0,15})?|\.[0-9]{1,15})")
WHOLE = re.compile(r"[-+]?[0-9]{1,15}")


class Fields:
    """The fields of one mapping.

    Parameters
    ----------
    node : Node
        What stands there; anything but a mapping is a problem, and then all fields are None.
    what : str
        What the mapping describes, for messages: "source `yahoo`".
    line : int
        Line of the key it stands under.
    required, optional : collection of str
        All keys it may have.
    findings : Findings
        Where problems go.
    hints : mapping of str to str, optional
        Cures for unknown keys that deserve one of their own.
    """

    def __init__(
        self,
        node: Node,
        *,
        what: str,
        line: int,
        required: Collection[str],
        optional: Collection[str],
        findings: Findings,
        hints: dict[str, str] | None = None,
    ) -> None:
        self.what = what
        self.line = line
        self._findings = findings
        self._nodes: dict[str, Node] = {}
        table = as_table(node, what, line, findings)
        if table is None:
            return
        known = [*required, *optional]
        for key, value in table.entries:
            if key.text in known:
                self._nodes[key.text] = value
                continue
            hint = (hints or {}).get(key.text.lower())
            cure = did_you_mean(key.text, known) + f"Known keys: {listed(known)}."
            findings.error(key.line, f"Unknown key {shown(key.text)} in {what}.", hint or cure)
        for name in required:
            if self.node(name) is None:
                findings.error(
                    line, f"The key {shown(name)} is missing in {what}.", f"Add `{name}:`."
                )

    def node(self, key: str) -> Node | None:
        """The node of `key`; None when it is absent or empty."""
        node = self._nodes.get(key)
        return None if isinstance(node, Scalar) and node.is_null else node

    def text(self, key: str) -> Scalar | None:
        """A text that is not empty."""
        node = self.node(key)
        return None if node is None else as_text(node, f"`{key}` of {self.what}", self._findings)

    def texts(self, key: str) -> tuple[Scalar, ...]:
        """A list of texts; empty when the key is absent."""
        node = self.node(key)
        if node is None:
            return ()
        if not isinstance(node, Items):
            self._findings.error(
                node.line, f"`{key}` of {self.what} must be a list.", f"Write `{key}: [one, two]`."
            )
            return ()
        read = [as_text(each, f"`{key}` of {self.what}", self._findings) for each in node.nodes]
        return tuple(each for each in read if each is not None)

    def choice(self, key: str, names: Collection[str]) -> str | None:
        """One of `names`."""
        text = self.text(key)
        if text is None or text.text in names:
            return None if text is None else text.text
        self._findings.error(
            text.line,
            f"`{key}` of {self.what} is {shown(text.text)}, which is not known.",
            f"{did_you_mean(text.text, names)}Choose from {listed(names)}.",
        )
        return None

    def number(self, key: str, low: float, high: float) -> float | None:
        """A number from `low` to `high`."""
        return self._number(key, low, high, NUMBER, "a number")

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`."""
        value = self._number(key, low, high, WHOLE, "a whole number")
        return None if value is None else int(value)

    def _number(
        self, key: str, low: float, high: float, pattern: re.Pattern[str], kind: str
    ) -> float | None:
        node = self.node(key)
        if node is None:
            return None
        allowed = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of {low:g} or more"
        cure = f"Write {kind} {allowed}, without quotes."
        if not isinstance(node, Scalar):
            self._findings.error(node.line, f"`{key}` of {self.what} must be {kind}.", cure)
            return None
        if not node.is_plain or pattern.fullmatch(node.text) is None:
            problem = f"`{key}` of {self.what} is {shown(node.text)}, not {kind}."
            self._findings.error(node.line, problem, cure)
            return None
        value = float(node.text)
        if not low <= value <= high:
            problem = f"`{key}` of {self.what} is {node.text}, which is out of range."
            self._findings.error(node.line, problem, cure)
            return None
        return value

    def flag(self, key: str) -> bool | None:
        """`true` or `false`."""
        node = self.node(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.is_plain and node.text in {"true", "false"}:
            return node.text == "true"
        self._findings.error(
            node.line,
            f"`{key}` of {self.what} must be true or false.",
            f"Write `{key}: true` or `{key}: false`, without quotes.",
        )
        return None


def as_table(node: Node, what: str, line: int, findings: Findings) -> Table | None:
    """`node` as a mapping, or a problem on `line`."""
    if isinstance(node, Table):
        return node
    found = "a list" if isinstance(node, Items) else "a single value"
    findings.error(
        line if isinstance(node, Scalar) and node.is_null else node.line,
        f"{what[:1].upper()}{what[1:]} must be a mapping, not {found}.",
        "Write its keys below it, indented, as `key: value`.",
    )
    return None


def as_text(node: Node, what: str, findings: Findings) -> Scalar | None:
    """`node` as a text that is not empty, or a problem."""
    if isinstance(node, Scalar) and not node.is_null and node.text.strip():
        return node
    problem, cure = f"{what} must be a text.", "Write one value in its place."
    if isinstance(node, Table) and any(key.text.startswith("today") for key, _ in node.entries):
        cure = 'Put a date mark in quotes: "{today}".'
    elif isinstance(node, Scalar):
        problem, cure = f"{what} is empty.", "Write a value, or remove the key."
    findings.error(node.line, problem, cure)
    return None
