"""Facts as rows of a COPY and as lines of a spool file, there and back without loss."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

from healing_pipeline.healing.facts import (
    AnswerFact,
    Attempt,
    Decision,
    Fact,
    Origin,
    ProbeResult,
    SnapshotFact,
)
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.storage.soundness import unsound
from healing_pipeline.storage.text import json_value, storable

__all__ = [
    "TABLES",
    "AnswerFact",
    "Attempt",
    "Decision",
    "Fact",
    "Json",
    "LaterVersionError",
    "Origin",
    "ProbeResult",
    "SnapshotFact",
    "fact_of",
    "json_reading",
    "line_of",
    "reading_of",
    "row_of",
]

Json: TypeAlias = Any

TABLES: dict[type[Fact], str] = {
    Attempt: "attempt",
    Decision: "decision",
    AnswerFact: "answer",
    ProbeResult: "probe_result",
    SnapshotFact: "snapshot",
}
_KINDS: dict[str, type[Fact]] = {table: kind for kind, table in TABLES.items()}

# In the order of the COPY statements in queries/recorder.sql.
COLUMNS: dict[type[Fact], tuple[str, ...]] = {
    Attempt: (
        *("id", "request_id", "attempt_no", "at", "origin", "source", "endpoint", "strategy"),
        *("params", "host", "key_name", "failure_class", "evidence", "healed", "fidelity"),
        *("seconds", "status", "upstream_calls", "late", "incident_id", "met"),
    ),
    Decision: (
        *("request_id", "decision_no", "at", "origin", "source", "endpoint", "failure_class"),
        *("policy", "budget_s", "considered", "late"),
    ),
    AnswerFact: (
        *("request_id", "at", "source", "endpoint", "fidelity", "strategy", "provider"),
        *("attempts", "seconds", "failure_class", "failed", "as_of"),
    ),
    ProbeResult: (
        *("id", "at", "source", "endpoint", "host", "key_name", "failure_class", "evidence"),
        *("seconds", "status", "as_of", "confirms"),
    ),
    SnapshotFact: (
        *("endpoint", "request_key", "fetched_at", "as_of", "provider", "reading", "body"),
        *("fidelity",),
    ),
}

_NAMES = {kind: tuple(each.name for each in fields(kind)) for kind in TABLES}

# Another where facts have other names or parts.
_SHAPE = repr(sorted((TABLES[kind], _NAMES[kind]) for kind in TABLES))
FORMAT = sha256(_SHAPE.encode()).hexdigest()[:8]

_TIMES = frozenset({"at", "as_of", "fetched_at"})
_IDS = frozenset({"id", "request_id", "confirms"})

# What JSON of another form than ours makes raise on the way to a fact.
_NO_FACT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class LaterVersionError(ValueError):
    """A line says more than this version knows of: a later one wrote it, and can read it."""


def row_of(fact: Fact) -> tuple[object, ...]:
    """The fact's values in the order of its table's COPY statement."""
    return tuple(_cell(getattr(fact, column)) for column in COLUMNS[type(fact)])


def line_of(fact: Fact) -> str:
    """The fact as one line of JSON, without the line's end.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no JSON value.
    """
    kind = type(fact)
    values = {"fact": TABLES[kind], **{name: getattr(fact, name) for name in _NAMES[kind]}}
    try:
        return _LINE.encode(values)
    except TypeError:  # a mapping with keys of its own kind
        return _LINE.encode(json_value(values))


def fact_of(line: str) -> Fact:
    """Read a line back.

    Raises
    ------
    LaterVersionError
        If it is a fact of a kind, or with a part, that this version does not know.
    ValueError
        If the line is torn, of another program, or holds what its table does not take.
    """
    try:
        values: dict[str, Any] = json.loads(line)
        name = values.pop("fact")
        if name not in _KINDS or not values.keys() <= set(_NAMES[_KINDS[name]]):
            raise LaterVersionError(f"of a later version: {name!s:.40}")
        kind = _KINDS[name]
        for name, value in values.items():
            if value is None:
                continue
            if name in _TIMES:
                values[name] = datetime.fromisoformat(value)
            elif name in _IDS:
                values[name] = UUID(value)
            elif name == "body":
                values[name] = b64decode(value)
            elif name == "reading":
                values[name] = reading_of(value)
        fact = kind(**values)
    except LaterVersionError:
        raise
    except _NO_FACT as error:
        raise ValueError(f"no fact: {type(error).__name__}: {error}") from error
    if (why := unsound(fact)) is not None:
        raise ValueError(f"no fact: {why}")
    return fact


def json_reading(reading: Reading) -> Json:
    """A reading as JSON values, compact: a point is a list of three."""
    return {
        "instrument": storable(reading.instrument),
        "interval": storable(reading.interval),
        "as_of": reading.as_of.isoformat(),
        "points": [[p.at.isoformat(), storable(p.field), p.value] for p in reading.points],
    }


def reading_of(value: Mapping[str, Any]) -> Reading:
    """The reading that `json_reading` wrote."""
    return Reading(
        instrument=value["instrument"],
        interval=value["interval"],
        points=tuple(
            Point(datetime.fromisoformat(at), field, float(number))
            for at, field, number in value["points"]
        ),
        as_of=datetime.fromisoformat(value["as_of"]),
    )


def _cell(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Reading):
        return json.dumps(json_reading(value), allow_nan=False)
    if isinstance(value, Mapping):
        return json.dumps(json_value(value), allow_nan=False)
    return value


def _line_value(value: object) -> Json:
    """What JSON has no word for. Texts stay as they are: what is stored of them, a row decides."""
    if isinstance(value, Reading):
        return json_reading(value)
    plain = json_value(value)
    if plain is value:
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return plain


# Readers wait while a line is made, so one writer is there for all of them.
_LINE = json.JSONEncoder(allow_nan=False, ensure_ascii=True, default=_line_value)
