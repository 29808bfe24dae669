"""What incidents were said to be, held against what they were: worked examples."""

from __future__ import annotations

from healing_pipeline.drill.diagnosed import Counted, Said, Wrong, diagnosis_report
from healing_pipeline.drill.labels import Label
from healing_pipeline.incidents.cause import PlaceKind, RootCause

QUOTES = frozenset({"yahoo/a", "yahoo/b"})
RATES = frozenset({"fx/a"})
DOWN = Wrong(2.0, 10.0, Label(RootCause.PROVIDER_DOWN, PlaceKind.SOURCE, QUOTES))
KEY = Wrong(2.0, 10.0, Label(RootCause.KEY, PlaceKind.KEY, RATES))


def counted(*verdicts: Said, endpoints=QUOTES, began_s: float = 3.0) -> Counted:
    return Counted(1, len(endpoints), endpoints, began_s, verdicts)


def said(at_s: float = 4.0, cause: str = RootCause.PROVIDER_DOWN, scope=QUOTES) -> Said:
    return Said(at_s, str(cause), scope)


def numbers(incidents, faults) -> tuple[int, int, int]:
    report = diagnosis_report(incidents, faults)
    return report["of"], report["root_cause_right"], report["scope_exact"]


def test_a_verdict_is_right_by_its_cause_and_exact_by_its_scope():
    assert numbers([counted(said())], [DOWN]) == (1, 1, 1)
    assert numbers([counted(said(scope=frozenset({"yahoo/a"})))], [DOWN]) == (1, 1, 0)
    assert numbers([counted(said(cause=RootCause.KEY))], [DOWN]) == (1, 0, 0)
    assert numbers([counted()], [DOWN]) == (1, 0, 0), "never diagnosed"


def test_what_no_fault_caused_is_not_judged():
    assert numbers([counted(said(), endpoints=RATES)], [DOWN]) == (0, 0, 0)
    assert numbers([counted(said(), began_s=20.0)], [DOWN]) == (0, 0, 0)


def test_the_verdict_counts_as_it_stood_when_the_fault_ended():
    worse_afterwards = counted(said(4.0), said(12.0, RootCause.KEY))
    assert numbers([worse_afterwards], [DOWN]) == (1, 1, 1)
    late = counted(said(12.0))
    assert numbers([late], [DOWN]) == (1, 1, 1)


def test_each_of_several_faults_is_true_and_so_are_those_of_one_cause_together():
    part = Wrong(2.0, 10.0, Label(RootCause.PROVIDER_DOWN, PlaceKind.PART, frozenset({"yahoo/c"})))
    both = QUOTES | part.label.scope
    joint = counted(said(scope=both), endpoints=both)
    assert numbers([joint], [DOWN, part]) == (1, 1, 1)
    assert numbers([counted(said())], [DOWN, KEY]) == (1, 1, 1)
    refused = counted(said(cause=RootCause.KEY, scope=RATES), endpoints=RATES)
    assert numbers([refused, counted(said())], [DOWN, KEY]) == (2, 2, 2)


def test_a_miss_is_told_with_what_was_said_and_what_was_true():
    (miss,) = diagnosis_report([counted(said(cause=RootCause.KEY))], [DOWN])["misses"]
    assert miss == "incident 1 (yahoo/a): said key of 2, was provider down of 2"
