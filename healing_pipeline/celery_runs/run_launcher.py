"""`WatchedCeleryRunLauncher`: Dagster's runs as Celery's tasks, and a worker's death is noticed.

Ours because `dagster-celery`'s launcher goes by Celery's results alone. To them a run whose worker
was killed is under way for ever, so that its slot is free only after the longest time a run may
take; a run whose result was lost with the broker's memory is failed while it goes on; and one that
is cancelled on the page is recorded as failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from celery.backends.base import DisabledBackend
from celery.states import FAILURE, REVOKED, STARTED, SUCCESS
from dagster import Array, DagsterRun, Field, StringSource
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from healing_pipeline.celery_runs.settings import SETTINGS
from healing_pipeline.celery_runs.workers import Place, Workers, active_by_control

if TYPE_CHECKING:
    from celery import Celery

# Two turns of run monitoring and some: a machine may be busy for the length of one.
SILENT_S = 15.0


class WatchedCeleryRunLauncher(CeleryRunLauncher):
    """Launches runs as `CeleryRunLauncher` does; run monitoring learns from it of lost ones.

    Parameters
    ----------
    code : str
        The definitions that a worker loads before it takes runs, ``module:attribute``; empty for
        none.
    warm_up : sequence of str
        Callables, ``module:function``, that each process of a worker calls before its first run.
    silent_s : float
        A worker that does not answer for so long is taken for dead.
    config_source : mapping, optional
        Celery's settings, laid over those of `settings.SETTINGS`.
    others
        Those of `CeleryRunLauncher`.
    """

    def __init__(
        self,
        *,
        code: str = "",
        warm_up: Sequence[str] = (),
        silent_s: float = SILENT_S,
        config_source: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(config_source={**SETTINGS, **(config_source or {})}, **others)
        self.code = code
        self.warm_up = tuple(warm_up)
        self._workers = Workers(lambda: active_by_control(self.celery), silent_s)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What dagster.yaml may say."""
        others = CeleryRunLauncher.config_type()
        assert isinstance(others, dict), "it lists its fields"
        return {
            **others,
            "code": Field(StringSource, is_required=False, default_value=""),
            "warm_up": Field(Array(str), is_required=False, default_value=[]),
            "silent_s": Field(float, is_required=False, default_value=SILENT_S),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]
    ) -> WatchedCeleryRunLauncher:
        """Build the launcher from dagster.yaml's block."""
        return cls(inst_data=inst_data, **config_value)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether a run that has begun still has a process.

        A broker or a backend that cannot be asked raises: that says nothing about the run.
        """
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its task is not noted yet")
        state, worker = self._told(task_id)
        if state in {FAILURE, REVOKED}:
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its task ended: {state}")
        if state == SUCCESS:
            # Monitoring reads the run again before it believes this.
            return CheckRunHealthResult(
                WorkerStatus.NOT_FOUND, "its task is over, and the run did not say how it ended"
            )
        found = self._workers.find(task_id, worker)
        status = WorkerStatus.NOT_FOUND if found.place is Place.LOST else WorkerStatus.RUNNING
        return CheckRunHealthResult(status, found.because, run_worker_id=worker)

    def get_run_worker_debug_info(
        self,
        run: DagsterRun,
        include_container_logs: bool | None = True,  # noqa: ARG002 (Dagster's signature)
    ) -> str | None:
        """What is known of a run's task, for the log of a run that is failed."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return "It has no task."
        state, worker = self._told(task_id)
        return f"Its task is {task_id}, {state or 'unknown'} at {worker or 'no known worker'}."

    def terminate(self, run_id: str) -> bool:
        """Ask a run's process to end; False where there is nothing to end."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        # So that its end is taken for what it is.
        self._instance.report_run_canceling(run)
        return bool(super().terminate(run_id))

    def _told(self, task_id: str) -> tuple[str | None, str | None]:
        """What the backend says of a task, and which worker began it; None where it has no word."""
        if isinstance(self.celery.backend, DisabledBackend):
            return None, None
        result = self.celery.AsyncResult(task_id)
        state = str(result.state)
        if state != STARTED:
            return state, None
        info = result.info
        return state, info.get("hostname") if isinstance(info, dict) else None

    def worker_app(self) -> Celery:
        """The app that a worker runs: the launcher's own, with the tasks of runs."""
        from dagster_celery.tasks import create_execute_job_task, create_resume_job_task

        create_execute_job_task(self.celery)
        create_resume_job_task(self.celery)
        return self.celery
