"""How bad errors are, how long before it counts, by what a cause is known, what mutes it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.alerting.actions import BY_CAUSE, action_for
from healing_pipeline.alerting.error_rates import (
    BURN_RULES,
    WINDOWS,
    Window,
    burn_finding,
    burns,
    level_of_rate,
    rate_finding,
    stands_long_enough,
)
from healing_pipeline.alerting.fingerprints import (
    FAMILIES,
    OWN_NETWORK,
    errors_fingerprint,
    fingerprint_of,
    is_of_source,
)
from healing_pipeline.alerting.messages import rank
from healing_pipeline.alerting.muting import (
    Maintenance,
    Mutes,
    Silence,
    Subject,
    matches,
    muted_because,
)
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.alerting.thresholds import (
    LONGEST_HOLD,
    fails_long_enough,
    hold_of,
    may_close,
)
from healing_pipeline.alerting.wording import (
    BROKEN,
    broken,
    closing_body,
    escalated_title,
    lasted,
    without_answer,
)
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import ROOT_CAUSES, RootCause
from healing_pipeline.probing.failure_class import FailureClass

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SETTINGS = AlertSettings()


# Shares of errors


@pytest.mark.parametrize(
    ("rate", "level"),
    [
        (0.0, None),
        (0.0499, None),
        (0.05, Severity.WARNING),
        (0.1999, Severity.WARNING),
        (0.20, Severity.ERROR),
        (0.50, Severity.ERROR),
        (0.5001, Severity.CRITICAL),
        (1.0, Severity.CRITICAL),
    ],
)
def test_the_bounds_of_the_levels_are_exact(rate, level):
    assert level_of_rate(rate) is level


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_errors_are_never_a_lower_level(one, other):
    low, high = sorted((one, other))
    ranks = [-1 if (level := level_of_rate(each)) is None else rank(level) for each in (low, high)]
    assert ranks[0] <= ranks[1]


def windows(*counts: tuple[int, int]) -> list[Window]:
    return [
        Window(lasts, requests, errors)
        for lasts, (requests, errors) in zip(WINDOWS, counts, strict=True)
    ]


def test_the_shortest_window_with_enough_requests_decides():
    assert rate_finding(windows((19, 19), (19, 19), (19, 19)), 20) is None
    found = rate_finding(windows((20, 1), (100, 100), (500, 500)), 20)
    assert (found.level, found.window.lasts) == (Severity.WARNING, MINUTE)
    found = rate_finding(windows((3, 3), (40, 10), (90, 80)), 20)
    assert (found.level, found.because) == (Severity.ERROR, "25% errors within 5 minutes")
    assert rate_finding(windows((20, 0), (100, 100), (500, 500)), 20) is None


def test_a_share_of_errors_has_to_stand_while_nothing_is_being_healed():
    def stands(since_s, quiet_s):
        quiet = None if quiet_s is None else NOON - timedelta(seconds=quiet_s)
        return stands_long_enough(NOON - timedelta(seconds=since_s), quiet, NOON)

    assert not stands(9, 9)
    assert stands(10, 10)
    assert not stands(40, 9), "a heal has just ended"
    assert not stands(59, None)
    assert stands(60, None), "no heal lasts so long"


@pytest.mark.parametrize(
    ("rule", "long_s", "short_s", "level"),
    [
        (BURN_RULES[0], 3600, 300, Severity.ERROR),
        (BURN_RULES[1], 6 * 3600, 1800, Severity.ERROR),
        (BURN_RULES[2], 3 * 86_400, 6 * 3600, Severity.WARNING),
    ],
)
def test_the_rules_of_burning_budgets_are_those_of_the_workbook(rule, long_s, short_s, level):
    assert (rule.long.total_seconds(), rule.short.total_seconds()) == (long_s, short_s)
    assert rule.level is level
    # 2 % and 5 % of 30 days' budget call people, 10 % is a ticket.
    spent = rule.factor * rule.long / timedelta(days=30)
    assert spent == pytest.approx({1: 0.02, 6: 0.05, 72: 0.10}[rule.long / HOUR])


def pairs(long: tuple[int, int], short: tuple[int, int], rule=BURN_RULES[0]):
    return [(rule, Window(rule.long, *long), Window(rule.short, *short))]


@pytest.mark.parametrize(
    ("long", "short", "is_found"),
    [
        ((1000, 144), (100, 15), True),  # 14.4 % of 1 %
        ((1000, 143), (100, 15), False),
        ((1000, 200), (100, 14), False),  # it is over
        ((1000, 200), (100, 0), False),
        ((19, 19), (19, 19), False),  # too few
        ((20, 20), (1, 1), False),  # one error is none that goes on
        ((20, 20), (2, 2), True),
    ],
)
def test_a_budget_burns_in_the_long_window_and_still_in_the_short(long, short, is_found):
    found = burn_finding(pairs(long, short), 0.99, 20)
    assert (found is not None) == is_found
    if found is not None:
        assert found.burns
        assert found.level is Severity.ERROR


def test_one_error_of_a_source_that_is_read_seldom_burns_nothing():
    slow = BURN_RULES[2]
    assert not burns(slow, Window(slow.long, 100, 1), 0.99, 20)
    assert not burns(slow, Window(slow.long, 199, 2), 0.99, 20)
    assert burns(slow, Window(slow.long, 200, 2), 0.99, 20)


def test_the_fastest_rule_that_burns_speaks():
    both = [*pairs((1000, 1000), (100, 100), BURN_RULES[2]), *pairs((1000, 1000), (100, 100))]
    assert burn_finding(both, 0.99, 20).window.lasts == HOUR


# Thresholds and flapping


@pytest.mark.parametrize(
    ("bad", "heals", "is_told"), [(0, 0, False), (1, 1, False), (2, 0, True), (0, 2, True)]
)
def test_failures_have_to_reach_the_threshold(bad, heals, is_told):
    assert fails_long_enough(bad, heals, SETTINGS) == is_told


def test_a_hold_doubles_with_each_firing_up_to_an_hour():
    holds = [hold_of(times, SETTINGS).total_seconds() for times in range(9)]
    assert holds == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert hold_of(10_000, SETTINGS) == LONGEST_HOLD


def test_what_flaps_is_held_even_where_nothing_else_is():
    at_once = AlertSettings(keep_firing_for=timedelta())
    assert hold_of(0, at_once) == timedelta()
    assert hold_of(1, at_once) == timedelta(seconds=30)


@given(
    st.integers(0, 20),
    st.timedeltas(timedelta(), HOUR),
    st.lists(st.integers(1, 600), min_size=1, max_size=400),
)
def test_flapping_for_an_hour_fires_a_handful_of_times(earlier, keep, gaps):
    """However it flaps: a group that closes has been well for longer than the ones before."""
    settings = AlertSettings(keep_firing_for=keep)
    now, firings, first = 0.0, 0, earlier
    for gap in gaps:
        hold = hold_of(firings, settings).total_seconds()
        now += gap
        if now > 3600:
            break
        if gap >= hold:
            firings += 1  # it was closed, and fires anew
    # 15 s doubled for each firing: 30 + 60 + 120 + ... stays within the hour for seven of them.
    assert firings <= 8, first


@pytest.mark.parametrize(
    ("well_s", "good", "waits"),
    [
        (59, 5, "59 of 60 s"),
        (60, 1, "1 good observations of 2"),
        (60, 2, None),
        (60, None, None),
        (3600, 0, None),
    ],
)
def test_a_group_is_closed_when_it_stayed_well(well_s, good, waits):
    why = may_close(NOON, MINUTE, good, SETTINGS, NOON + timedelta(seconds=well_s))
    assert (why is None) if waits is None else waits in why


# Causes


def test_every_failure_has_a_cause_and_every_cause_a_fingerprint_an_action_and_words():
    for failure, cause in ROOT_CAUSES.items():
        assert is_of_source(fingerprint_of("yahoo", cause))
        assert len(action_for(cause, failure)) > 40
        assert broken("yahoo", cause, failure).startswith("yahoo ")
    assert set(BY_CAUSE) == set(RootCause)
    assert set(FAMILIES) == set(BROKEN) == set(RootCause) - {RootCause.OUR_NETWORK}


def test_a_source_that_cannot_be_reached_is_one_matter_whatever_is_gone_of_it():
    causes = (RootCause.HOST_DOWN, RootCause.PROVIDER_DOWN, RootCause.NAME)
    assert len({fingerprint_of("yahoo", each) for each in causes}) == 1
    assert fingerprint_of("fred", RootCause.NAME) != fingerprint_of("yahoo", RootCause.NAME)
    assert fingerprint_of("yahoo", RootCause.KEY) != fingerprint_of("yahoo", RootCause.QUOTA)


def test_our_own_network_is_one_matter_for_all_sources():
    assert fingerprint_of("yahoo", RootCause.OUR_NETWORK) == OWN_NETWORK
    assert not is_of_source(OWN_NETWORK)
    assert is_of_source(errors_fingerprint("yahoo"))


@given(st.sampled_from(list(RootCause)), st.sampled_from(list(FailureClass)[1:]))
def test_what_is_said_of_a_cause_fits_a_line(cause, failure):
    title = escalated_title(broken("exchange_rate", cause, failure), "exchange_rate/latest-usd")
    assert "\n" not in title
    assert len(title) < 100


# Mutes

SUBJECT = Subject("source:yahoo:key", "yahoo", ("yahoo/chart-aapl-1d", "yahoo/chart-msft-1d"))


def silence(**changes) -> Silence:
    values = {
        "id": 7,
        "source": None,
        "endpoint": None,
        "begins_at": NOON,
        "ends_at": NOON + HOUR,
        "reason": "known",
        "made_by": "ann",
    }
    return Silence(**{**values, **changes})


@pytest.mark.parametrize(
    ("made", "is_muted"),
    [
        (silence(), True),
        (silence(source="yahoo"), True),
        (silence(source="fred"), False),
        (silence(endpoint="yahoo/chart-*"), True),
        (silence(endpoint="chart-*-1d"), True),
        (silence(endpoint="yahoo/chart-aapl-1d"), False),  # the other one is not silenced
        (silence(begins_at=NOON + MINUTE), False),
        (silence(ends_at=NOON), False),
    ],
)
def test_a_silence_mutes_what_it_is_about_while_it_lasts(made, is_muted):
    why = muted_because(SUBJECT, Mutes(silences=[made]), NOON)
    assert (why is not None) == is_muted
    if why is not None:
        assert "silence 7 by ann until 2026-03-02 13:00 UTC: known" in why


def test_a_silence_of_endpoints_is_not_about_what_has_none():
    errors = Subject("source:yahoo:errors", "yahoo")
    assert muted_because(errors, Mutes(silences=[silence(endpoint="*")]), NOON) is None
    assert muted_because(errors, Mutes(silences=[silence(source="yahoo")]), NOON) is not None


def test_maintenance_mutes_its_source():
    window = Maintenance(3, "yahoo", NOON, NOON + HOUR, "moves")
    assert "maintenance 3" in muted_because(SUBJECT, Mutes(maintenance=[window]), NOON)
    assert muted_because(Subject("x", "fred"), Mutes(maintenance=[window]), NOON) is None
    assert muted_because(SUBJECT, Mutes(maintenance=[window]), NOON + HOUR) is None


def test_our_own_outage_mutes_all_but_itself():
    mutes = Mutes(is_cut_off=True)
    assert muted_because(SUBJECT, mutes, NOON) is not None
    assert muted_because(Subject("dagster:job:etl"), mutes, NOON) is not None
    assert muted_because(Subject(OWN_NETWORK), mutes, NOON) is None


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("yahoo/*", True),
        ("*aapl*", True),
        ("*-1d", True),
        ("chart-aapl-1d", True),
        ("yahoo/chart-aapl-1d", True),
        ("yahoo", False),
        ("chart", False),
        ("", False),
        ("*aapl*aapl*", False),
        ("yahoo/chart-aapl-1d*1d", False),
        ("CHART-*", False),
        ("chart-[a]apl-1d", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(pattern, fits):
    assert matches(pattern, "yahoo/chart-aapl-1d") == fits


@given(st.text("ab*/", max_size=12), st.text("ab/", max_size=12))
def test_a_pattern_fits_what_it_was_made_of(pattern, filling):
    assert matches(pattern, pattern.replace("*", filling))


def test_a_pattern_of_many_stars_is_quickly_held_against_a_long_name():
    began = time.perf_counter()
    assert not matches("*a" * 200 + "b", "a" * 4000)
    assert time.perf_counter() - began < 0.5


# Words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds, words):
    assert lasted(seconds) == words


@given(st.lists(st.integers(0, 10**7), min_size=2).map(sorted))
def test_a_longer_time_is_never_said_shorter(seconds):
    unit = {"s": 1, "min": 60, "h": 3600, "d": 86_400}

    def meant(words):
        parts = words.split()
        return sum(
            int(number) * unit[word] for number, word in zip(parts[::2], parts[1::2], strict=True)
        )

    said = [meant(lasted(each)) for each in seconds]
    assert all(before <= after for before, after in pairwise(said))


def test_nobody_and_nobody_at_all_are_said_apart():
    assert without_answer(0, 12) == "Readers without an answer: none of 12 requests."
    assert without_answer(3, 12) == "Readers without an answer: 3 of 12 requests."
    assert "nobody read" in without_answer(0, 0)


def test_a_closing_message_of_what_has_no_details_still_says_what_and_how_long():
    body = closing_body("job etl failed", {}, began_at=NOON, recovered_at=NOON + HOUR, endpoints=())
    assert body == (
        "What broke: job etl failed. It lasted 1 h, from 2026-03-02 12:00:00 to 2026-03-02 "
        "13:00:00 UTC."
    )
