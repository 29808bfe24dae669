"""One request as it is on record: its end, its choices, its attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from healing_pipeline.healing.facts import AnswerFact, Attempt, Decision
from healing_pipeline.learning.policy import Policy
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("decisions")


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What is stored of one request.

    Attributes
    ----------
    answer : AnswerFact or None
        None for a request that no reader made.
    decisions : tuple of Decision
        In the order they were made.
    attempts : tuple of Attempt
        In the order they were begun.
    """

    request_id: UUID
    answer: AnswerFact | None
    decisions: tuple[Decision, ...]
    attempts: tuple[Attempt, ...]


def on_record(connection: Connection[Any], request_id: UUID) -> OnRecord | None:
    """What is stored of a request; None when nothing is."""
    answer = _SQL.answer_of(connection, request_id=request_id)
    found = OnRecord(
        request_id,
        None if answer is None else AnswerFact(**answer),
        tuple(Decision(**row) for row in _SQL.decisions_of(connection, request_id=request_id)),
        tuple(Attempt(**row) for row in _SQL.attempts_of(connection, request_id=request_id)),
    )
    return found if found.answer or found.decisions or found.attempts else None


def newest_healed(connection: Connection[Any]) -> UUID | None:
    """The newest request that a reader got an answer to although something failed."""
    found: UUID | None = _SQL.newest_healed(connection)
    return found


def policy_that_begins(connection: Connection[Any], prefix: str) -> tuple[int, Policy] | None:
    """The policy whose fingerprint begins with `prefix`, and its version.

    Raises
    ------
    ValueError
        If its document cannot be read.
    """
    row = _SQL.policy_that_begins(connection, prefix=prefix)
    return None if row is None else (row["version"], Policy.from_json(row["document"]))
