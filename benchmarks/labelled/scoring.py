"""What a diagnosis is worth against the truth.

Each truth is one row: what was broken, with its incidents. It is diagnosed right when the cause
that most of its incidents are in says so; the scope is exact when it has the very endpoints that
are hit, no more and no less. Of two causes that share the incidents evenly, the first counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from healing_pipeline.drill.labels import Label
from healing_pipeline.incidents.diagnosis import Cause
from healing_pipeline.incidents.evidence import Evidence
from labelled.cases import Case
from labelled.world import Observed

Diagnose = Callable[[Evidence], tuple[Cause, ...]]
MOMENTS = ("at_detection", "healed", "asked", "all_looked_at")


@dataclass(frozen=True, slots=True)
class Row:
    """One truth and what was said of it.

    Attributes
    ----------
    said : Cause
    joined : bool
        Whether its incidents, and no others, are the members of one cause.
    """

    case: Case
    truth: Label
    said: Cause
    joined: bool

    @property
    def kind(self) -> str:
        """The kind of its fault; of a case with several, the kinds together."""
        return " + ".join(self.case.kinds)

    @property
    def root_right(self) -> bool:
        """Whether the root cause is named."""
        return self.said.root_cause is self.truth.root_cause

    @property
    def scope_exact(self) -> bool:
        """Whether the scope is the truth's."""
        return frozenset(self.said.scope) == self.truth.scope

    @property
    def place_right(self) -> bool:
        """Whether the place is of the truth's size."""
        return self.said.place.kind is self.truth.kind


def rows(observed: Sequence[Observed], moment: str, diagnose: Diagnose) -> Iterator[Row]:
    """Every truth that was detected, diagnosed from the evidence of a moment."""
    for each in observed:
        evidence: Evidence = getattr(each, moment)
        causes = diagnose(evidence)
        for truth in each.case.truths:
            own = {one.incident_id for one in evidence.failing if one.endpoint in truth.scope}
            if not own:
                continue
            said = max(causes, key=lambda cause: len(own & set(cause.members)))
            yield Row(each.case, truth, said, own == set(said.members))


def undetected(observed: Sequence[Observed]) -> Counter[str]:
    """Truths of which no incident began, by the kinds of their case."""
    return Counter(
        "+".join(each.case.kinds)
        for each in observed
        for truth in each.case.truths
        if not any(one.endpoint in truth.scope for one in each.healed.failing)
    )
