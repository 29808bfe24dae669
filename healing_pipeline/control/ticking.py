"""What is wrong with a sensor or schedule of Dagster's that is switched on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Turns that may be missed, and what the daemon may take over its own work on a busy machine.
TURNS, SLACK_S = 3.0, 60.0

# The daemon begins ticks in a loop of its own, whatever shorter interval is asked for.
LOOP_S = 5.0

# As Gatus counts failures; one is enough for what ticks so seldom that three would be hours.
FAILED_IN_A_ROW, SELDOM_S = 3, 600.0

# Whoever ceased to tick that long ago, and has no definition we know, was taken out of its code.
FORGOTTEN_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Ticker:
    """A sensor or schedule, as Dagster's record has it.

    Attributes
    ----------
    is_known : bool
        Whether the code location has it now; of other code locations nobody here knows.
    is_by_hand : bool
        Whether somebody switched it on, rather than its definition.
    begun_at : float or None
        When its latest tick began, or it was last switched on; seconds since the epoch.
    due_at : float or None
        When its next tick is due after that; None where its times are not known.
    every_s : float
        From one tick to the next.
    is_in_tick : bool
        Whether that tick has not ended.
    failures : tuple of str
        What its latest ticks said, as far as they failed in a row; the newest first.
    """

    name: str
    kind: str
    location: str
    is_known: bool
    is_by_hand: bool
    begun_at: float | None
    due_at: float | None
    every_s: float
    is_in_tick: bool = False
    failures: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of its alert group."""
        return f"dagster:{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What people are told of one of them, or of a code location."""

    fingerprint: str
    title: str
    evidence: str
    is_stopped: bool


def complaints(tickers: Iterable[Ticker], now: float, watched_since: float) -> list[Complaint]:
    """What is wrong.

    Parameters
    ----------
    now, watched_since : float
        Seconds since the epoch. Who watches has done so since then without a break: silence before
        that was the daemon's, which was off.

    Notes
    -----
    A sensor that is on by its definition alone, in a code location that others know, and that ticks
    no more while its neighbours do, was taken out of the code: no fault. When none of a location's
    ticks any more, the location itself does not load.
    """
    found, silent = [], []
    by_location: dict[str, list[Ticker]] = {}
    for each in tickers:
        by_location.setdefault(each.location, []).append(each)
        failed = _failing(each)
        late_s = _late_s(each, now, watched_since)
        if failed is not None:
            found.append(failed)
        elif late_s is not None:
            silent.append((each, late_s))
    of_dead = {
        location
        for location, members in by_location.items()
        if len(members) > 1
        and not any(each.is_known for each in members)
        and {each.name for each, _ in silent if each.location == location}
        == {each.name for each in members}
    }
    for each, late_s in silent:
        if each.location not in of_dead and (each.is_known or each.is_by_hand or each.is_in_tick):
            found.append(_silence(each, late_s))
    return found + [
        Complaint(
            f"dagster:location:{location}",
            f"Code location {location}: none of its sensors and schedules ticks",
            f"{len(by_location[location])} are switched on. It may not load, or was taken out of "
            "the workspace: then switch them off on Dagster's page.",
            is_stopped=True,
        )
        for location in sorted(of_dead)
    ]


def _failing(ticker: Ticker) -> Complaint | None:
    enough = 1 if ticker.every_s >= SELDOM_S else FAILED_IN_A_ROW
    if len(ticker.failures) < enough:
        return None
    times = "tick" if enough == 1 else f"last {len(ticker.failures)} ticks"
    return Complaint(
        ticker.fingerprint,
        f"{ticker.kind.capitalize()} {ticker.name}: its {times} failed",
        ticker.failures[0],
        is_stopped=False,
    )


def _late_s(ticker: Ticker, now: float, watched_since: float) -> float | None:
    """Seconds beyond the time at which it had to tick at the latest; None while it may wait."""
    if ticker.due_at is None or ticker.begun_at is None:
        return None
    patience_s = SLACK_S + TURNS * min(max(ticker.every_s, LOOP_S), SLACK_S)
    late_s = now - max(ticker.due_at, watched_since)
    is_gone = not ticker.is_known and not ticker.is_by_hand and now - ticker.due_at > FORGOTTEN_S
    return late_s if late_s > patience_s and not is_gone else None


def _silence(ticker: Ticker, late_s: float) -> Complaint:
    doing = "is still in the tick it began" if ticker.is_in_tick else "has not ticked"
    cure = (
        "Restart its code location; it may hang."
        if ticker.is_in_tick
        else "Look at the daemon's log, and whether its code location loads."
    )
    if ticker.is_by_hand and not ticker.is_known:
        cure += " If it was taken out of the code, switch it off on Dagster's page."
    assert ticker.begun_at is not None, "silence has a begin"
    return Complaint(
        ticker.fingerprint,
        f"{ticker.kind.capitalize()} {ticker.name} does not tick any more",
        f"It {doing}, and its next was due {late_s:.0f} s ago. {cure}",
        is_stopped=True,
    )
