"""The control API: JSON over the control port, for drills, tests and people."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import timedelta

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.simulator.connection import Received
from healing_pipeline.simulator.faults import Fault
from healing_pipeline.simulator.outcome import Outcome
from healing_pipeline.simulator.scenario import fault_from_json, fault_to_json
from healing_pipeline.simulator.simulation import Simulation
from healing_pipeline.simulator.upstreams.contract import json_answer, whole_number

MOST_LOGGED = 20_000


class ControlApi:
    """Answers requests to the control port.

    Parameters
    ----------
    simulation : Simulation
    stop : callable
        Ends the process soon after the answer.
    """

    def __init__(self, simulation: Simulation, stop: Callable[[], None]) -> None:
        self._simulation = simulation
        self._stop = stop
        self._routes: dict[tuple[str, str], Callable[[Received], Outcome]] = {
            ("GET", "/control/health"): self._health,
            ("POST", "/control/start"): self._start,
            ("GET", "/control/now"): self._now,
            ("GET", "/control/faults"): self._faults,
            ("POST", "/control/faults"): self._add,
            ("DELETE", "/control/faults"): self._clear,
            ("GET", "/control/log"): self._log,
            ("POST", "/control/stop"): self._end,
        }

    def respond(self, received: Received) -> Outcome:
        """Answer one request; an unknown one gets the list of those there are."""
        route = self._routes.get((received.method, received.path))
        if route is None:
            known = [" ".join(each) for each in self._routes]
            return _said({"error": "no such request", "requests": known}, 404)
        return route(received)

    def _health(self, received: Received) -> Outcome:
        del received
        simulation = self._simulation
        return _said(
            {
                "ok": True,
                "pid": os.getpid(),
                "seed": simulation.seed,
                "served": simulation.log.count,
            }
        )

    def _start(self, received: Received) -> Outcome:
        self._simulation.start()
        return self._now(received)

    def _now(self, received: Received) -> Outcome:
        del received
        simulation = self._simulation
        return _said({"now": simulation.now.isoformat(), "at_s": simulation.at_s})

    def _faults(self, received: Received) -> Outcome:
        del received
        simulation, at_s = self._simulation, self._simulation.at_s
        planned = [self._described(each, at_s) for each in simulation.planned.faults]
        added = [self._described(each, simulation.uptime_s) for each in simulation.added.faults]
        return _said({"faults": planned + added})

    def _add(self, received: Received) -> Outcome:
        try:
            fault = fault_from_json(json.loads(received.body), self._simulation.next_index())
        except ValueError as exc:
            return _said({"error": f"the body is no JSON: {exc}"}, 400)
        except ConfigurationError as exc:
            return _said({"error": str(exc)}, 400)
        added = self._simulation.add(fault)
        return _said(self._described(added, self._simulation.uptime_s), 201)

    def _clear(self, received: Received) -> Outcome:
        del received
        return _said({"cleared": self._simulation.clear()})

    def _log(self, received: Received) -> Outcome:
        log = self._simulation.log
        since = whole_number(received.params.get("since", "0"))
        limit = whole_number(received.params.get("limit", str(MOST_LOGGED)))
        if since is None or limit is None:
            return _said({"error": "`since` and `limit` are whole numbers"}, 400)
        return _said({"count": log.count, "requests": log.since(since, min(limit, MOST_LOGGED))})

    def _end(self, received: Received) -> Outcome:
        del received
        self._stop()
        return _said({"stopping": True})

    def _described(self, fault: Fault, clock_s: float | None) -> dict[str, object]:
        """A fault with its id and its absolute times; they are null while the clock stands."""
        said: dict[str, object] = {"id": fault.index, **fault_to_json(fault)}
        began_s = None if clock_s is None else fault.began_at_s(clock_s)
        said["active"] = began_s is not None
        if clock_s is None:
            return {**said, "begins_at": None, "ends_at": None}
        begin_s = fault.at_s if began_s is None else began_s
        begins = self._simulation.now + timedelta(seconds=begin_s - clock_s)
        said["begins_at"] = begins.isoformat()
        ends = None if math.isinf(fault.for_s) else begins + timedelta(seconds=fault.for_s)
        said["ends_at"] = None if ends is None else ends.isoformat()
        return said


def _said(value: object, status: int = 200) -> Outcome:
    return Outcome(json_answer(status, value))
