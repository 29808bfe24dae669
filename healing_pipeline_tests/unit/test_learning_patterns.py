"""What people read of the learning: parameters, throttling windows, what fails together."""

from __future__ import annotations

import base64
import re
from datetime import date

import pandas as pd
import pytest
from learned_attempts import BEGIN, after, tries

from healing_pipeline.learning.co_failure import co_failing_groups, co_failures
from healing_pipeline.learning.fitting import fit_knowledge
from healing_pipeline.learning.knowledge import inner_of, outer_of, pairs_of
from healing_pipeline.learning.observations import (
    OBSERVATION_COLUMNS,
    OK_SECONDS_EDGES,
    PARAMETER_COLUMNS,
    bucket_of,
)
from healing_pipeline.learning.patterns import (
    beyond_chance,
    source_patterns,
    throttling_windows,
)
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Parameters, Rate
from healing_pipeline.learning.source_parameters import retry_delays, time_limits
from healing_pipeline.reporting.learning_plot import LearningDay, heat_map, learning_curve

RETRY = "exponential_backoff_retry"


def hour(number: int) -> pd.Timestamp:
    return pd.Timestamp(after(number))


def waits(*buckets: tuple[str, int, int, int]) -> pd.DataFrame:
    """Bucket, tries, healed, milliseconds of each."""
    rows = [
        (hour(0), "yahoo", "timeout", RETRY, bucket, tries, healed, tries * ms)
        for bucket, tries, healed, ms in buckets
    ]
    return pd.DataFrame(rows, columns=list(PARAMETER_COLUMNS))


def seen(*rows: tuple[int, str, str, str, int, int]) -> pd.DataFrame:
    """Hour, source, endpoint, failure class, how many, windows."""
    made = [
        (hour(at), source, endpoint, failure_class, many, windows, [])
        for at, source, endpoint, failure_class, many, windows in rows
    ]
    return pd.DataFrame(made, columns=list(OBSERVATION_COLUMNS))


def good_calls(*seconds: float, source: str = "yahoo") -> pd.DataFrame:
    counts = [0] * (len(OK_SECONDS_EDGES) + 1)
    for each in seconds:
        counts[bucket_of(each)] += 1
    row = (hour(0), source, f"{source}/a", "ok", len(seconds), 0, counts)
    return pd.DataFrame([row], columns=list(OBSERVATION_COLUMNS))


def test_the_delay_that_heals_most_per_second_is_learned() -> None:
    # Per second: 0.11 / 0.15 = 0.7, 0.79 / 0.3 = 2.6, 0.89 / 0.8 = 1.1.
    delays = retry_delays(
        waits(("0-0.1", 50, 5, 150), ("0.1-0.2", 50, 40, 300), ("0.4-0.8", 50, 45, 800))
    )
    assert delays == {"yahoo": 0.3}


def test_a_longer_wait_is_never_taken_for_less_likely_to_help() -> None:
    # By chance the longer waits did worse; a rate that cannot fall keeps the shortest.
    delays = retry_delays(waits(("0-0.1", 60, 40, 200), ("0.2-0.4", 20, 8, 400)))
    assert delays == {"yahoo": 0.1}


def test_few_retries_teach_no_delay() -> None:
    assert retry_delays(waits(("0-0.1", 39, 20, 200))) == {}
    assert retry_delays(waits()) == {}


def test_a_time_limit_lets_nearly_all_good_calls_through() -> None:
    calls = good_calls(*[0.05] * 990, *[0.3] * 10)
    # 99 in 100 took less than 0.063 s; a quarter more is left as room.
    assert time_limits(calls) == {"yahoo": pytest.approx(0.063 * 1.25, abs=1e-3)}
    slow = good_calls(*[0.05] * 900, *[0.3] * 100)
    assert time_limits(slow) == {"yahoo": 0.5}
    assert time_limits(good_calls(*[0.05] * 199)) == {}


def test_hours_in_which_a_source_throttles_are_found() -> None:
    rows = []
    for day in range(6):
        for of_day in range(24):
            limited = 40 if of_day in {22, 23, 0} else 1
            rows.append((24 * day + of_day, "yahoo", "yahoo/a", "ok", 100, 0))
            rows.append((24 * day + of_day, "yahoo", "yahoo/a", "rate_limit", limited, 1))
            rows.append((24 * day + of_day, "fred", "fred/a", "ok", 100, 0))
            rows.append((24 * day + of_day, "fred", "fred/a", "rate_limit", 5, 1))
    (window,) = throttling_windows(seen(*rows))
    assert (window["source"], window["from_hour"], window["to_hour"]) == ("yahoo", 22, 1)
    assert window["share"] == pytest.approx(40 / 140, abs=1e-3)
    assert window["elsewhere"] == pytest.approx(1 / 101, abs=1e-3)
    assert window["days"] == 6


def test_one_bad_day_is_no_throttling_window() -> None:
    rows = [(of_day, "yahoo", "yahoo/a", "ok", 100, 0) for of_day in range(24)]
    rows.append((14, "yahoo", "yahoo/a", "rate_limit", 90, 1))
    assert throttling_windows(seen(*rows)) == []


def test_endpoints_that_fail_in_the_same_minutes_are_a_group() -> None:
    rows = []
    for at in range(10):
        rows += [
            (at, "yahoo", "yahoo/a", "timeout", 1, 0b0000_0000_0001),
            (at, "yahoo", "yahoo/b", "server_error", 1, 0b0000_0000_0001),
            (at, "fred", "fred/c", "timeout", 1, 0b0100_0000_0000),
            (at, "fred", "fred/d", "not_found", 1, 0b0000_0000_0001),
        ]
    found = co_failures(seen(*rows), "endpoint")
    assert found == [
        {
            "left": "yahoo/a",
            "right": "yahoo/b",
            "together": 10,
            "left_windows": 10,
            "right_windows": 10,
            "share": 1.0,
        }
    ]
    assert co_failing_groups(seen(*rows)) == [
        {"group": "yahoo/a yahoo/b", "size": 2, "windows": 10}
    ]
    assert co_failures(seen(*rows), "source") == []


def test_sources_that_fail_together_are_found() -> None:
    rows = []
    for at in range(8):
        rows += [
            (at, "yahoo", "yahoo/a", "network_error", 1, 0b11),
            (at, "fred", "fred/c", "network_error", 1, 0b10),
        ]
    (pair,) = co_failures(seen(*rows), "source")
    assert (pair["left"], pair["right"], pair["together"], pair["share"]) == (
        "fred",
        "yahoo",
        8,
        0.5,
    )


def test_a_few_windows_together_are_chance() -> None:
    rows = [(at, "yahoo", name, "timeout", 1, 1) for at in range(4) for name in ("a", "b")]
    assert co_failures(seen(*rows), "endpoint") == []
    assert co_failing_groups(seen(*rows)) == []


def test_a_sources_patterns_say_how_often_and_how_well_mended() -> None:
    inner = inner_of(pd.concat([tries("1110"), tries("00", strategy=RETRY, event="r")]))
    observed = seen(
        (0, "yahoo", "yahoo/a", "ok", 970, 0),
        (0, "yahoo", "yahoo/a", "timeout", 20, 1),
        (0, "yahoo", "yahoo/a", "server_error", 10, 1),
    )
    rows = source_patterns(inner, observed, {"yahoo": Parameters(timeout_s=0.5)})
    assert rows == [
        {
            "source": "yahoo",
            "pattern_type": "server_error",
            "occurrence_count": 10,
            "fix_success_rate": None,
            "optimal_threshold": beyond_chance(0.01),
        },
        {
            "source": "yahoo",
            "pattern_type": "timeout",
            "occurrence_count": 20,
            "fix_success_rate": 0.5,
            "optimal_threshold": 0.5,
        },
    ]
    # 0.01 + 3 sqrt(0.01 x 0.99 / 20)
    assert beyond_chance(0.01) == pytest.approx(0.0767, abs=1e-4)


def test_a_policy_of_all_tables_carries_them_for_people() -> None:
    attempts = pd.concat([tries("1" * 30), tries("0" * 12, strategy=RETRY, event="r")])
    inner = inner_of(attempts)
    policy = fit_knowledge(
        inner,
        outer_of(inner),
        pairs_of(attempts),
        after(24 * 50),
        parameters=waits(("0.1-0.2", 60, 40, 300)),
        observations=good_calls(*[0.05] * 300),
    )
    assert policy.parameters["yahoo"].retry_delay_s == 0.3
    assert policy.parameters["yahoo"].timeout_s == pytest.approx(0.079)
    first = policy.tables["global_patterns"][0]
    assert list(first) == ["pattern", "count", "success_rate", "optimal_params"]
    assert (first["pattern"], first["count"]) == ("timeout -> alternate_host", 30)
    assert list(policy.tables["source_patterns"][0])[1:] == [
        "pattern_type",
        "occurrence_count",
        "fix_success_rate",
        "optimal_threshold",
    ]
    assert Policy.from_json(policy.to_json()) == policy


def picture(markdown: str) -> bytes:
    found = re.fullmatch(r"!\[.+\]\(data:image/png;base64,(.+)\)", markdown)
    assert found is not None
    return base64.b64decode(found[1])


def test_a_heat_map_is_a_picture_of_what_was_tried() -> None:
    inner = {("yahoo", "timeout"): {"alternate_host": Rate(0.9, 12)}}
    assert picture(heat_map(Policy(as_of=BEGIN, inner=inner), "yahoo")).startswith(b"\x89PNG")
    assert heat_map(Policy(inner=inner), "fred") == "Nothing was tried at fred yet."


def test_a_learning_curve_leaves_out_what_is_not_known() -> None:
    days = [LearningDay(date(2026, 3, 1), 0.8, 0.6), LearningDay(date(2026, 3, 2), 0.9, 0.7, 0.95)]
    assert picture(learning_curve(days)).startswith(b"\x89PNG")
    assert learning_curve([]) == "No day with a failure is over yet."
