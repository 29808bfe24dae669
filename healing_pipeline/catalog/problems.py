"""What is wrong with a configuration: each problem with its line and its cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    line : int
        Where it stands, counted from 1.
    problem : str
        What is wrong, in one sentence. Never holds a value that could be a secret.
    cure : str
        What to change.
    severity : {'error', 'warning'}
        With an error the configuration cannot be used.
    """

    line: int
    problem: str
    cure: str
    severity: Severity = "error"


class Findings:
    """Collects problems while a configuration is read; the same one is kept once."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def error(self, line: int, problem: str, cure: str) -> None:
        """Note something that makes the configuration unusable."""
        self._problems[Problem(line, problem, cure)] = None

    def warn(self, line: int, problem: str, cure: str) -> None:
        """Note something the user should know of and can live with."""
        self._problems[Problem(line, problem, cure, "warning")] = None

    def in_order(self) -> list[Problem]:
        """All problems, in the order of the file."""
        return sorted(self._problems, key=lambda each: each.line)


def shown(text: str) -> str:
    """`text` as a message quotes it: in backticks, printable, and not too long."""
    printable = "".join(each if each.isprintable() else "?" for each in text)
    cut = printable if len(printable) <= LONGEST_SHOWN else printable[: LONGEST_SHOWN - 3] + "..."
    return f"`{cut}`"


def listed(names: Iterable[str]) -> str:
    """Names for a message: `a`, `b`, `c`."""
    return ", ".join(shown(each) for each in names)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that offers the nearest known word, with a space behind it; empty if none is."""
    # difflib is quadratic: a megabyte in place of a name must not cost minutes
    near = difflib.get_close_matches(word[:LONGEST_SHOWN], list(known), n=1)
    return f"Did you mean {shown(near[0])}? " if near else ""
