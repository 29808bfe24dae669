"""Bars, rows and numbered changes: what a browser is told leads to what it would be shown anew."""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from worlds import START

from healing_pipeline.storage.dashboards import Seen, Standing
from healing_pipeline.web.dashboard import deltas
from healing_pipeline.web.dashboard.bars import (
    SHAPES,
    SLOTS,
    label_of,
    letters_of,
    paths_of,
    runs_of,
    spark_of,
    worst,
    worst_of_each,
)
from healing_pipeline.web.dashboard.deltas import Changes, State
from healing_pipeline.web.dashboard.snapshot import (
    Known,
    counted,
    endpoint_shown,
    source_shown,
    summary_of,
)

NEWEST = 1_000
LETTERS = st.text("nlhf", min_size=SLOTS, max_size=SLOTS)


@given(LETTERS)
def test_a_bar_covers_the_day_once_and_says_the_same_in_shapes_and_in_words(letters):
    runs = runs_of(letters)
    assert sum(int(each) for each in re.findall(r"\d+", runs)) == SLOTS
    shown = ["?"] * SLOTS
    for letter, path in paths_of(runs).items():
        for at, top, width, height, back in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z", path):
            assert (int(top), int(height)) == SHAPES[letter]
            assert width == back
            for slot in range(int(at), int(at) + int(width)):
                assert shown[slot] == "?"
                shown[slot] = letter
    assert "".join(shown) == letters
    hours = sum(float(each) for each in re.findall(r"([\d.]+) h", label_of(letters)))
    assert hours == 24


@given(st.lists(st.tuples(st.integers(NEWEST - 200, NEWEST + 5), st.sampled_from("lhf"))))
def test_a_quarter_shows_the_worst_that_was_seen_in_it(seen):
    letters = letters_of(seen, NEWEST)
    for slot, letter in enumerate(letters):
        quarter = NEWEST - SLOTS + 1 + slot
        assert letter == worst(each for at, each in seen if at == quarter)


@given(st.lists(LETTERS, min_size=1, max_size=5))
def test_of_several_bars_each_quarter_shows_the_worst(bars):
    together = worst_of_each(bars)
    assert list(together) == [worst(each[slot] for each in bars) for slot in range(SLOTS)]


@given(st.dictionaries(st.integers(NEWEST - 150, NEWEST), st.integers(-1, 9_000)))
def test_a_sparkline_stays_inside_its_frame(waits):
    x, y, highest = 0, 0, 0
    for command, first, second in re.findall(
        r"([Mlh])(-?\d+)(?: (-?\d+))?", spark_of(waits, NEWEST)
    ):
        if command == "M":
            x, y = int(first), int(second)
        elif command == "h":
            x += int(first)
        else:
            x, y = x + int(first), y + int(second)
        highest = max(highest, 10 - y)
        assert 0 <= x < 24
        assert 0 <= y <= 10
    inside = [each for at, each in waits.items() if each > 0 and at > NEWEST - SLOTS]
    assert (highest == 10) == bool(inside)


def seen(letters: str = "lll", **changes) -> Seen:
    values = {
        "endpoint": "yahoo/a",
        "requests": 10,
        "met_fault": 4,
        "healed": 3,
        "reader_errors": 1,
        "probes": 8,
        "failures": 2,
        "quarters": tuple(range(NEWEST - len(letters), NEWEST)),
        "letters": letters,
        "p50_ms": (12,) * len(letters),
    }
    return Seen(**{**values, **changes})


def standing(state: str | None = "open", **changes) -> Standing:
    values = {
        "endpoint": "yahoo/a",
        "incident_id": None if state is None else 7,
        "state": state,
        "state_since": None if state is None else START,
        "failure_class": None if state is None else "timeout",
        "evidence": None if state is None else "no answer",
        "strategy": None,
        "fidelity": None,
        "route_since": None,
    }
    return Standing(**{**values, **changes})


def shown(known: Known):
    return endpoint_shown(known, NEWEST, START.date())


def test_rates_are_of_folded_and_unfolded_together_and_say_of_how_many():
    row = shown(Known(day=seen(), lately=seen(requests=30, reader_errors=0))).row
    assert (row["e"], row["et"]) == ("2.5 %", "1 of 40")
    assert (row["h"], row["ht"]) == ("75 %", "6 of 8")
    assert (row["u"], row["ut"]) == ("75 %", "12 of 16")
    assert row["m"] == "12 ms"


def test_nobody_looked_is_neither_well_nor_ill():
    row = shown(Known()).row
    assert (row["s"], row["w"], row["b"]) == ("none", "not watched", "96n")
    assert {row["e"], row["h"], row["u"], row["m"], row["f"]} == {"—"}


def test_each_step_of_an_incident_is_seen_and_its_end_too():
    steps = ["open", "healing", "healed", "escalated"]
    rows = [shown(Known(day=seen(), standing=standing(each))).row for each in steps]
    assert [each["s"] for each in rows] == ["failed", "healing", "healed", "failed"]
    assert len({each["w"] for each in rows}) == len(steps)
    assert [each["b"][-2:] for each in rows] == ["1h", "1h", "1h", "1f"]
    assert all(each["n"] == "timeout: no answer" and each["i"] == "7" for each in rows)
    over = shown(Known(day=seen(), worst_now="h")).row
    assert (over["s"], over["n"], over["b"][-2:]) == ("live", "", "1h")


def test_an_active_route_says_how_close_its_answers_are_by_what_and_since_when():
    route = {"strategy": "use_cached_data", "fidelity": "stale", "route_since": START}
    row = shown(Known(day=seen(), standing=standing("healed", **route), fidelity="exact")).row
    assert (row["f"], row["r"], row["ra"]) == ("stale", "use_cached_data", "15:00:00")
    later = (START + timedelta(days=1)).date()
    row = endpoint_shown(Known(day=seen(), standing=standing("healed", **route)), NEWEST, later).row
    assert row["ra"] == "03-02 15:00"


def test_a_source_is_as_ill_as_its_worst_endpoint():
    well = shown(Known(day=seen("lhl")))
    ill = shown(Known(day=seen("lfl"), standing=standing("escalated")))
    row = source_shown([well, ill])
    assert (row["s"], row["w"]) == ("failed", "1 failed, 1 live")
    assert row["b"] == "92n1l1f1l1f"
    assert row["et"] == "2 of 20"
    assert summary_of([well, ill]) == "2 endpoints: 1 failed, 1 live"


def test_one_more_request_of_many_changes_nothing():
    assert counted(999) == "999"
    assert counted(12_340) == counted(12_341) == "12 k"
    assert counted(1_250_000) == "1.2 M"


def apply(known: dict, message: bytes) -> dict:
    """What `assets/dashboard.js` does with a message."""
    told = json.loads(message)
    if told.get("whole"):
        return {"seq": told["seq"], "top": told["top"], "rows": told["rows"]}
    assert told["seq"] == known["seq"] + 1
    rows = {
        name: {**known["rows"].get(name, {}), **told.get("rows", {}).get(name, {})}
        for name in {*known["rows"], *told.get("rows", {})}
    }
    return {"seq": told["seq"], "top": {**known["top"], **told.get("top", {})}, "rows": rows}


@given(st.randoms(use_true_random=False), st.integers(0, 12))
def test_whoever_follows_from_any_number_comes_to_the_same_as_who_gets_everything(rng, at):
    changes = Changes("e")
    followers = []
    for _ in range(15):
        rows = {
            name: {"s": rng.choice("abc"), "n": rng.choice(["", "x"])} for name in ("a", "b", "c")
        }
        changes.publish(State({"at": rng.randrange(3)}, rows))
        followers.append((changes.now[0], json.loads(changes.whole())))
    seq, known = followers[at]
    for message in changes.since("e", seq):
        known = apply(known, message)
    now = json.loads(changes.whole())
    assert {name: known[name] for name in ("seq", "top", "rows")} == {
        name: now[name] for name in ("seq", "top", "rows")
    }


def test_nothing_changed_is_no_message_and_a_foreign_number_asks_for_everything():
    changes = Changes("e")
    state = State({"at": 1}, {"a": {"s": "x"}})
    assert changes.publish(state) is not None
    assert changes.publish(State({"at": 1}, {"a": {"s": "x"}})) is None
    assert changes.since("e", 1) == []
    assert changes.since("another", 1) is None
    assert changes.since("e", 2) is None
    assert changes.since("e", -1) is None


def test_what_is_kept_is_bounded_and_what_is_no_longer_kept_asks_for_everything(monkeypatch):
    monkeypatch.setattr(deltas, "MOST_KEPT", 2_000)
    changes, rng = Changes("e"), random.Random(1)
    for _ in range(200):
        changes.publish(State({}, {"a": {"s": str(rng.random())}}))
    assert changes.since("e", 0) is None
    assert 0 < len(changes.since("e", 190)) == 10
    assert sum(map(len, changes.since("e", 180) or [])) <= 2_000
