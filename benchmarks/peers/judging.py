"""What a reader's answer was worth: its data against the truth, under the label it came with.

A contender's body is read by the provider's own reader, so that nobody is blamed for parsing, and
judged by the drill's judge. Where a label leaves something open the contender has the benefit: data
called stale is right when it was true in any second since the first read, however old it says it
is, and data from a cache that calls itself fresh enough is exact when it is still true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.drill.judge import fault_of
from healing_pipeline.drill.world import line_of
from healing_pipeline.healing.answer import PLAIN, Answer
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import RequestLine
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.simulator.truth import Truth
from peers.contract import End, Failure, Handed, Label, Told

_OK = 200

# The judge looks five seconds to both sides of the moment an answer was fetched at.
_STEP = timedelta(seconds=9)


class Worth(StrEnum):
    """How one request ended for its reader."""

    EXACT = "exact"  # this data, true, and said to be so
    LABELLED = "labelled"  # older, coarser or another's, true for what it says it is
    WRONG_AS_GOOD = "wrong_as_good"  # worse than its label
    ERROR_AS_SUCCESS = "error_as_success"  # status 200 and no data
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Judged:
    """A worth, and for people what was seen.

    Attributes
    ----------
    because : str
        What was wrong; empty where nothing was.
    said : str
        The label, and whose doing it was.
    trail : str
        What was tried before, where the contender tells.
    """

    worth: Worth
    because: str
    said: str = ""
    trail: str = ""


@dataclass(frozen=True)
class RememberedTruth(Truth):
    """The truth, which is slow to compute, once for every second of every question."""

    known: dict[object, Reading | None] = field(default_factory=dict)

    def reading(self, provider: str, line: RequestLine, now: datetime) -> Reading | None:
        """As `Truth.reading`, which knows no fractions of a second."""
        second = now.replace(microsecond=0)
        key = (provider, line.path, *sorted(line.params.items()), second)
        if key not in self.known:
            self.known[key] = super().reading(provider, line, second)
        return self.known[key]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the answers of one run.

    Attributes
    ----------
    first_read_at : datetime
        When the contender first could see data.
    """

    catalog: Catalog
    truth: Truth
    first_read_at: datetime

    def worth(
        self, endpoint_id: str, end: End, asked_at: datetime, answered_at: datetime
    ) -> Judged:
        """Judge how a request ended; moments on the simulated clock."""
        if isinstance(end, Failure):
            return Judged(Worth.ERROR, end.because)
        if isinstance(end, Told):
            return self._of_ours(end, asked_at, answered_at)
        if end.status != _OK:
            return Judged(Worth.ERROR, f"status {end.status}")
        read = self._read(endpoint_id, end, answered_at)
        if isinstance(read, Unreadable):
            return Judged(Worth.ERROR_AS_SUCCESS, read.evidence)
        if end.label is not Label.STALE:
            wrong = self._wrong(read, asked_at, answered_at)
            if wrong is None:
                return Judged(Worth.EXACT, "", end.label)
            if end.label is Label.EXACT:
                return Judged(Worth.WRONG_AS_GOOD, wrong, end.label)
        wrong = ""
        for fetched_at in self._moments_before(answered_at):
            stale = replace(read, fidelity=Fidelity.STALE, fetched_at=fetched_at)
            found = self._wrong(stale, asked_at, answered_at)
            if found is None:
                return Judged(Worth.LABELLED, "", end.label)
            wrong = wrong or found
        return Judged(Worth.WRONG_AS_GOOD, wrong, end.label)

    def _of_ours(self, told: Told, asked_at: datetime, answered_at: datetime) -> Judged:
        answer = told.answer
        said = f"{answer.fidelity} by {answer.strategy}"
        wrong = self._wrong(answer, asked_at, answered_at)
        if wrong is not None:
            return Judged(Worth.WRONG_AS_GOOD, wrong, said, told.trail)
        worth = Worth.EXACT if answer.fidelity is Fidelity.EXACT else Worth.LABELLED
        return Judged(worth, "", said, told.trail)

    def _read(self, endpoint_id: str, end: Handed, answered_at: datetime) -> Answer | Unreadable:
        endpoint = self.catalog.endpoints[endpoint_id]
        provider = provider_named(self.catalog.sources[endpoint.source].provider)
        reading = provider.read(end.body, line_of(self.catalog, endpoint, answered_at))
        if isinstance(reading, Unreadable):
            return reading
        return Answer(
            request_id=UUID(int=0),
            endpoint=endpoint_id,
            fidelity=Fidelity.EXACT,
            as_of=reading.as_of,
            fetched_at=answered_at,
            reading=reading,
            body=end.body,
            strategy=PLAIN,
            provider=endpoint.source,
            attempts=1,
            seconds=0.0,
        )

    def _wrong(self, answer: Answer, asked_at: datetime, answered_at: datetime) -> str | None:
        return fault_of(
            answer,
            catalog=self.catalog,
            truth=self.truth,
            asked_at=asked_at,
            answered_at=answered_at,
        )

    def _moments_before(self, answered_at: datetime) -> Iterator[datetime]:
        moment = answered_at
        while moment > self.first_read_at:
            yield moment
            moment -= _STEP
        yield self.first_read_at
