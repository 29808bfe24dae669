"""The life of an incident: one table of transitions, and nothing decided anywhere else.

The README's diagram is printed from this table by `diagram`.
"""

from __future__ import annotations

from enum import StrEnum

from healing_pipeline.errors import HealingPipelineError


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    HEALING = "healing"
    HEALED = "healed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Signal(StrEnum):
    """What moves an incident on."""

    CONFIRMED = "confirmed"
    HEAL_STARTED = "heal_started"
    HEAL_SUCCEEDED = "heal_succeeded"
    HEAL_FAILED = "heal_failed"
    HEAL_LOST = "heal_lost"
    ROUTE_FAILED = "route_failed"
    TRIED_AGAIN = "tried_again"
    RECOVERED = "recovered"


TRANSITIONS: dict[State, dict[Signal, State]] = {
    State.OPEN: {
        Signal.HEAL_STARTED: State.HEALING,
        # The run that was asked for never took it: ask with a new event.
        Signal.TRIED_AGAIN: State.OPEN,
        Signal.RECOVERED: State.RESOLVED,
    },
    State.HEALING: {
        Signal.HEAL_SUCCEEDED: State.HEALED,
        Signal.HEAL_FAILED: State.ESCALATED,
        # The run that healed died: somebody else has to be asked.
        Signal.HEAL_LOST: State.OPEN,
        Signal.RECOVERED: State.RESOLVED,
    },
    State.HEALED: {
        # Readers are served, but by the route: the primary is still down.
        Signal.ROUTE_FAILED: State.OPEN,
        Signal.RECOVERED: State.RESOLVED,
    },
    State.ESCALATED: {
        Signal.TRIED_AGAIN: State.OPEN,
        Signal.RECOVERED: State.RESOLVED,
    },
    State.RESOLVED: {},
}

# States that a confirmed failure may begin in.
FIRST_STATE = State.OPEN

# A move into one of these by one of these signals asks for a heal run.
ASKS_HEAL = frozenset({Signal.CONFIRMED, Signal.HEAL_LOST, Signal.ROUTE_FAILED, Signal.TRIED_AGAIN})


class IllegalTransitionError(HealingPipelineError):
    """A signal that does not fit the state: a fault of ours, never of an upstream.

    Parameters
    ----------
    state : State
    signal : Signal
    """

    def __init__(self, state: State, signal: Signal) -> None:
        self.state = state
        self.signal = signal
        allowed = ", ".join(TRANSITIONS[state]) or "none"
        super().__init__(
            f"An incident that is {state} cannot take '{signal}'. Read the incident again before "
            f"moving it; it takes: {allowed}."
        )


def next_state(state: State, signal: Signal) -> State:
    """Where `signal` leads from `state`.

    Raises
    ------
    IllegalTransitionError
        If the table has no such move.
    """
    try:
        return TRANSITIONS[state][signal]
    except KeyError:
        raise IllegalTransitionError(state, signal) from None


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {FIRST_STATE}: {Signal.CONFIRMED}"]
    for state, moves in TRANSITIONS.items():
        lines += [f"    {state} --> {target}: {signal}" for signal, target in moves.items()]
    lines.append(f"    {State.RESOLVED} --> [*]")
    return "\n".join(lines)
