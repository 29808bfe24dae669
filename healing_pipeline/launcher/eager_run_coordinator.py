"""`EagerRunCoordinator`: a queue that a run passes by when nothing is in its way.

Dagster's `QueuedRunCoordinator` holds limits, and lets every run wait for the daemon's next look at
the queue, a second at best; its `DefaultRunCoordinator` launches at once, and holds no limit. This
one launches at once what the limits allow, and queues the rest for the daemon. It also gives a run
tags of the assets that it makes, for launchers that go by them: a job's tags are its runs' tags,
but a run that the page or a backfill starts for assets has no job with tags.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from dagster import Array, DagsterRun, DagsterRunStatus, Field, RunsFilter
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._serdes import ConfigurableClassData
from dagster._utils.tags import TagConcurrencyLimitsCounter


class EagerRunCoordinator(QueuedRunCoordinator):
    """Launches a submitted run at once, or queues it when a limit is reached.

    Configured as `QueuedRunCoordinator` is, and by what follows.

    Parameters
    ----------
    asset_tags : sequence of str
        Keys of tags that a run takes over from its assets, where it has none of that key and they
        all have the same.

    Notes
    -----
    Limits are those of ``concurrency.runs``. They are looked at under a lock of this process: two
    processes that submit in the same moment, daemon and web server, can pass a limit by one. Runs
    whose ops are in pools are always queued. A run that may go is not held back by others that wait
    for their limit.
    """

    def __init__(self, *, asset_tags: Sequence[str] = (), **others: Any) -> None:
        super().__init__(**others)
        self._asset_tags = tuple(asset_tags)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What `QueuedRunCoordinator` may be told, and whose tags a run takes over."""
        others = QueuedRunCoordinator.config_type()
        assert isinstance(others, dict), "it lists its fields"
        return {**others, "asset_tags": Field(Array(str), is_required=False, default_value=[])}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> EagerRunCoordinator:
        """Build the coordinator from dagster.yaml's block."""
        return cls(inst_data=inst_data, **config_value)

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Launch or queue a run; the run as it is then."""
        if context.dagster_run.status != DagsterRunStatus.NOT_STARTED:
            return super().submit_run(context)
        context = self._with_tags_of_assets(context)
        run = context.dagster_run
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

    def _with_tags_of_assets(self, context: SubmitRunContext) -> SubmitRunContext:
        run = context.dagster_run
        wanted = [key for key in self._asset_tags if key not in run.tags]
        if not wanted or not run.asset_selection:
            return context
        graph = context.workspace.asset_graph
        made = [graph.get(each).tags for each in run.asset_selection if graph.has(each)]
        values = {key: {tags.get(key, "") for tags in made} for key in wanted}
        taken = {key: one.pop() for key, one in values.items() if len(one) == 1 and "" not in one}
        if not taken:
            return context
        self._instance.add_run_tags(run.run_id, taken)
        return context._replace(dagster_run=self._instance.get_run_by_id(run.run_id) or run)

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
