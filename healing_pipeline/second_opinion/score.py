"""Whether the second opinion is worth its money: each advice against what then worked.

The plan is judged on the same cases, by its own first choice: advice that is right where the plan
was right anyway is worth nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from healing_pipeline.healing.answer import PLAIN

# Below this a share is an anecdote.
LEAST_CASES = 20
# Chance alone may bring such a difference one time in twenty.
SURE = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """One question, and what became of the incident it was about.

    Attributes
    ----------
    outcome : str or None
        None: under way, or lost.
    order : tuple of str or None
        What was advised; None: nothing.
    plan : tuple of str
        The strategies that could be named, in the plan's own order.
    healed_by : str or None
        What healed in time; ``plain`` where the primary was back by itself; None: nothing did.
    tried : tuple of str
        What the heal runs had used by then, in order.
    root_cause, settled_root_cause : str or None
        As advised, and as the diagnosis says in the end.
    after_plan : bool
        Whether it was asked because the plan had failed.
    is_over : bool
        Whether what healed in time is known: it healed, or the time is over.
    """

    outcome: str | None
    cost_usd: float
    seconds: float | None
    plan: tuple[str, ...]
    order: tuple[str, ...] | None = None
    healed_by: str | None = None
    tried: tuple[str, ...] = ()
    root_cause: str | None = None
    settled_root_cause: str | None = None
    after_plan: bool = False
    is_over: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """What a number of questions were worth.

    Attributes
    ----------
    calls : int
    cost_usd : float
        Of all, those without advice too.
    median_s : float or None
        Seconds to an answer.
    advices : int
        Answers that passed the check.
    no_advice : dict
        Outcome → how many, of the others.
    right : int
        The first choice healed; or none was named, and none healed.
    wrong : int
        Another strategy healed, or none did though one was named.
    unused : int
        The primary was back by itself, or it is not over: nothing to judge by.
    plan_right : int
        Of right and wrong, those in which the plan's own first choice healed.
    better, worse : int
        Right where the plan's first choice was not, and the other way round.
    after_plan : int
        Of right and wrong, those that were asked because the plan had failed: there the advised
        order has the first go, which favours it.
    turned : int
        Of those, healed by the first choice.
    attempts_saved : int
        Attempts less, had its order been taken at once; below 0: more.
    causes_right, causes : int
        Root causes that the diagnosis came to as well, of those with one.
    """

    calls: int
    cost_usd: float
    median_s: float | None
    advices: int
    no_advice: dict[str, int]
    right: int
    wrong: int
    unused: int
    plan_right: int
    better: int
    worse: int
    after_plan: int
    turned: int
    attempts_saved: int
    causes_right: int
    causes: int

    @property
    def judged(self) -> int:
        """Advices that something can be said of."""
        return self.right + self.wrong

    @property
    def verdict(self) -> str:
        """What this comes to, in a sentence or two."""
        if self.judged == 0:
            return f"No advice can be judged yet; ${self.cost_usd:.2f}."
        told = (
            f"{self.right} of {self.judged} advices named what then healed; the plan's own first "
            f"choice did so in {self.plan_right}; ${self.cost_usd:.2f}."
        )
        if self.judged < LEAST_CASES:
            return f"{told} Too few to say whether it is worth its money."
        if self.better > self.worse and by_chance(self.better, self.worse) <= SURE:
            gained = self.better - self.worse
            price = f"${self.cost_usd / gained:.2f} for each case in which it knew better"
            if 2 * self.after_plan > self.judged:
                return (
                    f"{told} {self.turned} were healed by it after the plan had failed, {price}; "
                    "only `ask: always` shows whether the plan's own order would have done as well."
                )
            return f"{told} It knows better than the plan: {price}."
        if self.worse > self.better and by_chance(self.worse, self.better) <= SURE:
            return f"{told} The plan knows better: it is not worth its money."
        return f"{told} No difference to the plan that could not be chance."


def score_of(cases: Sequence[Case]) -> Score:
    """Judge every question."""
    advised = [each for each in cases if each.order is not None]
    judged = [each for each in advised if is_judged(each)]
    right = [each for each in judged if is_right(each)]
    plan_right = [each for each in judged if _is_plan_right(each)]
    named = [each for each in advised if each.root_cause and each.settled_root_cause]
    seconds = [each.seconds for each in cases if each.seconds is not None]
    missed: dict[str, int] = {}
    for each in cases:
        if each.order is None:
            name = each.outcome or "lost"
            missed[name] = missed.get(name, 0) + 1
    return Score(
        calls=len(cases),
        cost_usd=sum(each.cost_usd for each in cases),
        median_s=median(seconds) if seconds else None,
        advices=len(advised),
        no_advice=missed,
        right=len(right),
        wrong=len(judged) - len(right),
        unused=len(advised) - len(judged),
        plan_right=len(plan_right),
        better=sum(not _is_plan_right(each) for each in right),
        worse=sum(not is_right(each) for each in plan_right),
        after_plan=sum(each.after_plan for each in judged),
        turned=sum(each.after_plan and each.healed_by is not None for each in right),
        attempts_saved=sum(_saved(each) for each in judged),
        causes_right=sum(each.root_cause == each.settled_root_cause for each in named),
        causes=len(named),
    )


def is_judged(case: Case) -> bool:
    """Whether anything shows if an advice was right."""
    return case.order is not None and case.is_over and case.healed_by != PLAIN


def is_right(case: Case) -> bool:
    """Whether a judged advice named what healed."""
    first = case.order[0] if case.order else None
    return first == case.healed_by


def by_chance(more: int, less: int) -> float:
    """How probable it is that of two equals one wins at least so often (sign test)."""
    of = more + less
    return sum(comb(of, each) for each in range(more, of + 1)) / 2.0**of


def _is_plan_right(case: Case) -> bool:
    return case.healed_by is not None and case.plan[:1] == (case.healed_by,)


def _saved(case: Case) -> int:
    """Attempts before the one that healed: as they were, less as they were advised."""
    if case.healed_by is None or case.order is None or case.healed_by not in case.order:
        return 0
    used = list(dict.fromkeys(each for each in case.tried if each != PLAIN))
    if case.healed_by not in used:
        return 0
    # What was used before the advice came says what the plan's order would have cost.
    own = [each for each in case.plan if each in used] if case.after_plan else used
    if case.healed_by not in own:
        return 0
    return own.index(case.healed_by) - case.order.index(case.healed_by)
