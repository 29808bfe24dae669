"""The command `drill`: what `all` means, and what its exit code and its JSON say."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from healing_pipeline.cli import drill as command
from healing_pipeline.drill.alert_trace import Trace
from healing_pipeline.drill.alerting import alert_report
from healing_pipeline.drill.diagnosed import diagnosis_report
from healing_pipeline.drill.score import Books, Outcome, score
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.simulator.scenario import load_scenario

SPREAD = {"p50": 1.0, "p95": 2.0, "max": 3.0, "n": 4}
TIMES = {
    "detect_with_traffic_s": SPREAD,
    "detect_with_traffic_from_begin_s": SPREAD,
    "detect_idle_s": {**SPREAD, "undetected": 2},
    "time_to_launch_s": SPREAD,
    "healed_and_verified_s": SPREAD,
    "pieces": {"request_s": SPREAD},
    "heals": {"healed": 4, "over": 0},
    "started_in_s": 9.0,
    "machine": {"cpus": 2, "load_before": 0.5, "load_after": 2.5},
}
NOTHING_TOLD = Trace(
    duration_s=1.0,
    messages=(),
    groups=(),
    ills=(),
    readers=(),
    looks=(),
    observed=(),
    faults=(),
    failure_threshold=2,
)
CLEAN = Books(told=1, lost=0, doubled=0, incidents=0, incident_members=0, alerts_sent=0)


@pytest.fixture
def played(monkeypatch):
    """Drills that are over at once; those named in `dirty` have an answer that is wrong."""
    names, dirty, began = [], set(), []

    def run(scenario, source, *, seed, duration_s, state_dir, progress):
        names.append(source)
        progress("playing", 0.0)
        outcome = Outcome(
            request_id="r",
            endpoint="fred/dgs10",
            at_s=0.0,
            fidelity=Fidelity.EXACT,
            met_fault=False,
            failure_class="ok",
            existed=True,
            wrong="is 2, in truth 1" if source in dirty else None,
            upstream_calls=1,
            seconds=0.1,
            heal_s=0.0,
        )
        made = score(
            scenario=scenario.name,
            seed=seed,
            duration_s=duration_s,
            outcomes=[outcome],
            faults=[],
            books=CLEAN,
        )
        return {
            **made,
            "alerts": alert_report(NOTHING_TOLD),
            "diagnosis": diagnosis_report((), ()),
            "description": scenario.description,
            "mapped": list(scenario.mapped),
        }

    def run_stack(*arguments, root, launcher, **more):
        began.append(launcher)
        return {**run(*arguments, **more), **TIMES, "launcher": str(launcher or "warm")}

    monkeypatch.setattr(command, "run_drill", run)
    monkeypatch.setattr(command, "run_stack_drill", run_stack)
    monkeypatch.setattr(command, "database_kept", nullcontext)
    return SimpleNamespace(names=names, dirty=dirty, launchers=began)


def test_all_is_every_shipped_scenario_but_the_demonstration(played, capsys):
    names = played.names
    code = command.drill("all", seed=3, duration_s=None, stack=False, as_json=True)
    reports = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [each["scenario"] for each in reports] == names == list(command.drill_names())
    assert len(names) >= 14
    assert "demo" not in names
    for report in reports:
        assert report["duration_s"] == load_scenario(report["scenario"]).duration_s
        assert report["description"]


def test_one_drill_that_is_not_clean_makes_all_of_them_fail(played, capsys):
    played.dirty.add("flapping")
    code = command.drill("all", seed=3, duration_s=5.0, stack=False, as_json=True)
    reports = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [each["scenario"] for each in reports if each["wrong_as_good"]] == ["flapping"]
    assert {each["duration_s"] for each in reports} == {5.0}


def test_a_single_drill_is_one_document_and_a_table_for_people(played, capsys):
    assert command.drill("calm", seed=3, duration_s=2.0, stack=False, as_json=True) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["scenario"] == "calm"
    assert said.err == ""
    assert command.drill("calm", seed=3, duration_s=2.0, stack=False, as_json=False) == 0
    assert "Nothing fails" in capsys.readouterr().out


def test_all_drills_end_with_a_row_of_alerts_beside_what_gatus_would_have_sent(played, capsys):
    assert command.drill("all", seed=3, duration_s=2.0, stack=False, as_json=False) == 0
    said = capsys.readouterr().out
    assert f"Alerts of {len(command.drill_names())} drills" in said
    assert "Gatus, default rules" in said
    assert "failure-threshold 3, success-threshold 2" in said


def test_a_mistake_in_any_file_is_found_before_the_first_drill(played):
    names = played.names
    with pytest.raises(ConfigurationError):
        command.drill("no_such", seed=1, duration_s=None, stack=False, as_json=True)
    assert names == []


def stack_drill(launcher, *, stack=True, as_json=True):
    return command.drill(
        "calm", seed=3, duration_s=2.0, stack=stack, launcher=launcher, as_json=as_json
    )


def test_a_launcher_is_chosen_and_both_are_two_drills_of_one_scenario(played, capsys):
    assert stack_drill("default") == stack_drill(None) == 0
    assert [str(each) for each in played.launchers] == ["default", "None"]
    capsys.readouterr()
    assert stack_drill("both") == 0
    reports = json.loads(capsys.readouterr().out)
    assert [(each["scenario"], each["launcher"]) for each in reports] == [
        ("calm", "warm"),
        ("calm", "default"),
    ]


def test_two_launchers_are_shown_side_by_side(played, capsys):
    assert stack_drill("both", as_json=False) == 0
    said = capsys.readouterr().out
    assert "launcher by launcher" in said
    (line,) = [each for each in said.splitlines() if "healed and verified" in each][-1:]
    assert line.count("1.00 s / 2.00 s / 3.00 s (n 4)") == 2


@pytest.mark.parametrize(
    ("launcher", "stack", "cure"),
    [("warm", False, "Add --stack"), ("hot", True, "Choose warm, default or both")],
)
def test_a_launcher_that_cannot_be_had_is_refused_with_its_cure(played, launcher, stack, cure):
    with pytest.raises(ConfigurationError, match=cure):
        stack_drill(launcher, stack=stack)
    assert played.names == []


def test_every_failure_class_but_ok_has_a_drill():
    met = {each.kind for name in command.drill_names() for each in load_scenario(name).faults}
    assert {each.value for each in FailureClass} - {"ok"} <= {each.value for each in met}
