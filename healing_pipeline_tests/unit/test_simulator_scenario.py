"""Scenario files: what they may say, and what is said about their mistakes."""

from pathlib import Path

import pytest

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.simulator.faults import FaultKind, Match
from healing_pipeline.simulator.hosts import SOURCES
from healing_pipeline.simulator.quotas import OFF, REAL
from healing_pipeline.simulator.scenario import (
    fault_from_json,
    fault_to_json,
    load_scenario,
    parse_scenario,
    scenario_names,
)

GOOD = """\
name: polygon_key_revoked          # a drill scenario
sources: [polygon, yahoo]
traffic: {readers: 4, requests_per_s: 20}
faults:
  - {at_s: 5, for_s: 20, match: {source: polygon, key: primary}, fault: auth_error}
  - {at_s: 12, for_s: 6, match: {host: query1, path: "/v8/*"}, fault: slow, latency_s: 6}
"""
FILE = Path("drill.yaml")


def test_a_scenario_says_what_its_file_says():
    scenario = parse_scenario(GOOD, FILE)
    assert scenario.name == "polygon_key_revoked"
    assert scenario.sources == ("polygon", "yahoo")
    assert (scenario.traffic.readers, scenario.traffic.requests_per_s) == (4, 20.0)
    first, second = scenario.faults
    assert (first.index, first.at_s, first.for_s, first.kind) == (
        0,
        5.0,
        20.0,
        FaultKind.AUTH_ERROR,
    )
    assert first.match == Match(source="polygon", key="primary")
    assert (second.latency_s, second.match.path) == (6.0, "/v8/*")
    assert scenario.quotas == OFF
    assert scenario.duration_s == 30.0  # the default; the last fault ends at 25


def test_quotas_and_duration_may_be_given():
    scenario = parse_scenario(GOOD + "quotas: real\nduration_s: 40\n", FILE)
    assert (scenario.quotas, scenario.duration_s) == (REAL, 40.0)
    assert parse_scenario(GOOD + "quotas: off\n", FILE).quotas == OFF
    assert parse_scenario(GOOD + "quotas: 10\n", FILE).quotas.factor == 10.0


def test_a_slow_fault_has_a_latency_without_being_told():
    text = "name: a\nsources: [fred]\nfaults: [{at_s: 0, for_s: 1, fault: slow}]\n"
    assert parse_scenario(text, FILE).faults[0].latency_s == 5.0


@pytest.mark.parametrize("name", scenario_names())
def test_every_shipped_scenario_loads_by_name(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.description


def test_the_first_drill_is_calm_before_and_after_and_touches_every_source():
    scenario = load_scenario("first_light")
    assert scenario.sources == SOURCES
    assert min(each.at_s for each in scenario.faults) >= 5
    assert max(each.at_s + each.for_s for each in scenario.faults) <= 26
    assert {each.match.source for each in scenario.faults} == set(SOURCES)
    assert load_scenario("calm").faults == ()


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(GOOD)
    assert load_scenario(path) == parse_scenario(GOOD, path)


def broken(line, text):
    rows = GOOD.splitlines()
    rows[line - 1] = text
    return "\n".join(rows) + "\n"


FAULT = "  - {{at_s: {at}, for_s: {length}, match: {match}, fault: {fault}}}"


@pytest.mark.parametrize(
    ("line", "text", "problem"),
    [
        (1, "nam: x", "Unknown key 'nam'"),
        (1, "name: [x]", "`name` is no text"),
        (2, "sources: polygon", "`sources` is not a list"),
        (2, "sources: [polygon, bloomberg]", "no source 'bloomberg'"),
        (2, "sources: [polygon, polygon]", "named twice"),
        (2, "sources: []", "`sources` is empty"),
        (3, "traffic: {readers: 0}", "`readers` is 0"),
        (3, "traffic: {readers: 1.5}", "`readers` is 1.5"),
        (3, "traffic: {requests_per_s: -1}", "`requests_per_s` is -1"),
        (3, "traffic: {reader: 1}", "Unknown key 'reader'"),
        (3, "sources: [fred]", "stands here twice"),
        (5, FAULT.format(at=-1, length=2, match="{}", fault="slow"), "`at_s` is -1"),
        (5, FAULT.format(at="soon", length=2, match="{}", fault="slow"), "`at_s` is no number"),
        (5, FAULT.format(at=".nan", length=2, match="{}", fault="slow"), "`at_s` is no number"),
        (5, FAULT.format(at="true", length=2, match="{}", fault="slow"), "`at_s` is no number"),
        (5, FAULT.format(at=1, length=0, match="{}", fault="slow"), "`for_s` is 0"),
        (5, FAULT.format(at=1, length=2, match="{}", fault="ok"), "no fault 'ok'"),
        (5, FAULT.format(at=1, length=2, match="{source: ebay}", fault="slow"), "no source 'ebay'"),
        (
            5,
            FAULT.format(at=1, length=2, match="{source: fred, host: query1}", fault="slow"),
            "no host 'query1' of fred",
        ),
        (5, FAULT.format(at=1, length=2, match="{share: 1.1}", fault="slow"), "`share` is 1.1"),
        (
            5,
            FAULT.format(at=1, length=2, match="{rows_over: -1}", fault="slow"),
            "`rows_over` is -1",
        ),
        (5, FAULT.format(at=1, length=2, match="{url: x}", fault="slow"), "Unknown key 'url'"),
        (5, "  - {for_s: 2, fault: slow}", "`at_s` is missing"),
        (5, "  - {at_s: 2, fault: slow}", "`for_s` is missing"),
        (5, "  - {at_s: 2, for_s: 2}", "`fault` is missing"),
        (5, "  - {at_s: 2, for_s: 2, fault: slow, latency_s: -2}", "`latency_s` is -2"),
        (5, "  - {at_s: 2, for_s: 2, fault: slow, retry_after_s: 1.5}", "`retry_after_s` is 1.5"),
        (5, "  - {at_s: 2, for_s: 2, fault: slow, age_s: -1}", "`age_s` is -1"),
        (5, "  - slow", "A mapping of keys is wanted here"),
    ],
)
def test_a_mistake_is_reported_with_its_file_and_its_line(line, text, problem):
    with pytest.raises(ConfigurationError) as caught:
        parse_scenario(broken(line, text), FILE)
    assert problem in str(caught.value)
    assert (caught.value.path, caught.value.line) == (FILE, line)
    assert caught.value.cure


def test_broken_yaml_is_reported_with_its_line():
    with pytest.raises(ConfigurationError) as caught:
        parse_scenario("name: a\nsources: [fred\nfaults: ]\n", FILE)
    assert caught.value.line is not None


@pytest.mark.parametrize("text", ["", "- a\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(ConfigurationError):
        parse_scenario(text, FILE)


def test_a_fault_after_the_end_is_a_mistake():
    with pytest.raises(ConfigurationError, match="after the end") as caught:
        parse_scenario(GOOD + "duration_s: 10\n", FILE)
    assert caught.value.line == 6


@pytest.mark.parametrize("name", ["no_such_scenario", "../calm", "missing.yaml"])
def test_an_unknown_scenario_is_a_mistake_with_a_cure(name):
    with pytest.raises(ConfigurationError):
        load_scenario(name)


def test_quotas_have_three_forms_and_no_others():
    with pytest.raises(ConfigurationError, match="quotas") as caught:
        parse_scenario(GOOD + "quotas: lots\n", FILE)
    assert caught.value.line == 7


def test_a_fault_survives_the_way_through_json():
    for fault in load_scenario("first_light").faults:
        assert fault_from_json(dict(fault_to_json(fault)), fault.index) == fault


def test_a_scenario_may_say_which_labels_its_readers_take():
    assert parse_scenario(GOOD, FILE).accepts == ()
    assert parse_scenario(GOOD + "accepts: [exact, stale]\n", FILE).accepts == ("exact", "stale")
    with pytest.raises(ConfigurationError, match="label 'fresh'") as caught:
        parse_scenario(GOOD + "accepts: [fresh]\n", FILE)
    assert "exact, stale, coarser, proxy" in str(caught.value)
    with pytest.raises(ConfigurationError, match="`accepts` is empty"):
        parse_scenario(GOOD + "accepts: []\n", FILE)
