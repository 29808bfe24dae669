"""`python -m healing_pipeline.launcher`: ready before the first run, seen, ended."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from warm_project import Home, environment, until

pytestmark = pytest.mark.processes


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "healing_pipeline.launcher", *arguments],
        capture_output=True,
        text=True,
        **options,
    )


def test_what_was_started_is_what_the_first_run_uses_and_it_lives_as_long_as_its_process(
    home: Home,
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        address = home.project.code_server
        started = command(
            "start", "--for", str(process.pid), "--code-server", address, env=environment(home)
        )
        assert started.returncode == 0, started.stderr
        assert "ready: " in started.stdout
        assert str(home.project.code) in started.stdout
        (waiting,) = home.prewarmed()
        zygote, template = home.zygote(), home.template()

        run_id = home.launch("waiting")
        assert home.started(run_id).pid == waiting
        home.project.go(run_id)
        assert home.ended(run_id) == "SUCCESS"
        assert (home.zygote(), home.template()) == (zygote, template)

        seen = json.loads(command("status", str(home.warm), "--json").stdout)
        assert seen["zygote"]["pid"] == zygote
        assert [each["pid"] for each in seen["templates"]] == [template]
        assert {zygote, template} <= set(seen["processes"])
        told = command("status", str(home.warm))
        assert told.returncode == 0
        assert f"zygote {zygote}, held by 2" in told.stdout

        home.instance.run_launcher.dispose()
        process.communicate()
    until(lambda: not home.processes(), 10.0)
    told = command("status", str(home.warm))
    assert told.returncode == 1
    assert "no zygote answers" in told.stdout


def test_stop_ends_what_was_started(home: Home) -> None:
    home.launch("stubborn")
    stopped = command("stop", str(home.warm), "--grace", "0.5")
    assert stopped.returncode == 0
    assert "processes ended" in stopped.stdout
    assert not home.processes()


def test_a_process_that_is_gone_holds_nothing(steady: Home) -> None:
    started = command("start", "--for", "4194304", env=environment(steady))
    assert started.returncode == 1
    assert "there is no process 4194304" in started.stderr


def test_a_code_server_that_does_not_answer_is_not_waited_for_for_ever(steady: Home) -> None:
    steady.ended(steady.launch("quick"))
    nobody = str(steady.folder / "none")
    # A busy machine may need seconds to find the zygote, which has to be had before it.
    for patience in ("2", "10", "40"):
        started = command(
            *("start", "--code-server", nobody, "--timeout", patience), env=environment(steady)
        )
        assert started.returncode == 1
        assert "not ready: the " in started.stderr
        if "the zygote" not in started.stderr:
            break
    assert "not ready: the code server at" in started.stderr


def test_an_instance_without_the_launcher_says_so(home: Home) -> None:
    (home.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    started = command("start", env=environment(home))
    assert started.returncode == 1
    assert "run_launcher" in started.stderr
