"""What strategies that send something share: the way, the time limit, and the label of what comes.

No strategy lives here, and no rule about when one helps.
"""

from __future__ import annotations

from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import (
    Healed,
    NotHealed,
    Observation,
    Situation,
    Upstream,
    Way,
)
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.providers.provider import Asked

# Below this a call has no real chance of coming back.
WORTH_ASKING_S = 0.1

# What a host does to every question put to it, so that another host is the better bet.
OF_THE_HOST = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.SLOW,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
        FailureClass.STALE_DATA,
    }
)

# What is said of us or of our key, whatever is asked: another question meets the same.
WHATEVER_IS_ASKED = frozenset(
    {
        FailureClass.BAD_REQUEST,
        FailureClass.AUTH_ERROR,
        FailureClass.QUOTA_EXHAUSTED,
        FailureClass.BOT_BLOCK,
    }
)


def ways_of(situation: Situation) -> tuple[Way, ...]:
    """Every way to the source; the one taken alone where no others are known."""
    return situation.ways or (Way(situation.host, situation.key),)


def open_ways(situation: Situation) -> list[Way]:
    """The ways that let a call through now, best first.

    In the order of preference, but after a failure of the host its other ways come last.
    """
    found = [way for way in ways_of(situation) if way.is_open]
    if situation.failure.failure_class in OF_THE_HOST:
        found.sort(key=lambda way: way.host.name == situation.host.name)
    return found


def closed_because(situation: Situation) -> str:
    """Why no way is open, for a person."""
    reasons = dict.fromkeys(way.why_closed for way in ways_of(situation) if way.why_closed)
    return "no way to the source is open" + (f": {'; '.join(reasons)}" if reasons else "")


def key_name(way: Way) -> str | None:
    """The name of a way's key; None where it has none."""
    return None if way.key is None else way.key.name


def hindrance(situation: Situation, label: Fidelity) -> str | None:
    """What keeps any strategy from answering with `label` in this situation; None if nothing."""
    if label not in situation.accepts:
        return f"the reader does not accept {label}"
    if situation.remaining_s < WORTH_ASKING_S:
        return f"only {situation.remaining_s:.2f} s left"
    return None


async def ask(
    situation: Situation,
    upstream: Upstream,
    way: Way,
    timeout_s: float,
    asked: Asked | None = None,
) -> Observation:
    """Put the question, or another one, by `way`, with its session if one is known."""
    path, params = situation.asked if asked is None else asked
    request = situation.request(path=path, params=params, host=way.host, key=way.key)
    token = upstream.session(way.host)
    if token is not None and situation.provider.session is not None:
        request = situation.provider.session.applied(request, token)
    return await upstream.ask(request, timeout_s)


def labelled(
    situation: Situation,
    upstream: Upstream,
    seen: Observation,
    fidelity: Fidelity,
    evidence: str,
) -> Healed | NotHealed:
    """A good answer of the source under a label; what was seen, where it is not good."""
    if seen.reading is None:
        return NotHealed(seen.verdict)
    return Healed(
        fidelity=fidelity,
        reading=seen.reading,
        body=seen.response.body,
        fetched_at=upstream.now(),
        provider=situation.endpoint.source,
        evidence=evidence,
    )
