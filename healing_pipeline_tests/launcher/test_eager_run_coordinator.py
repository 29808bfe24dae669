"""`EagerRunCoordinator`: at once what the limits allow, and the rest to the queue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import RunsFilter
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from warm_project import Home, Project

pytestmark = pytest.mark.processes

LIMITED = {
    "run_coordinator": {
        "module": "healing_pipeline.launcher",
        "class": "EagerRunCoordinator",
        "config": {"asset_tags": ["lane"]},
    },
    "concurrency": {
        "runs": {
            "max_concurrent_runs": 3,
            "tag_concurrency_limits": [
                {"key": "endpoint", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
            ],
        }
    },
}


@pytest.fixture
def limited(warm_project: Project) -> Iterator[Home]:
    with warm_project.home("limited", LIMITED) as home:
        # Other tests of this worker leave runs in the storage that never end; a limit counts them.
        for run in home.instance.get_runs(RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
            home.instance.delete_run(run.run_id)
        yield home


@pytest.fixture(scope="module")
def queueing(warm_project: Project) -> Iterator[Home]:
    """Launches nothing."""
    nothing = {**LIMITED, "concurrency": {"runs": {"max_concurrent_runs": 0}}}
    with warm_project.home("queueing", nothing) as home:
        yield home


def test_a_run_is_launched_at_once_unless_a_limit_is_reached(limited: Home) -> None:
    first = limited.submit("waiting", {"endpoint": "a"})
    limited.started(first)
    same = limited.submit("waiting", {"endpoint": "a"})
    other = limited.submit("waiting", {"endpoint": "b"})
    limited.started(other)
    assert limited.status(same) == "QUEUED"

    third = limited.submit("waiting")
    limited.started(third)
    one_too_many = limited.submit("waiting")
    assert limited.status(one_too_many) == "QUEUED"

    for each in (first, other, third):
        limited.project.go(each)
        assert limited.ended(each) == "SUCCESS"
    assert limited.status(same) == "QUEUED", "that is the daemon's to launch"
    assert limited.project.begun(same) == 0

    again = limited.submit("quick", {"endpoint": "a"})
    assert limited.ended(again) == "SUCCESS"
    limited.instance.delete_run(same)
    limited.instance.delete_run(one_too_many)


@pytest.mark.parametrize(
    ("assets", "said", "lane"),
    [
        (("heavy",), {}, "slow"),
        (("heavy", "heavier"), {}, "slow"),
        (("heavy", "light"), {}, None),
        (("light",), {}, None),
        (("heavy",), {"lane": "quick"}, "quick"),
        ((), {}, None),
    ],
    ids=["one", "all alike", "not all", "none has it", "the run has its own", "no assets"],
)
def test_a_run_takes_over_the_tags_in_which_its_assets_agree(
    queueing: Home, assets: tuple[str, ...], said: dict[str, str], lane: str | None
) -> None:
    run_id = queueing.submit("quick", said, *assets)
    run = queueing.instance.get_run_by_id(run_id)
    assert run is not None
    assert (queueing.status(run_id), run.tags.get("lane")) == ("QUEUED", lane)
    queueing.instance.delete_run(run_id)
