"""Feeds that froze: which answers lag with them where nobody could have known.

A feed that stops where it is, under dates that go on, is told from a live one by looking again. The
first answers are true but for what the market did since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from healing_pipeline.drill.fates import Evidence, Read, Served
from healing_pipeline.drill.judge import LAG_S
from healing_pipeline.drill.world import line_of
from healing_pipeline.healing.answer import Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.simulator.faults import FaultKind

Question = tuple[object, ...]
"""Source, path and parameters."""

# Data is dated by when it was fetched; the simulator logged the call so shortly before or after.
LOGGED_WITHIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """One call that met a `frozen_value` fault.

    Attributes
    ----------
    at_s : float
        Seconds of the drill.
    since_s : float
        When the first call for the same question met the same fault.
    """

    at_s: float
    since_s: float

    @property
    def is_early(self) -> bool:
        """Whether the question had been met frozen for no longer than is granted."""
        return self.at_s - self.since_s <= LAG_S


@dataclass(frozen=True, slots=True)
class FrozenLooks:
    """Every call of a drill that met frozen numbers, readers' and all others'."""

    evidence: Evidence
    by_mark: Mapping[str, Look]
    by_question: Mapping[Question, Sequence[Look]]

    def may_lag(self, read: Read) -> bool:
        """Whether nobody could have known that the numbers a reader was given stand still.

        Exact data: the very call that brought it met a `frozen_value` fault, and met it early.
        Stale data: a call for it met such a fault, early, at the moment that the data is dated by.
        An engine that hands out its memory as exact made no such call; one that dates its memory
        anew did not make it then. What may differ from the truth is the judge's to say.
        """
        end = read.end
        if not isinstance(end, Answer):
            return False
        if end.fidelity is Fidelity.STALE:
            taken_s = self.evidence.at_s(end.fetched_at)
            return any(
                look.is_early and abs(look.at_s - taken_s) <= LOGGED_WITHIN_S
                for question in self._questions(end)
                for look in self.by_question.get(question, ())
            )
        # What was tried after the answer, to learn, is another strategy's.
        answered = [
            arrived
            for each, arrived in self.evidence.calls(read)
            if each.healed and each.strategy == end.strategy
        ]
        return end.fidelity is Fidelity.EXACT and any(
            self.by_mark[str(served["request_id"])].is_early
            for arrived in answered[-1:]
            for served in arrived
            if str(served["request_id"]) in self.by_mark
        )

    def _questions(self, answer: Answer) -> Iterator[Question]:
        """The questions whose answers this one can have been taken from."""
        catalog = self.evidence.catalog
        asked = catalog.endpoints[answer.endpoint]
        for name in (asked.id, *asked.alternates.endpoints):
            one = catalog.endpoints.get(name)
            if one is not None and one.source == answer.provider:
                line = line_of(catalog, one, answer.fetched_at)
                yield _question(one.source, line.path, line.params)


def frozen_looks(evidence: Evidence) -> FrozenLooks:
    """Find the calls in the simulator's log, and since when their questions were met frozen."""
    by_mark: dict[str, Look] = {}
    by_question: dict[Question, list[Look]] = {}
    since: dict[tuple[Question, int, float | None], float] = {}
    faults = {each.index: each for each in evidence.plan.faults}
    for mark, served in sorted(_frozen(evidence), key=lambda each: float(each[1]["at_s"])):
        question = _question(served["source"], served["path"], served["params"])
        at_s, fault = float(served["at_s"]), faults[int(served["fault"])]
        since_s = since.setdefault((question, fault.index, fault.began_at_s(at_s)), at_s)
        by_mark[mark] = Look(at_s, since_s)
        by_question.setdefault(question, []).append(by_mark[mark])
    return FrozenLooks(evidence, by_mark, by_question)


def _frozen(evidence: Evidence) -> Iterator[tuple[str, Served]]:
    for mark, served in evidence.log.items():
        if served.get("fault_kind") == FaultKind.FROZEN_VALUE and served["at_s"] is not None:
            yield mark, served


def _question(source: object, path: object, params: Mapping[str, str]) -> Question:
    return (source, path, *sorted(params.items()))
