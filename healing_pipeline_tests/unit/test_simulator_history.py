"""Histories of real outages as scenarios: what is read, what is chosen, how it is compressed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.simulator.faults import FaultKind, Match
from healing_pipeline.simulator.history import Outage, parse_history
from healing_pipeline.simulator.hosts import SOURCES
from healing_pipeline.simulator.replay import CALM_S, MOST_OUTAGES, PLAYED_S, densest, replay_of
from healing_pipeline.simulator.scenario import load_scenario, parse_scenario, scenario_names

FILE = Path("some_upptime.csv")
HEAD = "checked_at,endpoint,status,http_code,response_ms,commit\n"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HISTORIES = Path(__file__).parents[3] / "shared" / "history"


def row(minutes, endpoint, status, code, ms=80):
    at = NOON + timedelta(minutes=minutes)
    return f"{at.isoformat()},{endpoint},{status},{code},{ms},abc\n"


def history(*rows):
    return parse_history(HEAD + "".join(row(*each) for each in rows), FILE)


def test_an_outage_is_from_the_first_bad_row_to_the_next_good_one():
    (outage,) = history((0, "A", "up", 200), (10, "A", "down", 503), (25, "A", "up", 200))
    assert (outage.endpoint, outage.kind, outage.said) == (
        "A",
        FaultKind.SERVER_ERROR,
        "HTTP 503",
    )
    assert outage.begins == NOON + timedelta(minutes=10)
    assert outage.ends - outage.begins == timedelta(minutes=15)


def test_another_code_is_another_outage_and_the_same_one_goes_on():
    found = history(
        (0, "A", "down", 403),
        (5, "A", "down", 403),
        (10, "A", "down", 429),
        (12, "A", "up", 200),
    )
    assert [(each.kind, (each.ends - each.begins) / timedelta(minutes=1)) for each in found] == [
        (FaultKind.BOT_BLOCK, 10),
        (FaultKind.RATE_LIMIT, 2),
    ]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (0, FaultKind.TIMEOUT),
        ("", FaultKind.TIMEOUT),
        (400, FaultKind.BAD_REQUEST),
        (401, FaultKind.AUTH_ERROR),
        (403, FaultKind.BOT_BLOCK),
        (404, FaultKind.NOT_FOUND),
        (429, FaultKind.RATE_LIMIT),
        (500, FaultKind.SERVER_ERROR),
        (504, FaultKind.SERVER_ERROR),
        (530, FaultKind.SERVER_ERROR),
        (200, FaultKind.INVALID_DATA),
    ],
)
def test_every_code_of_a_row_that_is_down_is_a_fault(code, kind):
    (outage,) = history((0, "A", "down", code), (3, "A", "up", 200))
    assert outage.kind is kind


def test_a_degraded_endpoint_is_slow_by_what_it_took():
    (outage,) = history((0, "A", "degraded", 200, 4200), (3, "A", "up", 200))
    assert (outage.kind, outage.latency_s) == (FaultKind.SLOW, 4.2)


def test_an_endpoint_that_never_recovers_or_never_fails_has_no_outage():
    found = history(
        (0, "dead", "down", 0),
        (9, "dead", "down", 0),
        (0, "well", "up", 200),
        (0, "A", "down", 0),
        (9, "A", "up", 200),
    )
    assert {each.endpoint for each in found} == {"A"}


def test_rows_may_come_in_any_order_and_columns_may_be_missing():
    assert history((9, "A", "up", 200), (0, "A", "down", 0)) == history(
        (0, "A", "down", 0), (9, "A", "up", 200)
    )
    only_codes = "http_code,checked_at\n503,2026-01-05T12:00:00Z\n200,2026-01-05T12:05:00Z\n"
    (outage,) = parse_history(only_codes, FILE)
    assert outage.kind is FaultKind.SERVER_ERROR
    only_states = (
        "\ufeffchecked_at,status\ndown_is_no_word\n".replace("down_is_no_word", "2026-01-05,down")
        + "2026-01-06,up\n"
    )
    (outage,) = parse_history(only_states, FILE)
    assert outage.kind is FaultKind.TIMEOUT


def test_latencies_far_over_the_usual_are_slow_in_proportion():
    lines = ["timestamp,value"]
    for minute in range(60):
        value = 45 + minute % 3 if minute not in (30, 31, 32) else 135
        lines.append(f"2014-03-07 03:{minute:02}:00,{value}")
    (outage,) = parse_history("\n".join(lines), Path("latency.csv"))
    assert (outage.kind, outage.latency_s) == (FaultKind.SLOW, 2.9)  # 135 / 46, a usual one is 1 s
    assert outage.ends - outage.begins == timedelta(minutes=3)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("", "empty", None),
        ("a,b\n1,2\n", "only the columns a, b", 1),
        ("checked_at,endpoint\n2026-01-05,A\n", "only the columns", 1),
        (HEAD, "no outage", None),
        (HEAD + row(0, "A", "up", 200), "no outage", None),
        (HEAD + row(0, "A", "down", 503), "no outage", None),
        (HEAD + "yesterday,A,down,503,1,x\n", "'yesterday' is no moment", 2),
        (HEAD + row(0, "A", "up", 200) + ",A,down,503,1,x\n", "'' is no moment", 3),
        (HEAD + row(0, "A", "down", "five"), "`http_code` is 'five'", 2),
        (HEAD + row(0, "A", "down", 503, "-1"), "`response_ms` is '-1'", 2),
        (HEAD + row(0, "A", "down", "nan"), "`http_code` is 'nan'", 2),
        (HEAD + '2026-01-05,"A', "no CSV", None),
        ("timestamp,value\n2026-01-05,\n", "no outage", None),
    ],
)
def test_a_history_that_cannot_be_used_is_reported_with_its_place_and_its_cure(text, problem, line):
    with pytest.raises(ConfigurationError) as caught:
        parse_history(text, FILE)
    assert problem in str(caught.value)
    assert caught.value.cure
    assert caught.value.path == FILE
    if line is not None:
        assert caught.value.line == line


minutes = st.integers(0, 3000)
outages = st.lists(
    st.builds(
        lambda name, begins, length, kind: Outage(
            name,
            NOON + timedelta(minutes=begins),
            NOON + timedelta(minutes=begins + length),
            kind,
            "seen",
        ),
        st.sampled_from("ABCDEFGHIJKLM"),
        minutes,
        st.integers(1, 500),
        st.sampled_from([FaultKind.TIMEOUT, FaultKind.SERVER_ERROR]),
    ),
    min_size=1,
    max_size=30,
).map(lambda found: tuple(sorted(found, key=lambda each: (each.begins, each.endpoint))))


@given(found=outages)
def test_any_history_makes_a_scenario_that_can_be_played(found):
    scenario = replay_of(found, FILE)
    assert scenario == replay_of(found, FILE)
    assert scenario.name == "some_upptime"
    assert scenario.faults
    assert [each.index for each in scenario.faults] == list(range(len(scenario.faults)))
    for fault in scenario.faults:
        assert fault.at_s >= CALM_S
        assert fault.for_s > 0
        assert fault.at_s + fault.for_s <= CALM_S + PLAYED_S + 0.1 < scenario.duration_s
        assert fault.match.source in scenario.sources


@given(found=outages)
def test_relative_lengths_are_kept(found):
    stretch = densest(found)
    faults = replay_of(found, FILE).faults
    for one, outage in zip(faults, stretch.outages, strict=True):
        share = (outage.ends - outage.begins) / (stretch.ends - stretch.begins)
        assert one.for_s == pytest.approx(share * PLAYED_S, abs=0.011)


@given(found=outages)
def test_a_stretch_holds_all_that_failed_in_it_and_nothing_else(found):
    stretch = densest(found)
    assert all(
        stretch.begins <= each.begins < each.ends <= stretch.ends for each in stretch.outages
    )
    within = [each for each in found if each.begins < stretch.ends and each.ends > stretch.begins]
    assert len(within) == len(stretch.outages)


def test_a_dense_day_is_chosen_before_a_single_long_outage():
    long = Outage("A", NOON, NOON + timedelta(days=30), FaultKind.TIMEOUT, "no answer")
    later = NOON + timedelta(days=60)
    dense = tuple(
        Outage(
            name,
            later + timedelta(minutes=at),
            later + timedelta(minutes=at + 10),
            FaultKind.SERVER_ERROR,
            "HTTP 500",
        )
        for name, at in (("A", 0), ("B", 5), ("C", 20), ("A", 30))
    )
    stretch = densest((long, *dense))
    assert len(dense) <= MOST_OUTAGES
    assert stretch.outages == dense


def test_the_first_endpoints_stand_for_whole_sources_and_the_next_for_hosts():
    found = tuple(
        Outage(f"e{number}", NOON, NOON + timedelta(minutes=9), FaultKind.TIMEOUT, "no answer")
        for number in range(8)
    )
    scenario = replay_of(found, FILE)
    assert [each.match for each in scenario.faults[:5]] == [Match(name) for name in SOURCES]
    assert scenario.faults[5].match == Match("yahoo", "query1")
    assert scenario.sources == SOURCES
    assert scenario.mapped[0] == "e0 is played by yahoo: 1 outage (no answer as timeout)"


def test_a_history_is_loaded_by_its_path_like_any_scenario(tmp_path):
    path = tmp_path / "My History.csv"
    path.write_text(HEAD + row(0, "A", "down", 503) + row(9, "A", "up", 200))
    scenario = load_scenario(path)
    assert scenario.name == "my_history"
    assert scenario.faults[0].kind is FaultKind.SERVER_ERROR


REPLAYED = [each for each in scenario_names() if each.startswith("history_")]


def test_three_replays_of_real_histories_are_shipped():
    assert len(REPLAYED) == 3


@pytest.mark.parametrize("name", REPLAYED)
def test_a_shipped_replay_is_what_its_history_makes(name):
    """So the file can be made again; the history itself is not copied into the repository."""
    path = HISTORIES / f"upptime_{name.removeprefix('history_')}.csv"
    if not path.exists():
        pytest.skip("the history is not here")
    made, shipped = load_scenario(path), load_scenario(name)
    assert (made.faults, made.sources, made.duration_s, made.traffic, made.description) == (
        shipped.faults,
        shipped.sources,
        shipped.duration_s,
        shipped.traffic,
        shipped.description,
    )


@pytest.mark.parametrize("name", [each for each in scenario_names() if each != "demo"])
def test_a_shipped_drill_ends_in_calm_and_within_half_a_minute(name):
    scenario = load_scenario(name)
    assert scenario.duration_s <= 30
    assert all(each.at_s + each.for_s <= scenario.duration_s - 2 for each in scenario.faults)


def test_every_fault_is_in_some_shipped_drill():
    kinds = {each.kind for name in scenario_names() for each in load_scenario(name).faults}
    assert kinds == set(FaultKind)


def test_a_scenario_file_may_not_say_what_it_was_made_of():
    with pytest.raises(ConfigurationError, match="Unknown key 'mapped'"):
        parse_scenario("name: a\nsources: [fred]\nmapped: [x]\n", Path("a.yaml"))
