"""What single readings cannot show: numbers that stand still, or jump back, under fresh dates.

A provider may go on dating an old number as new. Nothing in one quote tells; what tells is how the
number has moved before, what the older rows of the same body say, and what the same source was
caught at a moment ago.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.catalog.market_hours import HOURS, MarketHours
from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.healing.validation.attendance import absent
from healing_pipeline.healing.validation.growth import LiveBar
from healing_pipeline.healing.validation.herd import UNDATED_WEIGHT, Herd, SourceHerds
from healing_pipeline.healing.validation.movement import (
    CONFIRMED_AFTER_S,
    REFUTED_FOR_S,
    Movement,
    Suspect,
)
from healing_pipeline.healing.validation.scale import scale_of
from healing_pipeline.healing.validation.stillness import standing_still
from healing_pipeline.healing.validation.tables import RateTable
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import Verdict

QuestionKey = tuple[str, str]
"""An endpoint's id, and what a reader changed of its question."""

CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,4}")
# Two sources agree on a live number.
AGREEMENT = 2e-3

ROLL_S = 600.0
MOST_QUESTIONS = 4096


@dataclass(slots=True)
class _Known:
    """What is remembered of one question."""

    as_of: datetime
    newest_at: datetime
    movements: dict[str, Movement]
    table: RateTable | None = None
    bar: LiveBar | None = None
    cleared_s: float = -math.inf
    first_wary: dict[str, float] | None = None
    roll: tuple[tuple[float, ...], float] | None = None


class Scrutiny:
    """Remembers how numbers move, to say which may be believed. Bounded; loses its memory freely.

    Notes
    -----
    Lets through: the first look at a number of which neither an older look, nor the snapshot, nor
    bars are known; a number frozen so shortly before that it lies within its usual moves (until it
    is seen to stand still); and everything of closed markets.
    """

    def __init__(self, most: int = MOST_QUESTIONS) -> None:
        self._most = most
        self._known: OrderedDict[QuestionKey, _Known] = OrderedDict()
        self._scales: OrderedDict[str, float] = OrderedDict()
        self._sources: dict[str, SourceHerds] = defaultdict(SourceHerds)

    def examine(
        self,
        question: QuestionKey,
        reading: Reading,
        endpoint: Endpoint,
        last: Snapshot | None,
        now: datetime,
    ) -> Verdict | None:
        """Find fault with a reading that is good by itself.

        Parameters
        ----------
        question : tuple of str
            Equal for looks at the same numbers. Where it says that a reader changed the window,
            days may be missing from it.
        endpoint : Endpoint
            Gives source and calendar.
        last : Snapshot or None
            What to begin with where this question was not seen before.
        now : datetime
            Aware UTC, of the answer's arrival.

        Returns
        -------
        Verdict or None
            What is wrong, with the reason; None when it may be believed, as all that is no market
            is: what moves otherwise cannot be known by how markets move.
        """
        if not endpoint.is_market:
            return None
        if question in self._known:
            # What is asked for on and on is not forgotten for windows that are asked for once.
            self._known.move_to_end(question)
        hours = None if endpoint.calendar is None else HOURS[endpoint.calendar]
        if hours is not None and not question[1] and reading.interval == "1d":
            missed = self._absent(question, reading, hours, last, now)
            if missed is not None:
                return missed
        if reading.interval == "now" and _is_table(reading):
            why = self._contradiction(question, reading, last, now.timestamp())
        else:
            is_open = hours is None or hours.is_open(now)
            why = self._frozen(question, reading, endpoint, last, now, is_open)
        return None if why is None else Verdict(FailureClass.STALE_DATA, why)

    def corroborate(self, question: QuestionKey, reading: Reading, now: datetime) -> None:
        """Take another source's reading as a witness: a suspect that it agrees with is believed."""
        known = self._known.get(question)
        if known is None:
            return
        for field, value in _live_numbers(reading):
            movement = known.movements.get(field)
            suspect = None if movement is None else movement.suspect
            if movement is None or suspect is None:
                continue
            if math.isclose(suspect.value, value, rel_tol=AGREEMENT):
                movement.believe(suspect.value, now.timestamp())
                known.cleared_s = now.timestamp()

    def _absent(
        self,
        question: QuestionKey,
        reading: Reading,
        hours: MarketHours,
        last: Snapshot | None,
        now: datetime,
    ) -> Verdict | None:
        """Call the roll, once for the same rows in the same ten minutes."""
        known = self._known.get(question)
        roll = (reading.at_s, now.timestamp() // ROLL_S)
        if known is not None and known.roll == roll:
            return None
        missed = absent(reading, hours, last, now)
        if known is not None and missed is None:
            known.roll = roll
        return missed

    def _contradiction(
        self, question: QuestionKey, reading: Reading, last: Snapshot | None, at_s: float
    ) -> str | None:
        """One table has one content: other rates under the same date are of another day."""
        rates = dict(_live_numbers(reading))
        known = self._known.get(question)
        if known is None:
            since = reading if last is None else last.reading
            known = _Known(since.as_of, since.newest_at, {})
            known.table = RateTable(since.as_of, dict(_live_numbers(since)))
            self._remember(question, known)
        if known.table is None:
            known.table = RateTable(reading.as_of, rates)
        return known.table.look(reading.as_of, rates, at_s)

    def _frozen(
        self,
        question: QuestionKey,
        reading: Reading,
        endpoint: Endpoint,
        last: Snapshot | None,
        now: datetime,
        is_open: bool,
    ) -> str | None:
        at_s, source = now.timestamp(), self._sources[endpoint.source]
        if reading.interval != "now":
            why = standing_still(reading)
            if why is not None:
                source.catch(question, at_s)
                return why
        known = self._known.get(question)
        if known is None:
            known = self._begin(question, reading, last)
        if is_open and reading.interval != "now":
            why = _shrunk(known, reading, at_s)
            if why is not None:
                source.catch(question, at_s)
                return f"{reading.instrument}: {why}"
        is_same_bar = reading.interval == "now" or reading.newest_at == known.newest_at
        if is_open and (is_same_bar or not _is_dated(reading.interval)):
            found = self._watched(question, known, reading, source, source.of(endpoint.path), at_s)
        else:
            found = None
            for field, value in _live_numbers(reading):
                known.movements.setdefault(field, Movement(value, at_s, at_s)).believe(value, at_s)
        if found is None:
            known.as_of, known.newest_at = reading.as_of, reading.newest_at
        return found

    def _watched(
        self,
        question: QuestionKey,
        known: _Known,
        reading: Reading,
        source: SourceHerds,
        herd: Herd,
        at_s: float,
    ) -> str | None:
        """Look at each live number of a reading, at them together, and at their kind."""
        is_fresh = reading.as_of > known.as_of
        scale = self._scales.get(reading.instrument, herd.scale())
        wary_since = source.wary_since(herd, at_s)
        found: str | None = None
        surprise, has_moved, seen_s = 0.0, False, at_s
        for field, value in _live_numbers(reading):
            movement = known.movements.get(field)
            if movement is None:
                known.movements[field] = Movement(value, at_s, at_s)
                continue
            suspect, before, seen_s = movement.suspect, movement.value, movement.seen_s
            why = movement.look(value, at_s, is_fresh=is_fresh, scale=scale)
            stood = value == before if suspect is None else _stood(suspect, value, at_s)
            if suspect is not None and movement.refuted is suspect:
                herd.refute(question, at_s)
            if why is not None and stood:
                source.catch(question, at_s)
            if why is None and wary_since is not None and movement.strides:
                why = _wary(known, field, movement, value, wary_since, at_s)
            has_moved = has_moved or (why is None and value != before)
            if why is None and value != before and movement.strides:
                herd.strides.append(movement.strides[-1])
            surprise += movement.surprise
            found = found or (why and f"{field} of {reading.instrument} {why}")
        if has_moved:
            herd.moved(seen_s)
        elif found is None and surprise:
            why = herd.stood(surprise * (1.0 if is_fresh else UNDATED_WEIGHT), seen_s, at_s)
            found = why and f"{reading.instrument} {why}"
        return found

    def _begin(self, question: QuestionKey, reading: Reading, last: Snapshot | None) -> _Known:
        """Begin with the snapshot of an earlier process, and with the scale of the bars."""
        if reading.interval != "now":
            scale = scale_of(reading)
            if scale is not None:
                self._scales[reading.instrument] = scale
                if len(self._scales) > self._most:
                    self._scales.popitem(last=False)
        since = reading if last is None else last.reading
        known = _Known(since.as_of, since.newest_at, {})
        if last is not None:
            seen_s = last.fetched_at.timestamp()
            for field, value in _live_numbers(last.reading):
                known.movements[field] = Movement(value, seen_s, seen_s)
        self._remember(question, known)
        return known

    def _remember(self, question: QuestionKey, known: _Known) -> None:
        self._known[question] = known
        self._known.move_to_end(question)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _is_table(reading: Reading) -> bool:
    return CURRENCY.fullmatch(reading.fields[0]) is not None


def _is_dated(interval: str) -> bool:
    return interval.endswith(("d", "w", "mo", "y"))


def _live_numbers(reading: Reading) -> Iterator[tuple[str, float]]:
    """The numbers that should move from look to look: quotes, or the newest close."""
    if reading.interval != "now":
        newest = reading.newest("close")
        if newest is not None:
            yield "close", newest
        return
    for field in reading.fields:
        newest = reading.newest(field)
        if newest is not None:
            yield field, newest


def _stood(suspect: Suspect, value: float, at_s: float) -> bool:
    """Whether a suspect was seen again where a market would have moved on."""
    return value == suspect.value and at_s - suspect.at_s >= CONFIRMED_AFTER_S


def _shrunk(known: _Known, reading: Reading, at_s: float) -> str | None:
    if known.bar is None:
        known.bar = LiveBar.of(reading)
    return known.bar.look(reading, at_s)


def _wary(
    known: _Known, field: str, movement: Movement, value: float, began_s: float, at_s: float
) -> str | None:
    """Ask a number of a source that was just caught to be seen moving once.

    What it moved from stays doubted: it may have moved by being asked of another host.
    """
    if known.cleared_s >= began_s:
        return None
    if known.first_wary is None or known.first_wary.get("") != began_s:
        known.first_wary = {"": began_s}
    seen = known.first_wary.setdefault(field, value)
    if seen != value:
        known.cleared_s = at_s
        if movement.refuted is None or at_s - movement.refuted.at_s >= REFUTED_FOR_S:
            movement.refuted = Suspect(seen, at_s, at_s, 1)
        return None
    return (
        f"is {value:g}, from a source whose numbers stood still a moment ago: "
        "not believed until it is seen to move"
    )
