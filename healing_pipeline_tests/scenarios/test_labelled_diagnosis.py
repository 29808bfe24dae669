"""The labelled set in short: real faults over real HTTP, and what the diagnosis makes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from healing_pipeline.drill.world import EPOCH, drill_catalog
from healing_pipeline.incidents.diagnosis import find_causes
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.scenario import load_scenario

pytestmark = pytest.mark.processes

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CASES, SEED, LANES = 6, 5, 6


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [each for each in sys.modules if each.partition(".")[0] == "labelled"]:
        del sys.modules[name]


def test_a_third_of_the_cases_is_correlated_and_every_kind_and_form_has_its_turn():
    from labelled.cases import FORMS, KINDS, cases

    catalog = drill_catalog(addresses(21_000), load_scenario("calm"))
    drawn = cases(catalog, EPOCH, 150, SEED)
    assert drawn == cases(catalog, EPOCH, 150, SEED)
    assert sum(each.correlated for each in drawn) == 50
    assert {kind for each in drawn for kind in each.kinds} == {str(each.value) for each in KINDS}
    assert {each.form for each in drawn} == set(FORMS)
    for each in drawn:
        hit = [name for truth in each.truths for name in truth.scope]
        assert len(hit) == len(set(hit)), "what two faults hit has no one truth"


def test_causes_of_real_faults_are_named_and_their_incidents_joined():
    from labelled.playing import observe_all
    from labelled.scoring import rows

    told: list[int] = []
    observed = observe_all(CASES, SEED, LANES, lambda case: told.append(case.number))
    assert sorted(told) == list(range(CASES))
    found = list(rows(observed, "asked", find_causes))
    assert len(found) >= CASES - 1, "hardly a fault goes undetected"
    assert sum(each.root_right for each in found) >= len(found) - 1
    assert sum(each.joined for each in found) >= len(found) - 1
    assert sum(each.scope_exact for each in found) >= len(found) - 2
