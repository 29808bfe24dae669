"""Processes killed and stopped at the worst moments: no run is lost, begun twice, or left over."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from warm_project import (
    Home,
    Project,
    another_launcher,
    environment,
    go,
    has_launched,
    kill,
    stopped,
    until,
    write_workspace,
)

from healing_pipeline.launcher.processes import stop

pytestmark = pytest.mark.processes


def ends_well(home: Home, run_id: str) -> None:
    """A run that succeeded and was begun once."""
    assert home.ended(run_id) == "SUCCESS"
    assert home.starts(run_id) == home.project.begun(run_id) == 1


def test_runs_survive_their_zygote_and_the_next_is_warm_again(steady: Home) -> None:
    run_id = steady.launch("waiting")
    steady.started(run_id)
    zygote = steady.zygote()
    kill(zygote)
    following = steady.launch("quick")
    ends_well(steady, following)
    assert steady.was_warm(following)
    assert steady.zygote() != zygote
    steady.project.go(run_id)
    ends_well(steady, run_id)


def test_runs_survive_their_template_and_the_next_is_warm_again(steady: Home) -> None:
    run_id = steady.launch("waiting")
    steady.started(run_id)
    kill(steady.template())
    following = steady.launch("quick")
    ends_well(steady, following)
    assert steady.was_warm(following)
    steady.project.go(run_id)
    ends_well(steady, run_id)


def test_a_launcher_has_a_dead_zygote_replaced_before_the_next_launch(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("healing_pipeline.launcher.hold.WORTH_ANOTHER_S", 0.0)
    home.ended(home.launch("quick"))
    zygote = home.zygote()
    home.prewarmed()
    kill(zygote)
    until(lambda: home.log().count(" listens at ") == 2, 20.0)
    assert home.prewarmed()
    run_id = home.launch("quick")
    ends_well(home, run_id)
    assert home.was_warm(run_id)


def test_run_monitoring_fails_a_run_whose_process_and_watchers_were_killed(steady: Home) -> None:
    run_id = steady.launch("waiting")
    process = steady.started(run_id)
    for each in (steady.zygote(), steady.template(), process.pid):
        kill(each)
    until(lambda: not process.is_alive(), 5.0)
    record = steady.instance.get_run_record_by_id(run_id)
    assert record is not None
    workspace = steady.project.workspace.create_request_context()
    monitor_started_run(steady.instance, workspace, record, logging.getLogger("monitor"))
    assert steady.status(run_id) == "FAILURE"
    assert f"the run's process {process.pid} is gone" in steady.told(run_id)


def test_run_monitoring_lets_a_run_alone_that_lost_all_but_itself(steady: Home) -> None:
    run_id = steady.launch("waiting")
    steady.started(run_id)
    for each in (steady.zygote(), steady.template()):
        kill(each)
    record = steady.instance.get_run_record_by_id(run_id)
    assert record is not None
    workspace = steady.project.workspace.create_request_context()
    monitor_started_run(steady.instance, workspace, record, logging.getLogger("monitor"))
    assert steady.status(run_id) == "STARTED"
    steady.project.go(run_id)
    ends_well(steady, run_id)


def test_runs_and_zygote_outlive_a_daemon_and_serve_the_next(warm_project: Project) -> None:
    with warm_project.home("daemon", linger_s=60.0) as home:
        command = [str(Path(sys.executable).with_name("dagster-daemon")), "run"]
        command += ["-w", str(write_workspace(home))]
        with (home.folder / "daemon.log").open("w") as log, ExitStack() as stack:

            def daemon() -> subprocess.Popen[bytes]:
                process = stack.enter_context(
                    subprocess.Popen(
                        command, env=environment(home), cwd=home.folder, stdout=log, stderr=log
                    )
                )
                stack.callback(process.kill)
                return process

            first = daemon()
            run_id = home.submit("waiting")
            home.started(run_id)
            zygote = home.zygote()
            first.kill()
            first.wait()
            daemon()
            following = home.submit("quick")
            ends_well(home, following)
            assert home.was_warm(following)
            assert home.zygote() == zygote
            home.project.go(run_id)
            ends_well(home, run_id)


def test_nothing_is_left_when_the_launchers_are_gone_but_runs_until_they_end(home: Home) -> None:
    run_id = home.create("waiting")
    with another_launcher(home, run_id) as launcher:
        go(launcher)
        has_launched(launcher)
        home.started(run_id)
        home.prewarmed()
        launcher.kill()
    # The run, and its template to tell its end.
    until(lambda: len(home.processes()) == 2, 10.0)
    home.project.go(run_id)
    ends_well(home, run_id)
    until(lambda: not home.processes(), 5.0)


def test_stop_ends_everything_even_a_run_that_ignores_it(home: Home) -> None:
    run_id = home.launch("stubborn")
    process = home.started(run_id)
    assert stop(home.warm, grace_s=0.5) >= 3
    assert not home.processes()
    assert not process.is_alive()
    time.sleep(1.0)
    assert not home.processes(), "a launcher that was told has started it again"


def test_two_launchers_at_the_same_moment_have_one_zygote_and_begin_no_run_twice(
    home: Home,
) -> None:
    shared, *run_ids = (home.create("quick") for _ in range(3))
    with (
        another_launcher(home, shared, run_ids[0]) as one,
        another_launcher(home, shared, run_ids[1]) as two,
    ):
        go(one)
        go(two)
        for each in (shared, *run_ids):
            ends_well(home, each)
            assert home.was_warm(each)
        has_launched(one)
        has_launched(two)
        time.sleep(0.5)
        ends_well(home, shared)
    assert home.log().count(" listens at ") == 1


@pytest.mark.parametrize("who", ["zygote", "template", "prewarmed"])
def test_a_process_that_hangs_gives_way_to_the_default_launcher_and_never_runs_it_later(
    warm_project: Project, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    # On a busy machine the default launcher alone may need longer for the first than it usually is.
    monkeypatch.setattr("healing_pipeline.launcher.client.TROUBLE_S", 120.0)
    # Long enough for a launch that waits so long, and one that does not, to be told apart.
    patience_s = 3.0 if who == "zygote" else 1.0
    with warm_project.home(f"hangs-{who[0]}", patience_s=patience_s) as home:
        home.instance.run_launcher.ready(30.0)
        while not home.was_warm(warm := home.launch("quick")):
            home.ended(warm)
        home.ended(warm)
        (waiting,) = home.prewarmed()
        pid = {"zygote": home.zygote(), "template": home.template(), "prewarmed": waiting}[who]
        if who == "zygote":
            # Its template would do without it.
            kill(home.template())
        with stopped(pid):
            run_ids = [home.launch("quick")]
            assert home.gave_up_after(run_ids[0]) < patience_s + 5.0
            if who == "zygote":
                # The next does not wait as long again.
                run_ids.append(home.launch("quick"))
                assert home.gave_up_after(run_ids[1]) < patience_s - 0.5
        # It goes on, with the request before it, while the default launcher begins.
        for each in run_ids:
            ends_well(home, each)
            assert not home.was_warm(each)


def test_an_answer_that_is_lost_begins_no_second_run(steady: Home) -> None:
    """The launcher is killed after it asked; another one launches the same run."""
    steady.ended(steady.launch("quick"))
    steady.prewarmed()
    run_id = steady.create("quick")
    with another_launcher(steady, run_id) as launcher:
        with stopped(steady.template()):
            go(launcher)
            time.sleep(0.5)
            launcher.kill()
        steady.instance.launch_run(run_id, steady.project.workspace.create_request_context())
        ends_well(steady, run_id)
        time.sleep(0.5)
        ends_well(steady, run_id)


def test_a_run_that_was_claimed_counts_as_begun_though_nobody_answers(
    warm_project: Project,
) -> None:
    """Its process claims the run and says so to a template that hangs."""
    with warm_project.home("silent", patience_s=3.0) as home:
        while not home.was_warm(warm := home.launch("quick")):
            home.ended(warm)
        home.ended(warm)
        (waiting,) = home.prewarmed()
        template = home.template()
        run_id = home.create("quick")
        with another_launcher(home, run_id) as launcher:
            os.kill(waiting, signal.SIGSTOP)
            go(launcher)
            time.sleep(0.7)
            os.kill(template, signal.SIGSTOP)
            os.kill(waiting, signal.SIGCONT)
            try:
                ends_well(home, run_id)
                has_launched(launcher)
            finally:
                os.kill(template, signal.SIGCONT)
        assert home.was_warm(run_id)
        assert "default launcher" not in home.told(run_id)
