"""What a model may answer: the schema that it is given, and the check of what comes back.

An answer is taken whole or not at all. Whoever names a remedy that the plan does not have, or
writes around the JSON, has not understood the question; the rest of such an answer is no better.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.probing.redaction import redact

FIELDS = ("root_cause", "order", "confidence", "because")
LONGEST_ANSWER = 4000
LONGEST_REASON = 600
LONGEST_QUOTED = 80


@dataclass(frozen=True, slots=True)
class Advice:
    """A model's answer that passed the check.

    Attributes
    ----------
    order : tuple of str
        Strategies of the plan, the most promising first; empty: none will help.
    confidence : float
        0 to 1, in the first of `order`.
    because : str
        One line for people; a model wrote it.
    """

    root_cause: RootCause
    order: tuple[str, ...]
    confidence: float
    because: str

    def written(self) -> dict[str, Any]:
        """The advice as JSON values."""
        return {
            "root_cause": str(self.root_cause),
            "order": list(self.order),
            "confidence": self.confidence,
            "because": self.because,
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an answer was not taken."""

    reason: str


def schema_of(choices: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an answer, in the part of the language that both services enforce.

    What that part cannot say (no name twice, how long a text may be) `read_advice` holds to.
    """
    return {
        "type": "object",
        "properties": {
            "root_cause": {"type": "string", "enum": [str(each) for each in RootCause]},
            "order": {"type": "array", "items": {"type": "string", "enum": list(choices)}},
            "confidence": {"type": "number"},
            "because": {"type": "string"},
        },
        "required": list(FIELDS),
        "additionalProperties": False,
    }


def read_advice(text: str, choices: Sequence[str]) -> Advice | Refused:
    """Check what a model wrote against the schema and the plan's own strategies."""
    if len(text) > LONGEST_ANSWER:
        return Refused(f"{len(text)} characters, more than {LONGEST_ANSWER}")
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Refused(f"no JSON: {_quoted(text)}")
    if not isinstance(found, dict):
        return Refused(f"no object: {_quoted(text)}")
    if set(found) != set(FIELDS):
        missing = [each for each in FIELDS if each not in found]
        extra = sorted(set(found) - set(FIELDS))
        told = [f"without {each}" for each in missing] + [f"with {_quoted(each)}" for each in extra]
        return Refused("an object " + ", ".join(told))
    cause, order = found["root_cause"], found["order"]
    confidence, because = found["confidence"], found["because"]
    if not isinstance(cause, str) or cause not in {str(each) for each in RootCause}:
        return Refused(f"no root cause: {_quoted(str(cause))}")
    refused = _refused_order(order, choices)
    if refused is not None:
        return Refused(refused)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return Refused(f"no number for confidence: {_quoted(str(confidence))}")
    if not 0 <= confidence <= 1:
        return Refused(f"a confidence outside 0 to 1: {_quoted(str(confidence))}")
    if not isinstance(because, str):
        return Refused("no text for because")
    if len(because) > LONGEST_REASON:
        return Refused(f"{len(because)} characters of reason, more than {LONGEST_REASON}")
    return Advice(RootCause(cause), tuple(order), float(confidence), _line(because))


def _refused_order(order: object, choices: Sequence[str]) -> str | None:
    if not isinstance(order, list) or not all(isinstance(each, str) for each in order):
        return "no list of names for order"
    unknown = [each for each in order if each not in choices]
    if unknown:
        return f"a strategy that the plan does not have: {_quoted(unknown[0])}"
    if len(set(order)) < len(order):
        return "a strategy named twice"
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _line(text: str) -> str:
    printable = "".join(each if each.isprintable() else " " for each in text)
    return redact(" ".join(printable.split()))


def _quoted(text: str) -> str:
    line = _line(text[: 4 * LONGEST_QUOTED])
    return repr(line if len(line) <= LONGEST_QUOTED else line[: LONGEST_QUOTED - 3] + "...")
