"""`WarmRunLauncher`: Dagster runs in forks of processes that have loaded everything already.

Ours because Dagster's own launchers start an interpreter for each run (`DefaultRunLauncher`), or
need a service beside it (`dagster-celery` with a broker). It is a part on its own: nothing in this
package knows what the runs are for.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dagster import Array, DagsterRun, DefaultRunLauncher, Field, IntSource, StringSource
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._serdes import ConfigurableClassData, serialize_value

from healing_pipeline.launcher.client import Warm
from healing_pipeline.launcher.folder import usable_folder
from healing_pipeline.launcher.hold import WarmUnavailableError
from healing_pipeline.launcher.process_identity import identity_of
from healing_pipeline.launcher.settings import Settings

FOLDER_VARIABLE = "DAGSTER_WARM_LAUNCHER_DIR"
"""Overrides where zygote, sockets and claims are, whatever dagster.yaml says."""

# Where a process may be forked whole: elsewhere there is no fork, or it loses what it needs.
FORKING = ("linux", "darwin")

# A zygote may have to be started for it.
SEEN_OUT_WITHIN_S = 10.0

LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})


class WarmRunLauncher(DefaultRunLauncher):
    """Launches runs from processes that wait for them, else as `DefaultRunLauncher` does.

    Parameters
    ----------
    settings : Settings or None
        None where nothing can be forked: every run is then the default launcher's.
    patience_s : float
        From the launch of a run until the default launcher gets it.
    inst_data : ConfigurableClassData, optional
        Dagster's.

    Notes
    -----
    A run is begun once: by the process that claims it, or by the default launcher after it was
    claimed for that. A run's environment is that of the process that started the zygote, usually
    the daemon; code servers in another interpreter, container or host are the default launcher's.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        patience_s: float = 2.0,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(inst_data)
        self._settings = settings
        self._patience_s = patience_s
        self._warm: Warm | None = None
        self._ref: str | None = None

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """What dagster.yaml may say; see `Settings` for each."""
        return {
            "folder": Field(StringSource, is_required=False),
            "preload": Field(Array(str), is_required=False, default_value=[]),
            "warm_up": Field(Array(str), is_required=False, default_value=[]),
            "prewarmed": Field(IntSource, is_required=False, default_value=2),
            "most_templates": Field(IntSource, is_required=False, default_value=4),
            "patience_s": Field(float, is_required=False, default_value=2.0),
            "grace_s": Field(float, is_required=False, default_value=15.0),
            "linger_s": Field(float, is_required=False, default_value=5.0),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WarmRunLauncher:
        """Build the launcher from dagster.yaml's block."""
        values = dict(config_value)
        patience_s = float(values.pop("patience_s"))
        folder = os.environ.get(FOLDER_VARIABLE) or values.pop("folder", "")
        values.pop("folder", None)
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        can_fork = sys.platform in FORKING and hasattr(os, "fork")
        settings = Settings(folder=folder, **values) if can_fork else None
        return cls(settings, patience_s, inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Begin a run: warm if that is possible within the patience, else by the default launcher.

        Why it was not warm is said in the run's log.
        """
        run = context.dagster_run
        why_not = self._why_not_here(run)
        if why_not is None:
            try:
                self._processes().launch(
                    run.run_id, _origin(run), self._instance_ref(), self._patience_s
                )
                self._run_ids.add(run.run_id)
                return
            except WarmUnavailableError as error:
                why_not = str(error)
        if why_not:
            self._instance.report_engine_event(
                f"No warm process ({why_not}); the default launcher begins the run.",
                run,
                cls=self.__class__,
            )
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Ask a run's process to end, and have it killed when it has not within the grace."""
        if not self.has_instance:
            return False
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        process = None if self._settings is None else self._processes().claimed_by(run_id)
        if process is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        told = process.signal(signal.SIGTERM)
        try:
            self._processes().see_out(run_id, process, self._instance_ref(), SEEN_OUT_WITHIN_S)
        except WarmUnavailableError as error:
            self._instance.report_engine_event(
                f"Nobody will kill the run's process should it not end: {error}",
                run,
                cls=self.__class__,
            )
        return told

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring fails a run whose process is gone."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process runs; a run that another launcher began is taken to."""
        if self._settings is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        process = self._processes().claimed_by(run.run_id)
        if process is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "no warm process has claimed the run")
        if process.is_alive():
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(process.pid))
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"the run's process {process.pid} is gone"
        )

    def dispose(self) -> None:
        """Let go of the zygote; without any launcher it ends when its runs have."""
        if self._warm is not None:
            self._warm.close()
        super().dispose()

    def ready(self, timeout_s: float) -> None:
        """Have a zygote.

        Raises
        ------
        WarmUnavailableError
            If there is none within `timeout_s`.
        """
        self._processes().ready(timeout_s)

    def prepare(self, code: RepositoryPythonOrigin, timeout_s: float) -> None:
        """Load a code location ahead of its first run.

        Raises
        ------
        WarmUnavailableError
            If that is not done within `timeout_s`.
        """
        self._processes().prepare(serialize_value(code), self._instance_ref(), timeout_s)

    def hold_for(self, pid: int, timeout_s: float) -> None:
        """Keep the warm processes for as long as a process lives, whoever launches.

        Raises
        ------
        WarmUnavailableError
            If there is no such process, or none can be started within `timeout_s`.
        """
        process = identity_of(pid)
        if process is None:
            raise WarmUnavailableError(f"there is no process {pid} to hold them for")
        self._processes().hold_for(process, timeout_s)

    @property
    def folder(self) -> Path | None:
        """Where the warm processes have their sockets and claims; None where nothing is forked."""
        if self._settings is None:
            return None
        given = self._settings.folder
        if not given:
            given = str(Path(self._instance.storage_directory()).parent / "warm_launcher")
        return usable_folder(Path(given))

    def _processes(self) -> Warm:
        if self._settings is None:
            raise WarmUnavailableError(f"no process can be forked whole on {sys.platform}")
        if self._warm is None:
            self._warm = Warm(replace(self._settings, folder=str(self.folder)))
        return self._warm

    def _instance_ref(self) -> str:
        if self._ref is None:
            self._ref = serialize_value(self._instance.get_ref())
        return self._ref

    def _why_not_here(self, run: DagsterRun) -> str | None:
        """Why a run cannot be forked on this machine; empty when that is not worth a word."""
        if self._settings is None:
            return ""
        code = run.job_code_origin
        if code is None:
            return "the run does not say where its code is"
        repository = code.repository_origin
        if repository.container_image or repository.executable_path != sys.executable:
            return f"its code belongs to {repository.container_image or repository.executable_path}"
        remote = run.remote_job_origin
        location = remote.repository_origin.code_location_origin if remote is not None else None
        if isinstance(location, GrpcServerCodeLocationOrigin):
            host = location.host or ""
            if host not in LOCAL and host != socket.gethostname():
                return f"its code server is on {host}"
        return None


def _origin(run: DagsterRun) -> str:
    assert run.job_code_origin is not None, "`_why_not_here` has looked"
    return serialize_value(run.job_code_origin.repository_origin)
