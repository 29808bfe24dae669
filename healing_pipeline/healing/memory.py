"""What the data path knows between requests: last good data, routes of incidents, the policy.

All live in the process, so that readers are served when everything else is down; what changes them
from outside (a heal run's route, a snapshot loaded at start, a policy) is put in by the edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.bounded import MOST_BYTES, Bounded
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategy import MOST_AHEAD, Snapshot
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.probing.failure_class import FailureClass

# Enough to tell all policies of an installation apart, short enough to stand beside each decision.
FINGERPRINT_LENGTH = 12

# Twice what the largest catalogs ask.
MOST_SNAPSHOTS = 20_000


@dataclass(frozen=True, slots=True)
class Route:
    """What an incident left behind for the next reader: the remedy that worked.

    Attributes
    ----------
    failure_class : FailureClass
        What the primary fails with.
    """

    endpoint: str
    strategy: str
    fidelity: Fidelity
    failure_class: FailureClass
    incident_id: int
    params: Mapping[str, object] = field(default_factory=dict)


class RouteTable:
    """The active routes, by endpoint."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes = {route.endpoint: route for route in routes}

    def get(self, endpoint_id: str) -> Route | None:
        """The route of an endpoint, if an incident left one."""
        return self._routes.get(endpoint_id)

    def put(self, route: Route) -> None:
        """Let a route begin, in place of the endpoint's old one."""
        self._routes[route.endpoint] = route

    def withdraw(self, endpoint_id: str) -> None:
        """Send readers back to the primary."""
        self._routes.pop(endpoint_id, None)

    def replace_all(self, routes: Iterable[Route]) -> None:
        """Take over the table as it stands elsewhere."""
        self._routes = {route.endpoint: route for route in routes}


class PolicyInForce:
    """The policy that plans go by, replaced as a whole when another one is published.

    Attributes
    ----------
    policy : Policy
    fingerprint : str or None
        How its fingerprint begins; None for the empty one.
    """

    __slots__ = ("fingerprint", "policy")

    def __init__(self, policy: Policy = EMPTY) -> None:
        self.put(policy)

    def put(self, policy: Policy) -> None:
        """Go by `policy` from the next plan on."""
        self.fingerprint = None if policy == EMPTY else policy.fingerprint[:FINGERPRINT_LENGTH]
        self.policy = policy


class SnapshotMemory:
    """The newest good data of every question.

    Notes
    -----
    Holds one snapshot per (endpoint, parameters); the catalog bounds the first, `most` and
    `most_bytes` the whole: past them the question that was stored longest ago is forgotten, a
    reader's own window before an endpoint's question.
    """

    def __init__(self, most: int = MOST_SNAPSHOTS, most_bytes: int = MOST_BYTES) -> None:
        self._snapshots = Bounded[Snapshot](most, lambda each: len(each.body), most_bytes)
        self._told_at: dict[tuple[str, str], float] = {}

    def get(self, endpoint_id: str, request_key: str) -> Snapshot | None:
        """The newest good data for a question."""
        return self._snapshots.get((endpoint_id, request_key))

    def put(
        self, endpoint_id: str, request_key: str, snapshot: Snapshot, now: datetime | None = None
    ) -> None:
        """Keep `snapshot`, unless a newer one is there.

        Parameters
        ----------
        now : datetime, optional
            Aware UTC. One that is known from a later moment is from before the clock was set back,
            and no newer.
        """
        key = (endpoint_id, request_key)
        known = self._snapshots.get(key)
        if known is not None and known.fetched_at > snapshot.fetched_at:
            is_of_its_time = now is None or known.fetched_at <= now + MOST_AHEAD
            snapshot = known if is_of_its_time else snapshot
        for forgotten in self._snapshots.put(key, snapshot):
            self._told_at.pop(forgotten, None)

    def set_back(self, by: timedelta) -> None:
        """Go by a clock that was set back: all that is remembered is so much earlier by it.

        Without this, data would look younger than it is, by as much.
        """
        self._snapshots.change(lambda each: replace(each, fetched_at=each.fetched_at - by))

    def take_turn_to_tell(
        self, endpoint_id: str, request_key: str, now: float, every_s: float
    ) -> bool:
        """Whether the newest data is due to be stored elsewhere too; the turn is taken by asking.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        every_s : float
            One turn per question and so many seconds.
        """
        key = (endpoint_id, request_key)
        told_at = self._told_at.get(key)
        if told_at is not None and now - told_at < every_s:
            return False
        self._told_at[key] = now
        return True

    def __len__(self) -> int:
        return len(self._snapshots)


def request_key(
    endpoint: Endpoint, params: Mapping[str, str] | None, path: str | None = None
) -> str:
    """One text per question to an endpoint; empty for the endpoint's own path and parameters."""
    asked = {**endpoint.params, **(params or {})}
    same_path = path is None or path == endpoint.path
    if same_path and asked == dict(endpoint.params):
        return ""
    return ("" if same_path else f"{path}?") + urlencode(sorted(asked.items()))
