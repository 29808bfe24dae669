"""The shares that a process has of keys' calls a minute, settled with the other processes in turn.

A share grows in the database first and in the process after, and shrinks in the process first: at
no moment do all processes together have more than the quota.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from uuid import uuid4

from psycopg import Connection

from healing_pipeline.healing.guard.shares import Claim, Key, Use, next_share
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("key_shares")

CHANNEL = "healing_share"

# Who was not seen for so long made no call within the last minute, or is cut off from the database.
GONE_S = 75.0

# Between two turns: with calls to make, and without.
BUSY_S, IDLE_S = 1.0, 5.0
# Others may ask for a turn; not more often than this.
LEAST_S = 0.1

# After the database was away everybody comes back within this, and says what he has: until then
# nobody takes more.
BACK_S = 3.0

ShareOut = Callable[[Mapping[Key, int]], Mapping[Key, Use]]
"""Applies shares where the guard runs, and says what is made of every metered key."""


class KeyShares:
    """The shares of one process. For one thread.

    Parameters
    ----------
    share_out : callable
        Raises `TimeoutError` when the guard's process has no time for it now.
    """

    def __init__(self, share_out: ShareOut) -> None:
        self._share_out = share_out
        self._process = str(uuid4())
        self._shares: dict[Key, int] = {}
        self._grows_at = 0.0
        self._turn_at = 0.0
        self._latest_at = self._told_at = -BUSY_S

    @property
    def turn_at(self) -> float:
        """When the next turn is due; monotonic seconds."""
        return self._turn_at

    def connected(self, connection: Connection[Any]) -> None:
        """Begin on a new connection."""
        _SQL.listen_to_shares(connection)
        self._turn_at = 0.0
        if self._shares:
            self._grows_at = monotonic() + BACK_S

    def hasten(self) -> None:
        """Another process waits for a part of what this one has."""
        self._turn_at = min(self._turn_at, self._latest_at + LEAST_S)

    def settle(self, connection: Connection[Any]) -> None:
        """Take a turn; `turn_at` says when the next one is due."""
        self._latest_at = monotonic()
        self._turn_at = self._latest_at + BUSY_S
        try:
            is_short, is_used = self._turn(connection)
        except TimeoutError:
            return  # the process is busy with its readers
        self._turn_at = self._latest_at + (BUSY_S if is_used or is_short else IDLE_S)

    def _turn(self, connection: Connection[Any]) -> tuple[bool, bool]:
        """Whether more is due than can be had, and whether anything was used of late."""
        uses = self._share_out({})
        if not uses:
            return False, False
        is_short, shares = self._settled(connection, uses)
        if shares != self._shares:
            has_shrunk = any(share < self._shares.get(key, 0) for key, share in shares.items())
            applied = self._share_out(shares)
            self._shares = shares
            if has_shrunk:
                # Now that less is used the others may have it. Who was short still is.
                uses = {
                    key: Use(each.quota, each.used, uses[key].wanted)
                    for key, each in applied.items()
                }
                self._settled(connection, uses)
        return is_short, any(each.used for each in uses.values())

    def leave(self, connection: Connection[Any]) -> None:
        """Give the shares back; what was used within the minute is held for its rest."""
        if not self._shares:
            return
        try:
            uses = self._share_out(dict.fromkeys(self._shares, 0))
        except TimeoutError:
            return  # the others find out when it is gone
        with connection.transaction():
            self._put(connection, {key: (0, each.used, 0) for key, each in uses.items()})
            _SQL.tell_others(connection)

    def _settled(
        self, connection: Connection[Any], uses: Mapping[Key, Use]
    ) -> tuple[bool, dict[Key, int]]:
        """Whether more is due than can be had, and the shares to apply."""
        others: defaultdict[Key, list[Claim]] = defaultdict(list)
        shares: dict[Key, int] = {}
        rows: dict[Key, tuple[int, int, int]] = {}
        is_short = False
        with connection.transaction():
            _SQL.take_turn(connection)
            for row in _SQL.claims_of_others(connection, process=self._process, gone_s=GONE_S):
                claim = Claim(row["process"], row["held"], row["wanted"])
                others[row["source"], row["key_name"]].append(claim)
            for key, use in uses.items():
                share, fair = next_share(self._process, use, others[key])
                known = self._shares.get(key)
                if known is not None and share > known and monotonic() < self._grows_at:
                    share = known
                shares[key] = share
                is_short = is_short or share < fair
                # One that shrinks is held until the process goes by it.
                written = share if known is None else max(share, known)
                rows[key] = written, max(written, use.used), use.wanted
            self._put(connection, rows)
            _SQL.forget_gone(connection, gone_s=GONE_S)
            if is_short and monotonic() >= self._told_at + BUSY_S:
                self._told_at = monotonic()
                _SQL.tell_others(connection)
        return is_short, shares

    def _put(self, connection: Connection[Any], rows: Mapping[Key, tuple[int, int, int]]) -> None:
        keys = sorted(rows)
        _SQL.put_shares(
            connection,
            process=self._process,
            sources=[source for source, _ in keys],
            key_names=[name for _, name in keys],
            shares=[rows[key][0] for key in keys],
            helds=[rows[key][1] for key in keys],
            wanteds=[rows[key][2] for key in keys],
        )
