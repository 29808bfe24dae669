"""What a strategy is expected to cost, label included, and the order that comes of it.

The policy knows rates and seconds. What a reader loses by an older or another answer is said here,
in seconds of waiting, so that both can be weighed on one scale: the data itself comes first unless
it is improbable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import Strategy
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.published import PUBLISHED
from healing_pipeline.learning.rates import Choice, Considered, Rate

# A reader waits this long for the data itself, so it is what an older answer costs them. One that
# leaves out a part serves fewer, and another instrument only those who agreed to it.
DEADLINE_S = 3.0
LOSS_S: Mapping[Fidelity, float] = MappingProxyType(
    {
        Fidelity.EXACT: 0.0,
        Fidelity.STALE: 1.0 * DEADLINE_S,
        Fidelity.COARSER: 1.5 * DEADLINE_S,
        Fidelity.PROXY: 3.0 * DEADLINE_S,
    }
)

# What an attempt takes where none was seen yet: a call that fails or answers mostly does so within
# a third of a second, some strategies make two, and looking into the store is no call at all. Of
# two stores the one with the older data comes second.
TYPICAL_S: Mapping[str, float] = MappingProxyType(
    {
        "alternate_host": 0.30,
        "rotate_api_key": 0.30,
        "batch_requests": 0.35,
        "refresh_session": 0.35,
        "use_daily_data": 0.40,
        "alternate_series": 0.40,
        "etf_proxy": 0.40,
        "reduce_request_size": 0.40,
        "fallback_provider": 0.50,
        "hedged_request": 0.50,
        "exponential_backoff_retry": 0.50,
        "use_cached_data": 0.001,
        "long_ttl_cache": 0.002,
    }
)
AT_MOST_S = 0.5

# What a strategy of another package is taken to do before it was seen: as much as a stored answer.
CREDIT = PUBLISHED["use_cached_data"]

# Of its healed answers where none was seen: it may answer with less, and mostly does not.
MOSTLY_EXACT: Mapping[str, float] = MappingProxyType({"fallback_provider": 0.95})


def weighed(
    source: str,
    failure_class: str,
    strategies: Sequence[Strategy],
    budget_s: float,
    *,
    policy: Policy,
    belief: Mapping[str, float],
    failed: Sequence[str],
) -> tuple[Choice, list[Considered]]:
    """Weigh strategies that apply.

    Parameters
    ----------
    budget_s : float
        Seconds that are left.
    belief : Mapping[str, float]
        Probability that what a strategy depends on is up, by name; 1 where it is not named.
    failed : sequence of str
        Tried for this request already.

    Returns
    -------
    tuple of Choice and list of Considered
        What the policy chose, and the same in the order of trying (`in_order`).
    """
    seconds: dict[str, float] = {}
    losses: dict[str, float] = {}
    for each in strategies:
        rate, _ = policy.rate(source, failure_class, each.name)
        seconds[each.name] = expected_s(each, rate)
        losses[each.name] = expected_loss_s(each, rate)
    choice = policy.choose(
        source, failure_class, seconds, budget_s, belief, losses=losses, failed=failed
    )
    return choice, in_order(choice)


def expected_s(strategy: Strategy, rate: Rate) -> float:
    """Seconds that an attempt is expected to take: as seen, else as is typical."""
    if rate.seconds is not None:
        return rate.seconds
    typical = TYPICAL_S.get(strategy.name)
    return min(strategy.cost.seconds, AT_MOST_S) if typical is None else typical


def expected_loss_s(strategy: Strategy, rate: Rate) -> float:
    """What its label is expected to lose, in seconds of waiting."""
    worst = strategy.cost.worst
    exact = MOSTLY_EXACT.get(strategy.name, 0.0) if rate.exact is None else rate.exact
    return (1.0 - exact) * LOSS_S[worst]


def in_order(choice: Choice) -> list[Considered]:
    """The candidates of a choice in the order of trying.

    As the policy ranked them, but for two things. The budget is packed without a look at labels, so
    what found no room still comes before what loses more and promises less. And strategies of other
    packages that nobody has seen at work yet were made for somebody's own case: they get `CREDIT`
    and come before all that lose as much by their label, and those that answer with another
    instrument come behind everything.
    """
    heard_of = [each for each in choice.considered if not _is_unheard_of(each)]
    order = [each for each in heard_of if each.packed]
    for each in heard_of:
        if not each.packed:
            worse = (
                at
                for at, other in enumerate(order)
                if other.loss_s > each.loss_s and other.score < each.score
            )
            order.insert(next(worse, len(order)), each)
    # The last one first, so that those of one label keep their order.
    for each in reversed([each for each in choice.considered if _is_unheard_of(each)]):
        place = len(order)
        if each.loss_s < LOSS_S[Fidelity.PROXY]:
            behind = (
                at
                for at, other in enumerate(order)
                if other.loss_s >= each.loss_s or other.score < CREDIT / each.loss_s
            )
            place = next(behind, place)
        order.insert(place, each)
    return order


def written(
    order: Sequence[Considered],
    reasons: Mapping[str, str],
    left_out: Sequence[tuple[str, str]],
    belief: Mapping[str, float],
    failed: Sequence[str],
) -> dict[str, Any]:
    """A choice as JSON values, complete enough to be made again: see `chosen_again`."""
    return {
        "candidates": [
            {
                "strategy": each.strategy,
                "because": reasons[each.strategy],
                "p": each.p,
                "learned": each.learned,
                "layer": each.layer,
                "tries": each.tries,
                "seconds": each.seconds,
                "loss_s": each.loss_s,
                "score": each.score,
                "packed": each.packed,
            }
            for each in order
        ],
        "left_out": [{"strategy": name, "because": because} for name, because in left_out],
        "belief": dict(belief),
        "failed": list(failed),
    }


def chosen_again(
    source: str, failure_class: str, budget_s: float, considered: Mapping[str, Any], policy: Policy
) -> list[Considered]:
    """Make a written choice again, with the costs and the belief of that time."""
    candidates = considered["candidates"]
    choice = policy.choose(
        source,
        failure_class,
        {each["strategy"]: each["seconds"] for each in candidates},
        budget_s,
        considered["belief"],
        losses={each["strategy"]: each["loss_s"] for each in candidates},
        failed=considered["failed"],
    )
    return in_order(choice)


def _is_unheard_of(each: Considered) -> bool:
    return each.layer == "published" and each.strategy not in PUBLISHED
