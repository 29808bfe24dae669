"""`EagerRunCoordinator`: a queue that a run passes by when nothing is in its way.

Dagster's `QueuedRunCoordinator` holds limits, and lets every run wait for the daemon's next look at
the queue, a second at best; its `DefaultRunCoordinator` launches at once, and holds no limit. This
one launches at once what the limits allow, and queues the rest for the daemon.
"""

from __future__ import annotations

import threading

from dagster import DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._utils.tags import TagConcurrencyLimitsCounter


class EagerRunCoordinator(QueuedRunCoordinator):
    """Launches a submitted run at once, or queues it when a limit is reached.

    Configured as `QueuedRunCoordinator` is.

    Notes
    -----
    Limits are those of ``concurrency.runs``. They are looked at under a lock of this process: two
    processes that submit in the same moment, daemon and web server, can pass a limit by one. Runs
    whose ops are in pools are always queued. A run that may go is not held back by others that wait
    for their limit.
    """

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Launch or queue a run; the run as it is then."""
        run = context.dagster_run
        if run.status != DagsterRunStatus.NOT_STARTED:
            return super().submit_run(context)
        with _one_at_a_time:
            if not self._may_go(run):
                return super().submit_run(context)
            # Not active in the storage yet, and to be counted by the next one all the same.
            _launching[run.run_id] = run
        try:
            self._instance.launch_run(run.run_id, context.workspace)
        finally:
            with _one_at_a_time:
                del _launching[run.run_id]
        return self._instance.get_run_by_id(run.run_id) or run

    def _may_go(self, run: DagsterRun) -> bool:
        if run.run_op_concurrency is not None:
            return False
        limits = self._instance.get_concurrency_config().run_queue_config
        if limits is None:
            return False
        stored = self._instance.get_runs(RunsFilter(statuses=ACTIVE_RUN_STATUSES))
        active = list({**_launching, **{each.run_id: each for each in stored}}.values())
        if 0 <= limits.max_concurrent_runs <= len(active):
            return False
        counter = TagConcurrencyLimitsCounter(list(limits.tag_concurrency_limits), active)
        return not counter.is_blocked(run)


_one_at_a_time = threading.Lock()
_launching: dict[str, DagsterRun] = {}
