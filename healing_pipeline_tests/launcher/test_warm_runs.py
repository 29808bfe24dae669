"""Runs by warm processes: real ones, with PostgreSQL and a code server."""

from __future__ import annotations

import os
import threading
import time

import pytest
from warm_project import CODE, Home, Project, kill, until

from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.process_identity import ProcessIdentity

pytestmark = pytest.mark.processes


def test_runs_are_warm_and_succeed(steady: Home) -> None:
    for _ in range(3):
        run_id = steady.launch("quick")
        assert steady.ended(run_id) == "SUCCESS"
        assert steady.was_warm(run_id)
        assert steady.starts(run_id) == steady.project.begun(run_id) == 1


def test_a_prewarmed_process_executes_one_run_and_ends(steady: Home) -> None:
    steady.ended(steady.launch("quick"))
    (waiting,) = steady.prewarmed()
    run_id = steady.launch("waiting")
    assert steady.started(run_id).pid == waiting
    steady.project.go(run_id)
    assert steady.ended(run_id) == "SUCCESS"
    until(lambda: waiting not in {each.pid for each in steady.processes()}, 5.0)


def test_an_exception_is_a_failure_as_dagster_tells_it(steady: Home) -> None:
    run_id = steady.launch("raising")
    assert steady.ended(run_id) == "FAILURE"
    assert "STEP_FAILURE" in steady.told(run_id)
    assert "The run's process" not in steady.told(run_id)


@pytest.mark.parametrize(
    ("job", "how"), [("killed", "was ended by SIGKILL"), ("leaving", "ended with exit code 0")]
)
def test_a_run_whose_process_ends_in_the_middle_fails_soon_and_says_how(
    steady: Home, job: str, how: str
) -> None:
    run_id = steady.launch(job)
    assert steady.was_warm(run_id)
    began = time.monotonic()
    assert steady.ended(run_id) == "FAILURE"
    assert time.monotonic() - began < 15.0, "sooner than run monitoring finds it"
    assert f"The run's process {how}" in steady.told(run_id)


def test_terminate_cancels_a_run_at_once(steady: Home) -> None:
    run_id = steady.launch("waiting")
    process = steady.started(run_id)
    began = time.monotonic()
    assert steady.instance.run_launcher.terminate(run_id)
    assert steady.ended(run_id) == "CANCELED"
    assert time.monotonic() - began < 10.0
    until(lambda: not process.is_alive(), 5.0)
    assert not steady.instance.run_launcher.terminate(run_id)


def test_a_run_that_ignores_terminate_is_killed_after_the_grace(steady: Home) -> None:
    run_id = steady.launch("stubborn")
    process = steady.started(run_id)
    began = time.monotonic()
    assert steady.instance.run_launcher.terminate(run_id)
    assert steady.ended(run_id) == "CANCELED"
    assert 0.9 < time.monotonic() - began < 20.0
    assert not process.is_alive()


def test_a_run_whose_template_is_gone_is_terminated_all_the_same(steady: Home) -> None:
    run_id = steady.launch("stubborn")
    process = steady.started(run_id)
    kill(steady.template())
    assert process.is_alive()
    assert steady.instance.run_launcher.terminate(run_id)
    assert steady.ended(run_id) == "CANCELED"
    assert not process.is_alive()


def test_twenty_launches_at_once_run_once_each(steady: Home) -> None:
    run_ids = [steady.create("quick") for _ in range(20)]
    context = steady.project.workspace.create_request_context()
    threads = [
        threading.Thread(target=steady.instance.launch_run, args=(each, context))
        for each in run_ids
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {steady.ended(each, 60.0) for each in run_ids} == {"SUCCESS"}
    assert [steady.starts(each) for each in run_ids] == [1] * 20
    assert [steady.project.begun(each) for each in run_ids] == [1] * 20
    assert all(steady.was_warm(each) for each in run_ids)


def test_edited_code_is_what_the_next_run_runs_warm(steady: Home) -> None:
    assert "says first" in _told_by_a_run(steady)
    template = steady.template()
    steady.project.write(CODE.replace('"first"', '"second edition"'))
    try:
        assert "says second edition" in _told_by_a_run(steady)
        assert steady.template() != template
    finally:
        steady.project.write(CODE)
    assert "says first" in _told_by_a_run(steady)


def test_an_idle_template_makes_way_before_the_next_run(steady: Home) -> None:
    steady.ended(steady.launch("quick"))
    template = steady.template()
    steady.project.write(CODE + "\n# edited\n")
    try:
        until(lambda: [each["pid"] for each in steady.templates()] not in ([], [template]), 10.0)
        steady.prewarmed()
        assert steady.was_warm(steady.launch("quick"))
    finally:
        steady.project.write(CODE)


def test_a_file_that_is_edited_while_it_is_loaded_is_loaded_again(steady: Home) -> None:
    """The loading process had read the file before; only its clock can tell."""
    slow = CODE.replace("defs =", "time.sleep(1.0)\ndefs =", 1)
    steady.project.write(slow.replace('"first"', '"half way"'))
    try:
        launching = threading.Timer(
            0.5, steady.project.write, [CODE.replace('"first"', '"at last"')]
        )
        launching.start()
        assert "says at last" in _told_by_a_run(steady)
        launching.join()
    finally:
        steady.project.write(CODE)


def test_broken_code_is_told_and_mended_code_runs_warm_again(warm_project: Project) -> None:
    with warm_project.home("broken", patience_s=5.0) as home:
        home.ended(home.launch("quick"))
        home.project.write(CODE + "\nthis is no Python\n")
        try:
            told = "the template has ended"
            # Who asks in the moment in which the old one ends is told of that.
            for _ in range(3):
                if "the template has ended" in told:
                    run_id = home.launch("quick")
                    assert home.ended(run_id) == "FAILURE"
                    told = home.told(run_id)
            assert "No warm process (SyntaxError" in told or (
                "No warm process (DagsterImportError" in told and "invalid syntax" in told
            )
        finally:
            home.project.write(CODE)
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)


def test_a_file_that_a_warm_up_names_is_watched(
    warm_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = warm_project.folder / "settings.txt"
    named.write_text("one")
    (warm_project.folder / "warming.py").write_text(
        f"READ = []\ndef read():\n    READ.append(open({str(named)!r}).read())\n"
        f"    return [{str(named)!r}]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(warm_project.folder))
    with warm_project.home("named", warm_up=["warming:read"]) as home:
        home.ended(home.launch("quick"))
        (waiting,) = home.prewarmed()
        named.write_text("another")
        run_id = home.launch("waiting")
        assert home.started(run_id).pid != waiting
        home.project.go(run_id)
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)


def test_a_failing_warm_up_leaves_runs_to_fresh_forks(warm_project: Project) -> None:
    with warm_project.home("cold", warm_up=["no_such_module:read"]) as home:
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)
        # Said by the process that was to wait for the next run, whenever it comes to that.
        until(lambda: "no_such_module" in home.log(), 20, home.log)


@pytest.mark.parametrize("elsewhere", ["interpreter", "image"])
def test_code_of_another_place_is_the_default_launchers(steady: Home, elsewhere: str) -> None:
    run_id = steady.create("quick")
    run = steady.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.job_code_origin is not None
    repository = run.job_code_origin.repository_origin
    changed = (
        repository._replace(executable_path="/opt/other/python")
        if elsewhere == "interpreter"
        else repository._replace(container_image="registry/image:1")
    )
    code = run.job_code_origin._replace(repository_origin=changed)
    launcher = steady.instance.run_launcher
    why = launcher._why_not_here(run._replace(job_code_origin=code))
    assert why is not None
    assert ("/opt/other/python" if elsewhere == "interpreter" else "registry/image:1") in why


def test_a_run_that_is_no_process_of_ours_is_taken_to_run(steady: Home) -> None:
    """Another launcher may have begun it, before this one was turned on."""
    run = steady.instance.get_run_by_id(steady.create("quick"))
    assert run is not None
    assert steady.instance.run_launcher.check_run_worker_health(run).status.value == "RUNNING"


def test_a_pid_that_is_used_again_is_not_the_run(steady: Home) -> None:
    run_id = steady.create("quick")
    run = steady.instance.get_run_by_id(run_id)
    assert run is not None
    claims = Claims(steady.warm_folder / "claims")
    process = ProcessIdentity(os.getpid(), "started:long ago")
    assert claims.take(run_id, process)
    health = steady.instance.run_launcher.check_run_worker_health(run)
    assert health.status.value == "NOT_FOUND"
    # The process of that pid is the one that runs these tests: it would have been ended.
    assert not steady.instance.run_launcher.terminate(run_id)


def _told_by_a_run(home: Home) -> str:
    run_id = home.launch("quick")
    assert home.ended(run_id) == "SUCCESS"
    assert home.was_warm(run_id)
    return home.told(run_id)
