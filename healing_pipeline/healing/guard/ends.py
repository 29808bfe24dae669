"""What the end of a call teaches about host and key, by its failure class."""

from __future__ import annotations

from datetime import datetime

from healing_pipeline.healing.guard.paths import Path
from healing_pipeline.probing.failure_class import FailureClass

# They say something about the host when many calls end so. `stale_data` is not among them: the
# hosts of a provider serve the same store, and the age of a number is a matter of its endpoint.
BY_SHARE = frozenset(
    {
        FailureClass.TIMEOUT,
        FailureClass.SLOW,
        FailureClass.NETWORK_ERROR,
        FailureClass.SERVER_ERROR,
        FailureClass.INVALID_DATA,
    }
)

# One is enough: they do not pass by themselves. An auth_error without a key is the session's
# (Yahoo's crumb), which another call to the same host renews.
AT_ONCE_FOR_KEY = frozenset(
    {FailureClass.AUTH_ERROR, FailureClass.QUOTA_EXHAUSTED, FailureClass.RATE_LIMIT}
)
AT_ONCE_FOR_HOST_WITHOUT_KEY = frozenset({FailureClass.QUOTA_EXHAUSTED, FailureClass.RATE_LIMIT})

# Somebody said no.
REFUSALS = AT_ONCE_FOR_KEY | {FailureClass.BOT_BLOCK}


def count_end(
    path: Path,
    verdict_class: FailureClass,
    *,
    asked_s: float,
    began: float,
    now: float,
    wall_now: datetime,
) -> None:
    """Let a way's breakers and its ledger know how a call ended.

    Parameters
    ----------
    asked_s : float
        For how long the upstream asked to be left alone, already capped; 0 when it did not.
    began, now : float
        Monotonic seconds.
    """
    host, key = path.host, path.key
    if verdict_class is FailureClass.OK:
        host.succeeded(now, began)
        if key is not None:
            key.answered(now, began)
        if path.ledger is not None and (key or host).until is None:
            # Not for one that was under way when another was told that nothing is left.
            path.ledger.is_marked_spent = False
    elif verdict_class in BY_SHARE:
        host.failed(now, began, verdict_class)
    elif verdict_class is FailureClass.BOT_BLOCK:
        host.eject(now, began, verdict_class, at_least_s=asked_s)
    else:
        _refused(path, verdict_class, asked_s, began, now, wall_now)


def _refused(
    path: Path,
    verdict_class: FailureClass,
    asked_s: float,
    began: float,
    now: float,
    wall_now: datetime,
) -> None:
    """Learn from an answer that says no: it came, so the host works."""
    host, key = path.host, path.key
    if verdict_class is FailureClass.QUOTA_EXHAUSTED and path.ledger is not None:
        path.ledger.mark_spent(wall_now)
    if key is None and verdict_class in AT_ONCE_FOR_HOST_WITHOUT_KEY:
        host.eject(now, began, verdict_class, at_least_s=asked_s)
        return
    host.answered(now, began)
    if key is not None and verdict_class in AT_ONCE_FOR_KEY:
        key.eject(now, began, verdict_class, at_least_s=asked_s)
