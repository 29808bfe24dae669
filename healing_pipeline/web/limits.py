"""How much one client may ask, and how often it may be wrong about the token.

Only so many clients are remembered. Whoever was not heard of for longest is forgotten first, and
begins anew: that is no gain to anybody who asks a lot.
"""

from __future__ import annotations

MOST_CLIENTS = 10_000
# Wrong tokens: so many at once, for the misconfigured; then one in so many seconds.
WRONG_AT_ONCE = 20
WRONG_EVERY_S = 5.0
# Whoever was let in so shortly ago is not kept out by what others at its address try.
TRUSTED_FOR_S = 600.0


class Buckets:
    """A token bucket for each client.

    Parameters
    ----------
    per_s : float
        How fast a bucket fills.
    burst : float
        How much it holds; it is full at first.
    most : int
        Clients that are remembered.
    """

    def __init__(self, per_s: float, burst: float, most: int = MOST_CLIENTS) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most = most
        self._held: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, client: str, now: float) -> float:
        """Take one out; the seconds to wait when there is none, else 0."""
        held = self._level(client, now)
        if held < 1.0:
            self._keep(client, held, now)
            return (1.0 - held) / self._per_s
        self._keep(client, held - 1.0, now)
        return 0.0

    def wait(self, client: str, now: float) -> float:
        """The seconds until one can be taken, 0 when it can; takes nothing."""
        return max(0.0, (1.0 - self._level(client, now)) / self._per_s)

    def _level(self, client: str, now: float) -> float:
        held, at = self._held.get(client, (self._burst, now))
        return min(self._burst, held + max(0.0, now - at) * self._per_s)

    def _keep(self, client: str, held: float, now: float) -> None:
        # Taken out and put back, so that the first is whoever was not heard of for longest.
        self._held.pop(client, None)
        if len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        self._held[client] = (held, now)


class Attempts:
    """Makes guessing a token slow: after some wrong ones a client's are not even looked at.

    Notes
    -----
    Not for whoever was let in within the last minutes. A reader and a guesser at one address (of a
    proxy that the configuration does not name) are one client; the reader is not to pay for it.
    """

    def __init__(self, most: int = MOST_CLIENTS) -> None:
        self._wrong = Buckets(1.0 / WRONG_EVERY_S, WRONG_AT_ONCE, most)
        self._most = most
        self._let_in: dict[str, float] = {}

    def wait(self, client: str, now: float) -> float:
        """The seconds until this client's token is looked at again, 0 when it is now."""
        wait_s = self._wrong.wait(client, now)
        if wait_s and now - self._let_in.get(client, -TRUSTED_FOR_S) < TRUSTED_FOR_S:
            return 0.0
        return wait_s

    def was_let_in(self, client: str, now: float) -> None:
        """Note that it brought a token that is one."""
        self._let_in.pop(client, None)
        if len(self._let_in) >= self._most:
            del self._let_in[next(iter(self._let_in))]
        self._let_in[client] = now

    def was_wrong(self, client: str, now: float) -> None:
        """Note that it did not."""
        self._wrong.take(client, now)
