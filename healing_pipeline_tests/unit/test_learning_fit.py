"""What `fit` learns from attempts, and that nothing but the attempts decides it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learned_attempts import BEGIN, FITTED, after, attempts, frame, tries

import healing_pipeline
from healing_pipeline.learning import Policy, fit
from healing_pipeline.learning.fitting import fit_knowledge
from healing_pipeline.learning.knowledge import (
    INNER_COLUMNS,
    OUTCOMES_KEPT,
    OUTER_COLUMNS,
    PAIR_COLUMNS,
    empty,
    inner_of,
    outer_of,
    pairs_of,
)

LATER = after(24 * 50)


def p_of(policy: Policy, strategy: str = "alternate_host", source: str = "yahoo") -> float:
    return policy.rate(source, "timeout", strategy)[0].p


@settings(max_examples=FITTED)
@given(attempts(), st.randoms(use_true_random=False))
def test_rows_in_any_order_and_twice_give_the_same_bytes(found, random):
    rows = list(range(len(found)))
    random.shuffle(rows)
    shuffled = pd.concat([found.iloc[rows], found.iloc[rows[: len(rows) // 2]]])
    assert fit(shuffled, LATER).to_json() == fit(found, LATER).to_json()


@settings(max_examples=FITTED)
@given(attempts())
def test_tables_teach_what_the_attempts_behind_them_teach(found):
    inner, pairs = inner_of(found), pairs_of(found)
    direct = fit(found, LATER)
    for outer in (outer_of(inner), empty(OUTER_COLUMNS)):
        folded = fit_knowledge(inner, outer, pairs, LATER)
        assert (folded.inner, folded.outer, folded.anywhere, folded.after) == (
            direct.inner,
            direct.outer,
            direct.anywhere,
            direct.after,
        )


@settings(max_examples=FITTED)
@given(attempts(), st.floats(0, 24 * 41))
def test_hours_folded_apart_are_the_rows_of_all_together(found, at):
    moment = pd.Timestamp(after(at)).floor("h")
    early, late = found[found["at"] < moment], found[found["at"] >= moment]
    parts = [each for each in (inner_of(early), inner_of(late)) if len(each)]
    together = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(together, inner_of(found), check_dtype=False)


@settings(max_examples=FITTED)
@given(attempts())
def test_every_sum_of_the_tables_is_that_of_the_attempts(found):
    inner = inner_of(found)
    assert inner["tries"].sum() == len(found)
    assert inner["healed"].sum() == found["healed"].sum()
    assert inner["late_tries"].sum() == found["late"].sum()
    assert inner["ms"].sum() == np.rint(found["seconds"] * 1000).sum()
    assert inner["outcomes"].str.len().sum() == len(found)
    outer = outer_of(inner)
    assert (outer["tries"].sum(), outer["healed"].sum()) == (
        inner["tries"].sum(),
        inner["healed"].sum(),
    )


def test_outcomes_are_kept_in_order_and_no_more_than_count() -> None:
    many = "1" * OUTCOMES_KEPT + "0" * 10 + "1"
    (row,) = inner_of(tries(many, every_h=1 / 3600)).to_dict("records")
    assert row["tries"] == len(many)
    assert row["outcomes"] == many[-OUTCOMES_KEPT:]


def test_pairs_count_what_came_after_a_failure() -> None:
    found = frame(
        [
            (0.0, "a", 1, "yahoo", "timeout", "first", False, 0.1, False),
            (0.1, "a", 2, "yahoo", "timeout", "second", False, 0.1, False),
            (0.2, "a", 3, "yahoo", "timeout", "third", True, 0.1, False),
            (0.5, "b", 1, "yahoo", "timeout", "first", True, 0.1, False),
        ]
    )
    rows = pairs_of(found)[["failed", "then", "tries", "healed"]].to_numpy().tolist()
    assert rows == [["first", "second", 1, 0], ["first", "third", 1, 1], ["second", "third", 1, 1]]


def test_what_heals_here_comes_first_and_what_does_not_sinks() -> None:
    found = pd.concat(
        [
            tries("1" * 30, strategy="alternate_host", event="a"),
            tries("0" * 30, strategy="fallback_provider", event="b"),
        ]
    )
    policy = fit(found, LATER)
    assert p_of(policy) > 0.9
    assert p_of(policy, "fallback_provider") < 0.1
    costs = {"fallback_provider": 0.1, "alternate_host": 0.5}
    assert policy.order("yahoo", "timeout", costs, 3.0) == ["alternate_host", "fallback_provider"]


def test_a_new_source_starts_from_what_all_sources_taught() -> None:
    found = pd.concat(
        [
            tries("1" * 20, source=source, strategy="fallback_provider", event=source)
            for source in ("fred", "polygon", "yahoo")
        ]
        + [
            tries("0" * 20, source=source, strategy="rotate_api_key", event=f"{source}-")
            for source in ("fred", "polygon", "yahoo")
        ]
    )
    policy = fit(found, LATER)
    rate, layer = policy.rate("a_new_one", "timeout", "fallback_provider")
    assert layer == "outer"
    assert rate.p > 0.9
    costs = {"rotate_api_key": 0.3, "fallback_provider": 0.3}
    assert policy.order("a_new_one", "timeout", costs, 3.0)[0] == "fallback_provider"
    # A class that nobody has met is answered from all the others.
    assert policy.rate("a_new_one", "never_met", "fallback_provider")[1] == "anywhere"
    assert policy.order("a_new_one", "never_met", costs, 3.0)[0] == "fallback_provider"


def test_one_busy_source_does_not_speak_for_all() -> None:
    found = pd.concat(
        [
            tries("0" * 900, source="busy", event="busy", every_h=0.1),
            *(tries("1" * 15, source=f"quiet{each}", event=f"q{each}") for each in range(4)),
        ]
    )
    assert p_of(fit(found, LATER), source="a_new_one") > 0.6


def test_a_change_is_followed_within_a_dozen_observations() -> None:
    steady = tries("1" * 200)
    turned = tries("0" * 12, first_h=200, event="then")
    assert p_of(fit(steady, LATER)) > 0.95
    assert p_of(fit(pd.concat([steady, turned]), LATER)) < 0.35


def test_what_is_not_tried_is_not_forgotten() -> None:
    other = tries("10" * 400, strategy="use_cached_data", event="other", first_h=50)
    assert p_of(fit(pd.concat([tries("1" * 40), other]), LATER)) > 0.85


def test_a_source_that_comes_back_to_an_old_state_is_recognised_by_its_other_failures() -> None:
    """Alternate host works in A, fallback in B."""

    def state(name: str, good: str, bad: str, first_h: float, many: int, classes) -> pd.DataFrame:
        parts = []
        for failure_class in classes:
            for strategy, outcome in ((good, "1"), (bad, "0")):
                parts.append(
                    tries(
                        outcome * many,
                        failure_class=failure_class,
                        strategy=strategy,
                        first_h=first_h,
                        every_h=0.5,
                        event=f"{name}{failure_class}{strategy}",
                    )
                )
        return pd.concat(parts)

    every, alone = ("timeout", "slow", "empty", "rate_limit"), ("timeout",)
    a, b = ("alternate_host", "fallback_provider"), ("fallback_provider", "alternate_host")
    history = [state("A", *a, 0, 100, every), state("B", *b, 100, 100, every)]
    assert p_of(fit(pd.concat(history), after(1000))) < 0.2
    # Two attempts of its own do not outweigh a hundred in B; those of the others tell which state
    # it is that came back.
    own = fit(pd.concat([*history, state("own", *a, 200, 2, alone)]), after(1000))
    assert p_of(own) < 0.5
    back = fit(pd.concat([*history, state("back", *a, 200, 2, every)]), after(1000))
    assert p_of(back) > 0.9


def test_strategies_that_fail_together_are_found_without_being_told() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for event in range(1500):
        origin_down = rng.random() < 0.4
        for number, strategy in enumerate(("retry", "hedge", "fallback"), start=1):
            stands_on_origin = strategy != "fallback"
            healed = bool(rng.random() < 0.6 and not (origin_down and stands_on_origin))
            rows.append(
                (event * 0.5, f"e{event:05d}", number, "yahoo", "timeout", strategy, healed, 0.2,
                 False)
            )  # fmt: skip
            if healed:
                break
    order = list(range(1500))
    # Half of the events try the fallback first, so that its rate after other failures is known.
    for event in order[::2]:
        rows.append((event * 0.5, f"f{event:05d}", 1, "yahoo", "timeout", "fallback", False, 0.2,
                     False))  # fmt: skip
        healed = bool(rng.random() < 0.6 * 0.6)
        rows.append((event * 0.5, f"f{event:05d}", 2, "yahoo", "timeout", "hedge", healed, 0.2,
                     False))  # fmt: skip
    policy = fit(frame(rows), after(24 * 365))
    assert policy.after["retry"]["hedge"] < 0.9
    assert policy.after["fallback"]["hedge"] > 1.05


def test_nothing_of_the_moment_or_later_teaches() -> None:
    before, later = tries("1" * 20), tries("0" * 20, first_h=20, event="later")
    known = fit(pd.concat([before, later]), after(20))
    assert known.inner == fit(before, after(20)).inner


def test_late_attempts_teach_like_others() -> None:
    late = tries("1" * 10)
    late["late"] = True
    assert p_of(fit(late, LATER)) == p_of(fit(tries("1" * 10), LATER))
    assert inner_of(late)["late_healed"].sum() == 10


def test_rates_carry_seconds_and_labels() -> None:
    found = tries("1110", seconds=0.25)
    found["exact"] = [True, True, False, True]
    rate, _ = fit(found, LATER).rate("yahoo", "timeout", "alternate_host")
    assert (rate.tries, rate.seconds, rate.exact) == (4, 0.25, pytest.approx(2 / 3))


def test_an_empty_history_is_an_empty_policy() -> None:
    for nothing in (pd.DataFrame(), tries("1").iloc[:0], tries("1", first_h=5)):
        policy = fit(nothing, BEGIN)
        assert not policy.inner
        assert not policy.outer
    tables = [empty(each) for each in (INNER_COLUMNS, OUTER_COLUMNS, PAIR_COLUMNS)]
    assert not fit_knowledge(*tables, BEGIN).inner


@pytest.mark.parametrize("column", ["at", "event_id", "healed", "late"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(ValueError, match=column):
        fit(tries("1").drop(columns=column), LATER)


def test_times_without_a_zone_are_utc_and_other_zones_are_the_same_moment() -> None:
    aware = tries("1101")
    policy = fit(aware, LATER)
    naive = aware.assign(at=aware["at"].dt.tz_localize(None))
    assert fit(naive, LATER.replace(tzinfo=None)) == policy
    elsewhere = aware.assign(at=aware["at"].dt.tz_convert("America/New_York"))
    assert fit(elsewhere, LATER) == policy
    assert fit(aware.assign(at=aware["at"].astype(str)), LATER) == policy


@pytest.mark.parametrize("at", [0.5, "yesterday"])
def test_what_is_no_time_is_refused_with_the_cure(at: object) -> None:
    with pytest.raises(ValueError, match="`at`"):
        fit(tries("1").assign(at=at), LATER)


def test_the_example_of_the_documentation_runs() -> None:
    page = (
        Path(healing_pipeline.__file__).parents[1] / "docs" / "explanation" / "learning.md"
    ).read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)  # our own page
    assert names["order"] == ["use_cached_data", "alternate_host", "exponential_backoff_retry"]
