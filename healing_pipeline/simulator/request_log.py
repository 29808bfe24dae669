"""What the simulated upstreams were asked and what they did: the newest half million requests."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice

CAPACITY = 500_000


@dataclass(frozen=True, slots=True)
class Served:
    """One request and its fate; holds no secret.

    Attributes
    ----------
    n : int
        Its number, from 1, over all sources.
    request_id : str or None
        The caller's ``x-request-id``.
    at_s : float or None
        On the clock of faults; None before it was started.
    now : str
        Simulated moment, ISO.
    source, host : str
    key : str or None
        Name of the key; None when none or an unknown one was given.
    path : str
    params : Mapping[str, str]
    fault : int or None
        Id of the fault it met.
    fault_kind : str or None
    status : int or None
        None when no status line was sent.
    """

    n: int
    request_id: str | None
    at_s: float | None
    now: str
    source: str
    host: str
    key: str | None
    path: str
    params: Mapping[str, str]
    fault: int | None
    fault_kind: str | None
    status: int | None


class RequestLog:
    """A bounded ring of `Served`, numbered from 1 without gaps."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._served: deque[Served] = deque(maxlen=capacity)
        self.count = 0

    def next_number(self) -> int:
        """The number of the request that is about to be logged."""
        return self.count + 1

    def append(self, served: Served) -> None:
        """Keep one, and forget the oldest when full."""
        self.count = served.n
        self._served.append(served)

    def since(self, number: int, limit: int) -> list[dict[str, object]]:
        """The first `limit` kept requests whose number is over `number`, as JSON values."""
        forgotten = self.count - len(self._served)
        skip = max(0, number - forgotten)
        return [asdict(each) for each in islice(self._served, skip, skip + limit)]
