"""How often, and how long, before it counts: thresholds, and hysteresis against flapping. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from healing_pipeline.alerting.settings import AlertSettings

# However often it flapped, a group that stayed well for an hour is over.
LONGEST_HOLD = timedelta(hours=1)
FLAPS_WITHIN = timedelta(hours=1)
# Of what fired before within the hour, even where the settings ask for less.
SHORTEST_FLAP_HOLD = timedelta(seconds=15)


def fails_long_enough(bad_in_a_row: int, failed_heals: int, settings: AlertSettings) -> bool:
    """Whether people are told of an incident that nothing healed.

    Parameters
    ----------
    bad_in_a_row : int
        Failed probes and plain attempts since the last good one.
    failed_heals : int
        Times that healing it failed. Our own limits may keep every further call back, and then this
        is all that is seen; and what is good every other time is told of in the end.
    """
    return max(bad_in_a_row, failed_heals) >= settings.failure_threshold


def hold_of(earlier_firings: int, settings: AlertSettings) -> timedelta:
    """How long a group has to stay well before it is closed.

    Parameters
    ----------
    earlier_firings : int
        Groups of the same cause that began in the hour before this one.
    """
    if earlier_firings == 0:
        return settings.keep_firing_for
    base = max(settings.keep_firing_for, SHORTEST_FLAP_HOLD)
    # The longest hold is reached long before the bound on the exponent.
    doubled: timedelta = base * 2.0 ** min(earlier_firings, 12)
    return min(doubled, LONGEST_HOLD)


def may_close(
    recovered_at: datetime,
    hold: timedelta,
    good_in_a_row: int | None,
    settings: AlertSettings,
    now: datetime,
) -> str | None:
    """Why a group that has recovered is not closed yet; None when it is.

    Parameters
    ----------
    good_in_a_row : int or None
        Good observations since the last bad one, the fewest of its endpoints that answer for
        themselves again; None where none has to.

    Notes
    -----
    Endpoints that nobody asks any more do not keep a group open for ever: an hour does.
    """
    well_for = now - recovered_at
    if well_for < hold:
        return f"well for {well_for.total_seconds():.0f} of {hold.total_seconds():.0f} s"
    if (
        good_in_a_row is not None
        and good_in_a_row < settings.success_threshold
        and well_for < LONGEST_HOLD
    ):
        return f"{good_in_a_row} good observations of {settings.success_threshold}"
    return None
