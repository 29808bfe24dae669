"""What another tool's file comes to: checks that can be carried over, and what cannot, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from healing_pipeline.catalog.json_rules import SUCCESS, Comparison, Plain
from healing_pipeline.catalog.problems import shown
from healing_pipeline.probing.redaction import evidence_line, redact

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that must hold of a body, as `expect: body` of an endpoint writes it.

    Attributes
    ----------
    path : str
        Dotted, ``.`` for the body itself.
    comparison : Comparison
    value : Plain or tuple of Plain
        A tuple for `any_of`. A number stays the text that it was written as, in `Number`.
    of_length : bool
        Whether the length is compared, in place of the value.
    """

    path: str
    comparison: Comparison
    value: Plain | Number | tuple[Plain | Number, ...]
    of_length: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number by its digits, so that none is lost on the way."""

    digits: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold of an answer; see `catalog.json_rules.Expect`."""

    status: frozenset[int] = SUCCESS
    within_s: float | None = None
    body: tuple[Held, ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A monitor that asks an URL by GET.

    Attributes
    ----------
    name : str
        As people know it.
    url : str
        Variables in it are marked, see `marks`.
    interval_s : float
        As the other tool has it.
    expect : Expectation
    deadline_s : float or None
        How long the other tool waits, where its file says so.
    headers : tuple of (name, value)
        Variables in the values are marked.
    signs_in : str
        User and password where the other tool keeps them elsewhere than in the URL.
    notes : tuple of str
        What of it is not carried over, and what is different; no secrets.
    """

    name: str
    url: str = field(repr=False)
    interval_s: float
    expect: Expectation
    deadline_s: float | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    signs_in: str = field(default="", repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A monitor that cannot be carried over, and why; no secrets."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """All that a file holds.

    Attributes
    ----------
    tool : str
        Whose file it is, as people write it.
    checks : tuple of Check
    left_out : tuple of LeftOut
    notes : tuple of str
        Of the file as a whole.
    """

    tool: str
    checks: tuple[Check, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...] = ()


def named(name: str, number: int) -> str:
    """A monitor's name as an account shows it; its place in the file where it has none."""
    line = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    if "://" in line:  # a URL in place of a name may hold a key
        line = redact(line)
    return line[:LONGEST_NAME] or f"monitor {number}"


def quoted(text: str) -> str:
    """A text of the file for a note: without secrets, in backticks."""
    return shown(evidence_line(text))


def is_safe(text: str) -> bool:
    """Whether a text of the file may be written down: it can be printed, and is no secret."""
    return text.isprintable() and redact(text) == text
