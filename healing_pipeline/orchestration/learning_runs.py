"""Learning asked for by hand: runs in this process, recorded in the installation's Dagster.

What is materialised here shows on Dagster's page like any other run, whether `healing up` runs or
not.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg

from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.orchestration.learning_assets import RELEASE_TAG
from healing_pipeline.orchestration.partitions import (
    DAY_FORMAT,
    Span,
    range_of,
    range_tags,
)
from healing_pipeline.storage.database import (
    DAGSTER_URL_VARIABLE,
    OWNER_URL_VARIABLE,
    URL_VARIABLE,
    DatabaseAddress,
)

HOME_VARIABLE = "DAGSTER_HOME"
BATCH_VARIABLE = "DAGSTER_EVENT_BATCH_SIZE"

# Larger ones are no faster, and a broken off run keeps what was stored.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """One run that ended well.

    Attributes
    ----------
    metadata : Mapping[str, Any]
        Of its last materialisation.
    """

    run_id: str
    asset: str
    metadata: Mapping[str, Any]


@contextmanager
def installation_instance(
    environ: Mapping[str, str], folder: Path, address: DatabaseAddress
) -> Iterator[dg.DagsterInstance]:
    """The Dagster of this installation: where ``DAGSTER_HOME`` is, or in the project's folder.

    Raises
    ------
    ConfigurationError
        If there is no dagster.yaml.
    """
    home = Path(environ.get(HOME_VARIABLE) or folder)
    if not (home / "dagster.yaml").exists():
        raise ConfigurationError(
            f"There is no dagster.yaml in {home}.",
            f"Run `healing learn` in the project's folder, or set {HOME_VARIABLE} to it.",
        )
    ours = {
        # As long as this runs, whoever looks finds the same server.
        URL_VARIABLE: address.url,
        OWNER_URL_VARIABLE: address.owner_url,
        DAGSTER_URL_VARIABLE: address.dagster_url,
        BATCH_VARIABLE: str(BATCH),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        with warnings.catch_warnings(), dg.DagsterInstance.from_config(str(home)) as instance:
            # Told to whoever writes definitions, not to whoever runs a command.
            warnings.simplefilter("ignore", dg.BetaWarning)
            yield instance
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def fold_span(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    span: Span,
    recorded: Callable[[], None] = lambda: None,
) -> Run:
    """Materialise `inner_knowledge` for a span in one run; `recorded` hears of each partition."""
    return _run(definitions, instance, "inner_knowledge", range_tags(range_of(span)), recorded)


def sum_days(
    definitions: dg.Definitions, instance: dg.DagsterInstance, first: datetime, last: datetime
) -> Run:
    """Materialise `outer_knowledge` from one day to another, both included, in one run."""
    keys = dg.PartitionKeyRange(first.strftime(DAY_FORMAT), last.strftime(DAY_FORMAT))
    return _run(definitions, instance, "outer_knowledge", range_tags(keys))


def make_policy(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Run:
    """Materialise `policy`, even where people had gone back to an earlier one."""
    return _run(definitions, instance, "policy", {RELEASE_TAG: "true"})


def _run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    asset: str,
    tags: Mapping[str, str],
    recorded: Callable[[], None] = lambda: None,
) -> Run:
    run_id = str(uuid4())

    def heard(entry: dg.EventLogEntry) -> None:
        if (
            entry.is_dagster_event
            and entry.dagster_event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
        ):
            recorded()

    instance.add_event_listener(run_id, heard)
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[dg.AssetKey(asset)],
        instance=instance,
        run_id=run_id,
        tags={**tags, "healing/asked_by": "healing learn"},
        # What goes wrong is told by the command; the rest is in the run's log.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    errors = _errors(result)
    if any(each.cls_name == dg.DagsterExecutionInterruptedError.__name__ for each in errors):
        raise KeyboardInterrupt
    if not result.success:
        raise HealingPipelineError(
            f"The run of {asset} failed: {_why(errors)} Dagster's page has its log: run {run_id}."
        )
    events = result.asset_materializations_for_node(asset)
    metadata = {name: value.value for name, value in events[-1].metadata.items()} if events else {}
    return Run(run_id, asset, metadata)


def _errors(result: dg.ExecuteInProcessResult) -> list[Any]:
    failures = [each.step_failure_data for each in result.all_events if each.is_step_failure]
    return [each.error for each in failures if each.error is not None]


def _why(errors: Sequence[Any]) -> str:
    for error in errors:
        return " ".join((error.cause or error).message.split())
    return "it did not say why."
