"""What is dropped when there is no room for facts: snapshots first, then detail, and nothing else.

Everything that incidents, alerts and the account of what failed rest upon is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from healing_pipeline.healing.facts import (
    AnswerFact,
    Attempt,
    Decision,
    Fact,
    Origin,
    ProbeResult,
    SnapshotFact,
)


class Worth(StrEnum):
    """How long a fact is held on to, the first to be dropped first."""

    SNAPSHOT = "snapshot"
    DETAIL = "detail"
    KEPT = "kept"


DROPPED_IN_ORDER = (Worth.SNAPSHOT, Worth.DETAIL)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of fact is worth, and why no less and no more."""

    worth_of: Callable[[Any], Worth]
    because: str


def _worth_of_attempt(fact: Attempt) -> Worth:
    went_well = fact.failure_class == "ok" and fact.met is None
    is_plain = went_well and fact.incident_id is None and fact.origin != Origin.HEAL
    return Worth.DETAIL if is_plain else Worth.KEPT


def _worth_of_answer(fact: AnswerFact) -> Worth:
    return Worth.DETAIL if fact.failure_class is None and not fact.failed else Worth.KEPT


def _always(worth: Worth) -> Callable[[Fact], Worth]:
    return lambda _: worth


RULES: dict[type[Fact], Rule] = {
    SnapshotFact: Rule(
        _always(Worth.SNAPSHOT),
        "the next good answer brings a newer one, and the newest lies in snapshots.jsonl too",
    ),
    Decision: Rule(
        _always(Worth.DETAIL),
        "it explains a choice; what was tried and what came of it are the attempts",
    ),
    Attempt: Rule(
        _worth_of_attempt,
        "a plain call that went well is one of many; what failed, what healed and what heal runs "
        "did is what incidents, alerts and learning rest upon",
    ),
    AnswerFact: Rule(
        _worth_of_answer,
        "an answer in which nothing was wrong is one of many; alerts count the others",
    ),
    ProbeResult: Rule(
        _always(Worth.KEPT),
        "incidents begin and end with probes, and without PostgreSQL nobody probes much",
    ),
}


def worth_of(fact: Fact) -> Worth:
    """How long the fact is held on to when there is no room for all."""
    return RULES[type(fact)].worth_of(fact)
