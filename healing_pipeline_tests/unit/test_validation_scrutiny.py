"""Numbers that stand still or jump back under fresh dates are not believed; real markets are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.values import Endpoint
from healing_pipeline.healing.strategy import Snapshot
from healing_pipeline.healing.validation import Scrutiny
from healing_pipeline.healing.validation.growth import BAR_BELIEVED_AFTER_S
from healing_pipeline.healing.validation.herd import MANY, WARY_S
from healing_pipeline.healing.validation.movement import BELIEVED_AFTER_S, CONFIRMED_AFTER_S
from healing_pipeline.healing.validation.scale import scale_of
from healing_pipeline.healing.validation.stillness import standing_still
from healing_pipeline.healing.validation.tables import TABLE_BELIEVED_AFTER_S
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.simulator.market import Market, moment

BEGAN = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
QUOTES = Endpoint(id="yahoo/quote", source="yahoo", path="/q")
OTHERS = Endpoint(id="polygon/other", source="polygon", path="/q")
HOUR_S, DAY_S = 3600, 86_400


def quote(value, at_s, field="price", as_of_s=None):
    as_of = BEGAN + timedelta(seconds=at_s if as_of_s is None else as_of_s)
    return Reading("IBM", "now", (Point(as_of, field, value),), as_of)


class Looks:
    """Looks at one question of one source."""

    def __init__(self, endpoint=QUOTES, scrutiny=None, name="q"):
        self.scrutiny = scrutiny or Scrutiny()
        self.endpoint, self.name = endpoint, name

    def at(self, at_s, value, **more):
        return self.reading(quote(value, at_s), at_s, **more)

    def reading(self, reading, at_s, last=None):
        now = BEGAN + timedelta(seconds=at_s)
        return self.scrutiny.examine((self.name, ""), reading, self.endpoint, last, now)


def walk(seed: int, per_look: float = 1e-4) -> Callable[[], float]:
    """A random walk with fat tails, as prices do."""
    rnd, level = random.Random(seed), [100.0]

    def step() -> float:
        level[0] *= math.exp(rnd.gauss(0, 1) / max(abs(rnd.gauss(0, 1)), 0.5) * per_look)
        return level[0]

    return step


def after_a_calm_minute(seed=1, looks=40, **kind):
    seen, step = Looks(**kind), walk(seed)
    for at_s in range(0, 2 * looks, 2):
        assert seen.at(at_s, step()) is None
    return seen, step, 2 * looks


@given(seed=st.integers(0, 10_000), change=st.sampled_from([-0.02, -0.005, 0.005, 0.02]))
@settings(max_examples=25)
def test_a_quote_that_jumps_and_stands_there_is_never_believed(seed, change):
    seen, step, at_s = after_a_calm_minute(seed)
    frozen = step() * (1 + change)
    for later in range(0, 600, 3):
        verdict = seen.at(at_s + later, frozen)
        assert verdict is not None, later
        assert verdict.failure_class is FailureClass.STALE_DATA


@given(seed=st.integers(0, 10_000), change=st.sampled_from([-0.2, -0.02, 0.02, 0.1]))
@settings(max_examples=25)
def test_a_crash_passes_on_its_second_look_because_it_keeps_moving(seed, change):
    seen, step, at_s = after_a_calm_minute(seed)
    verdict = seen.at(at_s, step() * (1 + change))
    assert "jumped" in verdict.evidence
    assert seen.at(at_s + CONFIRMED_AFTER_S, step() * (1 + change)) is None
    assert seen.at(at_s + 2 * CONFIRMED_AFTER_S, step() * (1 + change)) is None


@given(seed=st.integers(0, 10_000), change=st.sampled_from([-0.01, 0.01]))
@settings(max_examples=25)
def test_a_frozen_host_stays_doubted_while_its_sister_goes_on(seed, change):
    """A minute later the live number may be so near that the frozen one looks like a usual move."""
    seen, step, at_s = after_a_calm_minute(seed)
    last = step()
    frozen = last * (1 + change)
    for later in range(0, 50, 2):
        assert seen.at(at_s + later, frozen) is not None, later
        approaching = last + (frozen - last) * min(1.0, (later + 1) / 45)
        if approaching != frozen:
            seen.at(at_s + later + 1, approaching)


def test_looks_at_the_same_moment_do_not_confirm_each_other():
    seen, step, at_s = after_a_calm_minute()
    assert seen.at(at_s, step() * 1.02) is not None
    assert seen.at(at_s + 0.3, step() * 1.02) is not None
    assert seen.at(at_s + 0.9, step() * 1.02) is not None


def test_a_jump_that_many_readers_see_at_once_makes_nobody_wary():
    seen, step, at_s = after_a_calm_minute()
    catch(seen.scrutiny, at_s, [str(n) for n in range(MANY - 1)])
    sibling, calm, _ = after_a_calm_minute(scrutiny=seen.scrutiny, name="sibling", seed=2)
    level = step() * 1.02
    for later in (0, 0.1, 0.2, 0.3):
        assert seen.at(at_s + later, level) is not None
    assert sibling.at(at_s + 1, calm()) is None


def test_a_jump_that_turns_out_a_glitch_is_forgotten():
    seen, step, at_s = after_a_calm_minute()
    assert seen.at(at_s, 105.0 * 1.02) is not None
    assert seen.at(at_s + 2, step()) is None
    assert seen.at(at_s + 4, step()) is None


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_a_market_gone_wild_is_refused_a_few_times_and_then_known_as_wild(seed):
    seen, _, at_s = after_a_calm_minute(seed)
    wild = walk(seed + 1, per_look=0.03)
    refused = [seen.at(at_s + 3 * look, wild()) is not None for look in range(100)]
    assert sum(refused) <= 12
    assert not any(refused[60:])


@pytest.mark.parametrize("spacing_s", [1, 7, 60])
def test_a_random_walk_is_almost_never_accused(spacing_s):
    accused = 0
    for seed in range(10):
        seen, step = Looks(), walk(seed)
        accused += sum(seen.at(look * spacing_s, step()) is not None for look in range(1000))
    assert accused <= 10, "one in a thousand"


def test_a_lively_quote_that_stands_still_under_new_dates_is_accused_within_ten_looks():
    seen, step, at_s = after_a_calm_minute(looks=100)
    frozen = step()
    verdicts = [seen.at(at_s + 2 * look, frozen) for look in range(30)]
    assert verdicts[0] is None, "one look tells nothing"
    assert all(verdict is not None for verdict in verdicts[10:])
    assert "stands at" in verdicts[-1].evidence
    assert seen.at(at_s + 70, step()) is None, "it moves again"


def test_after_a_long_time_what_stands_still_is_believed():
    """A trading halt is true."""
    seen, step, at_s = after_a_calm_minute(looks=100)
    halted = step()
    ends = [seen.at(at_s + 10 * look, halted) for look in range(int(BELIEVED_AFTER_S // 10) + 20)]
    assert ends[50] is not None
    assert ends[-1] is None
    jumped, step, at_s = after_a_calm_minute()
    assert jumped.at(at_s, 110.0) is not None
    assert jumped.at(at_s + BELIEVED_AFTER_S, 110.0) is None


def test_a_quote_that_often_stands_still_may():
    seen, rnd, value, accused = Looks(), random.Random(5), 20.0, 0
    for look in range(3000):
        if rnd.random() < 0.15:
            value = round(value + rnd.choice([-0.01, 0.01]), 2)
        accused += seen.at(2 * look, value) is not None
    assert accused == 0


def test_what_never_moved_is_not_accused_of_standing_still():
    seen = Looks()
    assert not any(seen.at(60 * look, 7.78) for look in range(500))


def test_in_a_closed_market_anything_may_stand_or_open_elsewhere():
    seen, step = Looks(endpoint=replace(QUOTES, calendar=Calendar.XNYS)), walk(4)
    closing_s = 6 * HOUR_S  # 16:00 New York
    for before_s in range(200, 0, -2):
        assert seen.at(closing_s - before_s, step()) is None
    close = step()
    for look in range(100):
        assert seen.at(closing_s + 2 * look, close) is None
    assert seen.at(closing_s + 210, close * 1.05) is None, "the auction's price"
    morning_s = 23.5 * HOUR_S
    assert seen.at(morning_s - 2, close * 1.05) is None
    assert seen.at(morning_s + 1000, close * 0.9) is None, "opened elsewhere"
    assert "jumped" in seen.at(morning_s + 1060, close * 1.3).evidence


def test_another_source_that_agrees_makes_a_jump_believed():
    seen, step, at_s = after_a_calm_minute()
    level = step() * 1.05
    assert seen.at(at_s, level) is not None
    now = BEGAN + timedelta(seconds=at_s + 1)
    seen.scrutiny.corroborate(("q", ""), quote(level * 1.1, at_s), now)
    assert seen.at(at_s + 1, level) is not None, "the witness speaks of something else"
    seen.scrutiny.corroborate(("q", ""), quote(level * 1.0005, at_s), now)
    assert seen.at(at_s + 2, level) is None


def test_a_number_that_another_source_vouched_for_is_not_asked_to_move():
    seen, step, at_s = after_a_calm_minute()
    level = step() * 1.05
    seen.at(at_s, level)
    catch(seen.scrutiny, at_s, [str(n) for n in range(MANY)])
    assert seen.at(at_s + 2, level) is not None
    now = BEGAN + timedelta(seconds=at_s + 3)
    seen.scrutiny.corroborate(("q", ""), quote(level, at_s), now)
    assert seen.at(at_s + 4, level) is None


def test_after_a_quarter_of_an_hour_unseen_a_market_may_be_anywhere():
    seen, step, at_s = after_a_calm_minute()
    assert seen.at(at_s + 901, step() * 1.1) is None
    seen, step, at_s = after_a_calm_minute()
    assert seen.at(at_s + 600, step() * 1.1) is not None


def test_the_snapshot_of_an_earlier_process_is_a_first_look():
    before = Snapshot(BEGAN - timedelta(seconds=5), quote(100.0, -5), b"", "yahoo")
    assert Looks().at(0, 105.0, last=before) is not None
    assert Looks().at(0, 100.01, last=before) is None
    assert Looks().at(0, 105.0) is None, "nothing is known: the first look is let through"
    long_ago = replace(before, fetched_at=BEGAN - timedelta(days=1))
    assert Looks().at(0, 105.0, last=long_ago) is None


def catch(scrutiny, at_s, names):
    """Let questions of one source jump to where they stand still."""
    for n, name in enumerate(names):
        caught, _, _ = after_a_calm_minute(scrutiny=scrutiny, name=name, seed=n + 10)
        caught.at(at_s, 120.0)
        assert caught.at(at_s + 2, 120.0) is not None


def test_a_source_that_was_caught_is_asked_to_move_once_by_all_its_numbers():
    scrutiny = Scrutiny()
    sibling, calm, at_s = after_a_calm_minute(scrutiny=scrutiny, name="sibling", seed=2)
    stranger, other, _ = after_a_calm_minute(
        scrutiny=scrutiny, name="stranger", seed=3, endpoint=OTHERS
    )
    catch(scrutiny, at_s, [str(n) for n in range(MANY)])
    frozen = calm()  # frozen so shortly ago that it is no jump
    assert "stood still a moment ago" in sibling.at(at_s + 3, frozen).evidence
    assert sibling.at(at_s + 4, frozen) is not None
    assert sibling.at(at_s + 6, calm()) is None
    assert sibling.at(at_s + 8, calm()) is None
    assert stranger.at(at_s + 3, other()) is None
    assert sibling.at(at_s + 10 + WARY_S, calm()) is None


def test_one_or_two_frozen_symbols_say_nothing_against_the_others():
    scrutiny = Scrutiny()
    sibling, calm, at_s = after_a_calm_minute(scrutiny=scrutiny, name="sibling", seed=2)
    catch(scrutiny, at_s, [str(n) for n in range(MANY - 1)])
    assert sibling.at(at_s + 3, calm()) is None


def test_quotes_that_stop_together_are_accused_sooner_than_one_that_stops_alone():
    def looks_until_accused(names):
        scrutiny, walks = Scrutiny(), {name: walk(n) for n, name in enumerate(names)}
        seen = {name: Looks(scrutiny=scrutiny, name=name) for name in names}
        for at_s in range(0, 200, 2):
            for name in names:
                assert seen[name].at(at_s, walks[name]()) is None
        frozen = {name: walks[name]() for name in names}
        for look in range(40):
            for name in names:
                if seen[name].at(200 + 2 * look, frozen[name]) is not None:
                    return look
        raise AssertionError("never accused")

    assert looks_until_accused("abcd") <= 1 < looks_until_accused("a")


def test_while_one_of_a_kind_moves_the_others_may_stand():
    scrutiny = Scrutiny()
    names, walks = "abcd", {name: walk(n) for n, name in enumerate("abcd")}
    seen = {name: Looks(scrutiny=scrutiny, name=name) for name in names}
    for at_s in range(0, 200, 2):
        for name in names:
            assert seen[name].at(at_s, walks[name]()) is None
    halted = walks["a"]()
    for at_s in (200, 202, 204):
        for name in names:
            value = halted if name == "a" else walks[name]()
            assert seen[name].at(at_s, value) is None


def test_one_table_has_one_content():
    def table(at_s, **rates):
        at = BEGAN + timedelta(seconds=at_s)
        return Reading("USD", "now", tuple(Point(at, c, v) for c, v in sorted(rates.items())), at)

    seen = Looks()
    assert seen.reading(table(0, EUR=0.92, GBP=0.79), 60) is None
    assert seen.reading(table(0, EUR=0.92, GBP=0.79), 120) is None
    verdict = seen.reading(table(0, EUR=0.92, GBP=0.78), 180)
    assert "GBP is 0.78, was 0.79 in the table of the same 2026-03-02 15:00:00" in verdict.evidence
    assert seen.reading(table(3600, EUR=0.93, GBP=0.78), 3700) is None, "the next table"
    mended = table(3600, EUR=0.94, GBP=0.78)
    assert seen.reading(mended, 3800) is not None
    assert seen.reading(mended, 3800 + TABLE_BELIEVED_AFTER_S) is None, "it keeps telling so"
    before = Snapshot(BEGAN, table(0, EUR=0.92), b"", "x")
    assert Looks().reading(table(0, EUR=0.95), 60, last=before) is not None


def test_rates_that_are_renewed_once_a_day_are_never_accused_of_standing_still():
    seen = Looks()
    for look in range(2000):
        day = look // 500
        at = BEGAN + timedelta(days=day)
        rates = Reading("USD", "now", (Point(at, "EUR", 0.9 + day / 100),), at)
        assert seen.reading(rates, look * 173) is None


def bars(market: Market, at_s: int, length_s: int, rows: int, symbol="AAPL") -> Reading:
    first = at_s // length_s * length_s - (rows - 1) * length_s
    points = []
    for start in range(first, at_s + 1, length_s):
        bar = market.bar(symbol, start, length_s, at_s)
        points += [
            Point(moment(start), field, float(getattr(bar, field)))
            for field in ("close", "high", "low", "open", "volume")
        ]
    return Reading(symbol, "5m" if length_s == 300 else "1d", tuple(points), moment(at_s))


T0 = 1_772_000_000


@pytest.mark.parametrize(("length_s", "age_s"), [(300, 3 * HOUR_S), (DAY_S, 5 * DAY_S)])
@pytest.mark.parametrize("seed", range(1, 6))
def test_frozen_bars_are_seen_in_the_first_body_with_nothing_known_before(seed, length_s, age_s):
    now_s = T0 + seed * 100_003
    market = Market(seed)
    assert standing_still(bars(market, now_s, length_s, 91)) is None
    frozen = bars(market.frozen(moment(now_s - age_s)), now_s, length_s, 91)
    assert "stand at" in standing_still(frozen)


def test_bars_frozen_before_the_first_of_them_are_seen_too():
    frozen = bars(Market(1).frozen(moment(T0 - 5 * DAY_S)), T0, 300, 288)
    assert "all 288 rows" in standing_still(frozen)


def series(values, field="close", **columns):
    rows = zip(values, *columns.values(), strict=True)
    points = []
    for day, row in enumerate(rows):
        at = BEGAN + timedelta(days=day)
        points += [Point(at, n, v) for n, v in zip((field, *columns), row, strict=True)]
    return Reading("X", "1d", tuple(sorted(points)), BEGAN)


def test_bars_without_trades_may_stand_still():
    closes = [100.0 + day for day in range(40)] + [140.0] * 5
    traded = [1e6] * 45
    assert standing_still(series(closes, volume=traded)) is not None
    assert standing_still(series(closes, volume=[1e6] * 40 + [0.0] * 5)) is None


def test_a_series_is_measured_by_its_own_habit():
    """A policy rate stands for weeks; a yield that repeats itself now and then may do so again."""
    policy = [5.33] * 30 + [5.08] * 30
    assert standing_still(series(policy, field="value")) is None
    yields = [4.0 + 0.01 * (day % 7) for day in range(90)]
    assert standing_still(series([*yields, 4.2, 4.2, 4.2, 4.2], field="value")) is None
    assert standing_still(series([*yields, *[4.2] * 6], field="value")) is not None


def test_a_series_too_short_to_have_a_habit_is_let_through():
    assert standing_still(series([1.0, 2.0, 3.0, 4.0, 4.0, 4.0], volume=[9.0] * 6)) is None


def test_the_scale_of_bars_is_a_median_that_a_split_does_not_move():
    rnd = random.Random(3)
    closes = [100.0]
    for _ in range(60):
        closes.append(closes[-1] * math.exp(rnd.gauss(0, 0.01)))
    calm = scale_of(series(closes))
    assert calm == pytest.approx(0.01 / math.sqrt(DAY_S), rel=0.3)
    split = [*closes[:30], *[each / 4 for each in closes[30:]]]
    assert scale_of(series(split)) == pytest.approx(calm, rel=0.1)
    assert scale_of(series(closes[:5])) is None


def simulated(seed: int, looks: int) -> Iterator[tuple[float, int]]:
    rnd, at_s = random.Random(seed), float(T0 + seed * 100_003)
    for _ in range(looks):
        at_s += rnd.expovariate(1 / 1.5)
        yield at_s, int(at_s)


def test_the_simulated_market_frozen_three_hours_ago_is_caught_and_a_calm_one_never():
    caught_at_once, alarms, n = 0, 0, 0
    for seed in range(1, 21):
        market, scrutiny = Market(seed), Scrutiny()
        looks = list(simulated(seed, 240))
        for look, (at_s, whole) in enumerate(looks):
            now = moment(at_s)
            broken = look >= 200
            source = market.frozen(moment(looks[200][0] - 3 * HOUR_S)) if broken else market
            value = source.price_s("IBM", whole)
            reading = Reading("IBM", "now", (Point(moment(whole), "price", value),), moment(whole))
            found = scrutiny.examine(("q", ""), reading, QUOTES, None, now)
            if not broken:
                alarms += found is not None
            elif look == 200:
                caught_at_once += found is not None
            elif look > 220:
                n += found is None
    assert alarms == 0
    # What is missed lies within a move that is usual, and is caught by standing still.
    assert caught_at_once >= 17
    assert n == 0


def test_the_memory_is_bounded():
    scrutiny = Scrutiny(most=10)
    for name in range(100):
        Looks(scrutiny=scrutiny, name=str(name)).at(0, 1.0)
    assert len(scrutiny._known) == 10


@pytest.mark.parametrize(("field", "size"), [("volume", 880.0), ("high", 109.0), ("low", 96.0)])
def test_a_bar_that_shrinks_under_a_later_date_is_an_older_bar(field, size):
    whole = {"close": 100.0, "high": 110.0, "low": 95.0, "open": 99.0, "volume": 900.0}

    def bar(at_s, **other):
        row = {**whole, **other}
        points = tuple(Point(BEGAN, name, row[name]) for name in sorted(row))
        return Reading("IBM", "5m", points, BEGAN + timedelta(seconds=at_s))

    seen = Looks()
    assert seen.reading(bar(10), 10) is None
    assert seen.reading(bar(12, close=100.01), 12) is None
    smaller = {field: size, "close": 100.02}
    assert seen.reading(bar(11, **smaller), 13) is None, "another host, and it says so"
    assert f"{field} of the newest bar went" in seen.reading(bar(14, **smaller), 14).evidence
    assert seen.reading(bar(15, close=100.01), 15) is None, "the younger bar again"
    assert seen.reading(bar(16, **smaller), 16) is not None
    mended_s = 16 + BAR_BELIEVED_AFTER_S
    assert seen.reading(bar(mended_s, **smaller), mended_s) is None, "it keeps telling so"


def test_a_new_number_is_held_to_the_strides_of_its_kind():
    """Its first jump is measured by what the others do, where no bars tell."""

    def tenth_of_a_percent(siblings):
        scrutiny = Scrutiny()
        for name in range(siblings):
            sibling, step = Looks(scrutiny=scrutiny, name=str(name)), walk(name, per_look=2e-5)
            assert not any(sibling.at(at_s, step()) for at_s in range(0, 80, 2))
        new = Looks(scrutiny=scrutiny, name="new")
        assert new.at(100, 50.0) is None
        return new.at(102, 50.05)

    assert tenth_of_a_percent(siblings=0) is None
    assert "jumped" in tenth_of_a_percent(siblings=3).evidence


def test_undated_numbers_that_stop_together_are_accused_too_but_later():
    def looks_until_accused(as_of_s):
        scrutiny, walks = Scrutiny(), {name: walk(n) for n, name in enumerate("abcd")}
        seen = {name: Looks(scrutiny=scrutiny, name=name) for name in walks}
        for at_s in range(0, 200, 2):
            for name, each in seen.items():
                assert each.at(at_s, walks[name]()) is None
        frozen = {name: walks[name]() for name in walks}
        for look in range(40):
            at_s = 200 + 2 * look
            for name, each in seen.items():
                reading = quote(frozen[name], at_s, as_of_s=as_of_s or at_s)
                if each.reading(reading, at_s) is not None:
                    return look * 4 + list(seen).index(name)
        raise AssertionError("never accused")

    assert looks_until_accused(None) < looks_until_accused(198) <= 12


@pytest.mark.parametrize("jumped", [MANY - 1, MANY])
def test_where_many_jumps_do_not_come_true_their_kind_is_asked_to_move(jumped):
    """One frozen host serves old numbers; one of them happens to be where the market is."""
    scrutiny = Scrutiny()
    lucky, calm, at_s = after_a_calm_minute(scrutiny=scrutiny, name="lucky", seed=7)
    for n in range(jumped):
        other, step, _ = after_a_calm_minute(scrutiny=scrutiny, name=str(n), seed=n)
        assert other.at(at_s, step() * 1.01) is not None
        assert other.at(at_s + 0.1, step()) is None, "the other host"
    frozen = calm()
    assert (lucky.at(at_s + 0.5, frozen) is not None) == (jumped == MANY)
    assert lucky.at(at_s + 1, calm()) is None, "the other host"
    assert (lucky.at(at_s + 2, frozen) is not None) == (jumped == MANY)
    assert lucky.at(at_s + 3, calm()) is None


def test_numbers_that_stop_together_in_an_alarm_are_asked_to_move_anew():
    """Old numbers of one host first; and then, while all are wary, everything stops."""
    scrutiny, walks = Scrutiny(), {name: walk(n) for n, name in enumerate("abcd")}
    seen = {name: Looks(scrutiny=scrutiny, name=name) for name in walks}
    for at_s in range(0, 200, 2):
        for name in walks:
            assert seen[name].at(at_s, walks[name]()) is None
    for name in "abc":
        assert seen[name].at(200, walks[name]() * 1.01) is not None
        assert seen[name].at(200.1, walks[name]()) is None, "the other host"
    for at_s in (202, 204):
        last = [seen[name].at(at_s, walks[name]()) for name in walks]
    assert last == [None] * 4, "all were seen to move"
    frozen = {name: walks[name]() for name in walks}
    looked = [(at_s, name) for at_s in (206, 208, 208.5) for name in walks]
    refused = {look for look in looked if seen[look[1]].at(look[0], frozen[look[1]]) is not None}
    assert not any((206, name) in refused for name in walks), "one look tells nothing"
    assert {(208.5, name) for name in walks} <= refused, "a look so soon is held to it as well"


def test_a_number_that_came_untrue_stays_doubted_through_an_alarm_about_its_kind():
    scrutiny = Scrutiny()
    for n in range(MANY):
        seen, step, at_s = after_a_calm_minute(scrutiny=scrutiny, name=str(n), seed=n)
        frozen = step() * 1.003
        assert seen.at(at_s, frozen) is not None
        assert seen.at(at_s + 0.1, step()) is None, "the other host"
    assert "stood still a moment ago" in seen.at(at_s + 2, step()).evidence
    assert seen.at(at_s + 4, step()) is None, "it moves, and so the alarm is over for it"
    # The market comes so near to the old number that it is no jump any more.
    movement = scrutiny._known[seen.name, ""].movements["price"]
    movement.believe(frozen * 1.00001, BEGAN.timestamp() + at_s + 4.5)
    assert "again" in seen.at(at_s + 5, frozen).evidence
