"""A YAML document whose values know their line, so that a mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import yaml

from healing_pipeline.errors import ConfigurationError

_LARGEST = 1e300


def located(text: str, path: Path) -> Located:
    """Read a YAML mapping.

    Raises
    ------
    ConfigurationError
        If the text is not YAML, is no mapping, or has a key twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else None
        problem = f"The file is not YAML: {exc.problem}."
        raise ConfigurationError(problem, "Correct the line.", path=path, line=line) from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"The file is not YAML: {exc}.", "Correct it.", path=path) from exc
    if node is None:
        raise ConfigurationError("The file is empty.", "Give it a mapping of keys.", path=path)
    root = Located(node, path)
    root.only(*root.keys)
    return root


@dataclass(frozen=True, slots=True)
class Located:
    """One node of a YAML document, and the file it stands in."""

    node: yaml.Node
    path: Path

    @property
    def line(self) -> int:
        """Line of the node, counted from 1."""
        return int(self.node.start_mark.line) + 1

    @property
    def value(self) -> object:
        """A scalar's value as YAML reads it; None for anything else."""
        if not isinstance(self.node, yaml.ScalarNode):
            return None
        loader = yaml.SafeLoader("")
        value: object = loader.construct_object(self.node)
        return value

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of a mapping, in the order of the file."""
        return tuple(str(key.value) for key, _ in self._pairs())

    def mistake(self, problem: str, cure: str) -> ConfigurationError:
        """An error that points at this node."""
        return ConfigurationError(problem, cure, path=self.path, line=self.line)

    def only(self, *allowed: str) -> None:
        """Insist on a mapping that has no other keys than these, and none twice."""
        seen: set[str] = set()
        for key, _ in self._pairs():
            name = str(key.value)
            where = Located(key, self.path)
            if name not in allowed:
                raise where.mistake(f"Unknown key {name!r}.", f"Use one of: {', '.join(allowed)}.")
            if name in seen:
                raise where.mistake(f"Key {name!r} stands here twice.", "Leave one of them out.")
            seen.add(name)

    def has(self, key: str) -> bool:
        """Whether a mapping has a key."""
        return key in self.keys

    def child(self, key: str) -> Located | None:
        """The value of a key, or None where it is missing."""
        for name, node in self._pairs():
            if name.value == key:
                return Located(node, self.path)
        return None

    def at(self, key: str) -> Located:
        """The value of a key, or the mapping itself where it is missing; for messages."""
        return self.child(key) or self

    def items(self, key: str, default: Sequence[Located] | None = None) -> Sequence[Located]:
        """The items of the list under a key."""
        found = self.child(key)
        if found is None:
            if default is None:
                raise self.mistake(f"`{key}` is missing.", f"Add `{key}: [...]`.")
            return default
        if not isinstance(found.node, yaml.SequenceNode):
            raise found.mistake(f"`{key}` is not a list.", "Write it as a list.")
        return [Located(item, self.path) for item in found.node.value]

    def number(self, key: str, default: float | None = None) -> float:
        """A finite number under a key."""
        found = self.child(key)
        if found is None:
            if default is None:
                raise self.mistake(f"`{key}` is missing.", f"Add `{key}` with a number.")
            return default
        value = found.value
        # Compared as it is: a whole number may be longer than a float.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not -_LARGEST <= value <= _LARGEST
        ):
            raise found.mistake(f"`{key}` is no number.", "Write a plain number.")
        return float(value)

    @overload
    def text(self, key: str) -> str: ...
    @overload
    def text(self, key: str, default: str) -> str: ...
    @overload
    def text(self, key: str, default: None) -> str | None: ...
    def text(self, key: str, default: str | None = "\0") -> str | None:
        """A text under a key."""
        found = self.child(key)
        if found is not None:
            return found.as_text(f"`{key}`")
        if default == "\0":
            raise self.mistake(f"`{key}` is missing.", f"Add `{key}: ...`.")
        return default

    def as_text(self, what: str) -> str:
        """The node itself as a text that is not empty."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.value:
            return str(self.node.value)
        raise self.mistake(f"{what} is no text.", "Write a word.")

    def _pairs(self) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(self.node, yaml.MappingNode):
            raise self.mistake("A mapping of keys is wanted here.", "Write `key: value` pairs.")
        pairs: list[tuple[yaml.Node, yaml.Node]] = self.node.value
        return pairs
