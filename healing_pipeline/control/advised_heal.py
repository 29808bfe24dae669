"""A heal with a second opinion: the plan at once, the advice only before people are called.

Imported only where a model is configured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.consultation import Asked, Shared, shared_advice
from healing_pipeline.control.consulting import NICE_BESIDE, begin
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.healing.answer import Answer, HealingFailed, Tried
from healing_pipeline.incidents.diagnosis import Diagnosis
from healing_pipeline.second_opinion.advice import Advice
from healing_pipeline.second_opinion.settings import Ask
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.second_opinions import HeldBack

# Writing a question and setting its dollars aside takes some hundredths of a second.
WRITTEN_WITHIN_S = 3.0

Heal = Callable[[Sequence[str]], Answer | HealingFailed]
Holds = Callable[[Answer], bool]


@dataclass(frozen=True, slots=True)
class AdvisedEnd:
    """How a heal with a second opinion ended.

    Attributes
    ----------
    told : str
        What became of the second opinion, for people.
    """

    end: Answer | HealingFailed
    told: str


class _Beside:
    """A question that is written and sent while the plan is under way."""

    def __init__(self, ask: Callable[[], Asked | Shared | HeldBack]) -> None:
        self._ended: Asked | Shared | HeldBack | None = None
        self._is_left = False
        self._ask = ask
        self._thread = threading.Thread(target=self._run, name="second opinion", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._ended = self._ask()
        if self._is_left:
            self.leave()

    def leave(self) -> None:
        """Wait for nothing; it goes on record all the same."""
        self._is_left = True
        if isinstance(self._ended, Asked | Shared):
            self._ended.leave()

    def end(self) -> Asked | Shared | HeldBack:
        """What was sent, or why nothing was."""
        self._thread.join(WRITTEN_WITHIN_S)
        return HeldBack("it was not written in time") if self._ended is None else self._ended


def heal_with_advice(
    heal: Heal,
    holds: Holds,
    *,
    database: Database,
    catalog: Catalog,
    taken: Taken,
    diagnosis: Diagnosis,
    now: Callable[[], datetime],
    environ: Mapping[str, str],
) -> AdvisedEnd:
    """Heal by the plan; where that ends in nothing, once more in the order that was advised.

    Parameters
    ----------
    heal : callable
        One heal run's attempt, its argument the order of steps that is advised; empty: the plan's.
    holds : callable
        Whether a healed answer stands up to its checks.
    """
    settings = catalog.second_opinion
    assert settings is not None, "only where a model is configured"

    def ask(because: Ask, tried: tuple[Tried, ...] = ()) -> Asked | Shared | HeldBack:
        return begin(
            database,
            catalog,
            taken,
            diagnosis,
            because=str(because),
            now=now(),
            environ=environ,
            tried=tried,
            nice=NICE_BESIDE if because is Ask.ALWAYS else 0,
        )

    is_cut_off = taken.own_outage
    beside = None
    if settings.ask is Ask.ALWAYS and not is_cut_off:
        beside = _Beside(lambda: ask(Ask.ALWAYS))
    first = heal(())
    if isinstance(first, Answer) and holds(first):
        if beside is None:
            return AdvisedEnd(first, "")
        beside.leave()
        return AdvisedEnd(first, "asked beside the plan, not waited for")
    if is_cut_off:
        return AdvisedEnd(first, "not asked: our own connection is down")
    tried = first.tried if isinstance(first, HealingFailed) else ()
    asked = ask(Ask.UNHEALED, tried) if beside is None else beside.end()
    advice = _advice(asked, diagnosis)
    if isinstance(advice, HeldBack):
        return AdvisedEnd(first, f"none: {advice.because}")
    if not advice.order:
        return AdvisedEnd(first, f"nothing of the plan will help: {advice.because}")
    second = heal(advice.order)
    said = f"{', '.join(advice.order)}: {advice.because}"
    if isinstance(second, Answer) and holds(second):
        return AdvisedEnd(second, f"{said} It healed: {second.strategy}.")
    return AdvisedEnd(first, f"{said} It did not help.")


def _advice(asked: Asked | Shared | HeldBack, diagnosis: Diagnosis) -> Advice | HeldBack:
    try:
        if isinstance(asked, Asked | Shared):
            return asked.advice()
        if asked.advice is None:
            return asked
        choices = [each.strategy for each in diagnosis.plan if each.taken]
        return shared_advice(asked.advice, choices)
    except Exception as error:
        # The end that the plan came to stands, whatever becomes of this.
        return HeldBack(f"it could not be read: {type(error).__name__}")
