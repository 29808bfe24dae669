"""Each strategy by examples: when it is right, when it declines, and what it sends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from situations import (
    NOW,
    ONE,
    PRIMARY,
    QUESTIONS,
    SPARE,
    TWO,
    Say,
    Scripted,
    alternate,
    body_of,
    read,
    replace_instrument,
    run,
    situation,
    speaker,
    stored,
    truth,
    way,
)

from healing_pipeline.catalog.values import Alternates, Quota
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import (
    AlternateHost,
    AlternateSeries,
    BatchRequests,
    EtfProxy,
    ExponentialBackoffRetry,
    FallbackProvider,
    HedgedRequest,
    LongTtlCache,
    ReduceRequestSize,
    RefreshSession,
    RotateApiKey,
    UseCachedData,
    UseDailyData,
)
from healing_pipeline.healing.strategy import Healed, NotHealed, Situation, Strategy
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading
from healing_pipeline.probing.response import RequestLine, Verdict

TWO_BY_TWO = (way(ONE, PRIMARY), way(ONE, SPARE), way(TWO, PRIMARY), way(TWO, SPARE))
KEYLESS = (way(ONE, None), way(TWO, None))
ALL = frozenset(Fidelity)
OF_ONE_HOST = [
    FailureClass.TIMEOUT,
    FailureClass.SLOW,
    FailureClass.NETWORK_ERROR,
    FailureClass.SERVER_ERROR,
    FailureClass.INVALID_DATA,
]


def line_of(question: str) -> RequestLine:
    return RequestLine(*QUESTIONS[question])


def heal(strategy: Strategy, there: Situation, upstream: Scripted) -> Healed | NotHealed:
    assert strategy.applies(there).ok, strategy.applies(there).because
    return run(strategy.heal(there, upstream))


def declines(strategy: Strategy, there: Situation, because: str) -> bool:
    applicability = strategy.applies(there)
    return not applicability.ok and because in applicability.because


class TestAlternateHost:
    @pytest.mark.parametrize("failure", OF_ONE_HOST)
    def test_asks_the_other_host_with_the_same_key(self, failure):
        upstream = Scripted([Say()])
        result = heal(AlternateHost(), situation(failure=failure, ways=TWO_BY_TWO), upstream)
        assert isinstance(result, Healed)
        assert result.fidelity is Fidelity.EXACT
        assert [(each.host_name, each.key_name) for each in upstream.sent] == [("two", "primary")]

    @pytest.mark.parametrize(
        "failure",
        ["bot_block", "auth_error", "quota_exhausted", "not_found", "plan_limit", "rate_limit"],
    )
    def test_declines_what_holds_at_every_host(self, failure):
        there = situation(failure=FailureClass(failure), ways=TWO_BY_TWO)
        assert not AlternateHost().applies(there).ok

    def test_believes_that_a_limit_without_a_key_may_be_the_hosts_own(self):
        there = situation(failure=FailureClass.RATE_LIMIT, ways=KEYLESS, key=None)
        assert isinstance(heal(AlternateHost(), there, Scripted([Say()])), Healed)

    @pytest.mark.parametrize("failure", ["auth_error", "quota_exhausted", "rate_limit"])
    def test_goes_where_no_key_is_asked_for_when_the_key_is_refused(self, failure):
        ways = (way(ONE, PRIMARY), way(ONE, SPARE), way(TWO, None))
        there = situation(failure=FailureClass(failure), ways=ways)
        upstream = Scripted([Say()])
        assert isinstance(heal(AlternateHost(), there, upstream), Healed)
        assert upstream.sent[0].host_name == "two"

    def test_says_why_the_other_host_is_closed(self):
        ways = (way(ONE), way(TWO, why_closed="ejected for 4 s"))
        assert declines(AlternateHost(), situation(ways=ways), "two is closed: ejected for 4 s")

    def test_declines_with_the_only_host_there_is(self):
        assert declines(AlternateHost(), situation(), "no other host")

    def test_sends_the_session_that_is_known_for_that_host(self):
        upstream = Scripted([Say()], sessions={"two": "t0ken"})
        heal(AlternateHost(), situation(ways=TWO_BY_TWO), upstream)
        assert upstream.sent[0].url == "http://two.test/bars/X?session=t0ken"


class TestRotateApiKey:
    @pytest.mark.parametrize(
        "failure", ["auth_error", "rate_limit", "quota_exhausted", "plan_limit"]
    )
    def test_asks_the_same_host_with_the_next_key(self, failure):
        upstream = Scripted([Say()])
        there = situation(failure=FailureClass(failure), ways=TWO_BY_TWO)
        assert isinstance(heal(RotateApiKey(), there, upstream), Healed)
        assert [(each.host_name, each.key_name) for each in upstream.sent] == [("one", "spare")]

    def test_says_which_keys_are_closed_and_why(self):
        ways = (way(ONE, PRIMARY), way(ONE, SPARE, "25 of 25 calls spent"))
        there = situation(failure=FailureClass.QUOTA_EXHAUSTED, ways=ways)
        assert declines(RotateApiKey(), there, "spare: 25 of 25 calls spent")

    @pytest.mark.parametrize("failure", ["server_error", "bot_block", "not_found", "timeout"])
    def test_declines_what_is_not_the_keys(self, failure):
        there = situation(failure=FailureClass(failure), ways=TWO_BY_TWO)
        assert declines(RotateApiKey(), there, "another key does not cure")

    def test_declines_without_a_second_key(self):
        there = situation(failure=FailureClass.AUTH_ERROR, ways=(way(ONE), way(TWO)))
        assert declines(RotateApiKey(), there, "primary is the only key")


class TestExponentialBackoffRetry:
    def test_waits_twice_as_long_before_the_second_try(self):
        upstream = Scripted([Say(FailureClass.SERVER_ERROR), Say()])
        result = heal(ExponentialBackoffRetry(), situation(), upstream)
        # 0.999 * 0.2 s, a call of 0.05 s, 0.999 * 0.4 s, a call of 0.05 s.
        assert isinstance(result, Healed)
        assert (result.fetched_at - NOW).total_seconds() == pytest.approx(0.6994, abs=1e-4)
        assert result.evidence == "good on try 3"

    def test_goes_another_way_after_a_timeout(self):
        upstream = Scripted([Say()])
        heal(
            ExponentialBackoffRetry(),
            situation(failure=FailureClass.TIMEOUT, ways=(way(ONE), way(TWO))),
            upstream,
        )
        assert upstream.sent[0].host_name == "two"

    @pytest.mark.parametrize(
        "failure", ["rate_limit", "quota_exhausted", "auth_error", "not_found"]
    )
    def test_does_not_spend_calls_on_what_does_not_pass(self, failure):
        there = situation(failure=FailureClass(failure))
        assert declines(ExponentialBackoffRetry(), there, "asking again does not cure")

    def test_stops_when_the_failure_turns_into_one_that_does_not_pass(self):
        upstream = Scripted([Say(FailureClass.RATE_LIMIT), Say()])
        assert isinstance(heal(ExponentialBackoffRetry(), situation(), upstream), NotHealed)
        assert len(upstream.sent) == 1

    def test_stops_when_our_own_limits_refuse(self):
        upstream = Scripted([Say(refused=True)])
        assert isinstance(heal(ExponentialBackoffRetry(), situation(), upstream), NotHealed)
        assert (upstream.asked, len(upstream.sent)) == (1, 0)

    def test_looks_once_more_at_a_damaged_body(self):
        upstream = Scripted([Say(FailureClass.INVALID_DATA)])
        there = situation(failure=FailureClass.INVALID_DATA)
        assert isinstance(heal(ExponentialBackoffRetry(), there, upstream), NotHealed)
        assert len(upstream.sent) == 1

    def test_declines_when_every_way_is_closed(self):
        there = situation(ways=(way(ONE, why_closed="ejected for 4 s"),))
        assert declines(ExponentialBackoffRetry(), there, "ejected for 4 s")


class TestHedgedRequest:
    def slow(self, **options) -> Situation:
        return situation(failure=FailureClass.SLOW, **options)

    def test_makes_one_call_when_the_first_is_in_time(self):
        upstream = Scripted([Say(after_s=0.29)])
        assert isinstance(heal(HedgedRequest(), self.slow(), upstream), Healed)
        assert len(upstream.sent) == 1

    def test_begins_a_second_call_by_another_way_when_the_first_is_late(self):
        upstream = Scripted([Say(after_s=5.0), Say(after_s=0.1)])
        result = heal(HedgedRequest(), self.slow(ways=(way(ONE), way(TWO))), upstream)
        assert isinstance(result, Healed)
        assert [each.host_name for each in upstream.sent] == ["two", "one"]
        # Begun after 0.3 s, answered 0.1 s later; the first one is not waited for.
        assert (result.fetched_at - NOW).total_seconds() == pytest.approx(0.4)
        assert upstream.running == 0

    def test_takes_the_first_when_it_comes_in_before_the_second(self):
        upstream = Scripted([Say(after_s=0.5), Say(after_s=5.0)])
        result = heal(HedgedRequest(), self.slow(), upstream)
        assert isinstance(result, Healed)
        assert (result.fetched_at - NOW).total_seconds() == pytest.approx(0.5)
        assert result.evidence == "call 1 of the race was good"
        assert len(upstream.sent) == 2

    def test_waits_for_the_other_when_the_first_one_in_is_bad(self):
        upstream = Scripted([Say(FailureClass.SERVER_ERROR, 0.4), Say(after_s=0.3)])
        result = heal(HedgedRequest(), self.slow(), upstream)
        assert isinstance(result, Healed)
        assert (result.fetched_at - NOW).total_seconds() == pytest.approx(0.6)

    def test_begins_the_second_at_once_when_the_first_breaks_off(self):
        upstream = Scripted([Say(FailureClass.NETWORK_ERROR, 0.1), Say(after_s=0.1)])
        result = heal(HedgedRequest(), self.slow(), upstream)
        assert isinstance(result, Healed)
        assert (result.fetched_at - NOW).total_seconds() == pytest.approx(0.2)

    @pytest.mark.parametrize("say", [Say(FailureClass.RATE_LIMIT), Say(refused=True)])
    def test_asks_no_second_time_where_calls_are_what_is_refused(self, say):
        upstream = Scripted([say])
        assert isinstance(heal(HedgedRequest(), self.slow(), upstream), NotHealed)
        assert upstream.asked == 1

    def test_ends_with_its_own_time_limit_when_nobody_answers(self):
        upstream = Scripted([Say(after_s=60)])

        async def timed() -> float:
            await HedgedRequest().heal(self.slow(), upstream)
            return asyncio.get_running_loop().time()

        assert run(timed()) == pytest.approx(0.9)
        assert upstream.limits == pytest.approx([0.9, 0.6])

    @pytest.mark.parametrize("quota", [Quota(per_day=25), Quota(per_month=1500)])
    def test_does_not_race_where_calls_are_counted_by_the_day_or_month(self, quota):
        assert declines(HedgedRequest(), self.slow(quota=quota), "counted by the day or month")

    def test_races_where_calls_are_counted_by_the_minute(self):
        assert HedgedRequest().applies(self.slow(quota=Quota(per_minute=5))).ok


class TestBatchRequests:
    def limited(self, question: str = "quote", **options) -> Situation:
        return situation(question, FailureClass.RATE_LIMIT, **options)

    def test_asks_once_for_everyone_and_answers_with_its_own_part(self):
        upstream = Scripted([Say()], others=["Y", "Z"])
        result = heal(BatchRequests(), self.limited(), upstream)
        assert isinstance(result, Healed)
        assert [each.line.params["symbols"] for each in upstream.sent] == ["X,Y,Z"]
        assert result.reading.instrument == "X"
        assert read(result.body, line_of("quote")) == result.reading
        assert result.fidelity is Fidelity.EXACT

    def test_asks_for_itself_when_nobody_else_comes(self):
        upstream = Scripted([Say()])
        result = heal(BatchRequests(), self.limited(), upstream)
        assert isinstance(result, Healed)
        assert upstream.sent[0].line.params["symbols"] == "X"

    def test_declines_what_the_provider_answers_one_by_one(self):
        assert declines(BatchRequests(), self.limited("days"), "one by one")

    def test_does_not_hand_out_a_part_that_it_cannot_say_in_the_providers_form(self):
        silent = speaker(able={"merged", "part"})
        there = self.limited(provider=silent)
        upstream = Scripted([Say()], others=["Y"], provider=silent)
        result = heal(BatchRequests(), there, upstream)
        assert isinstance(result, NotHealed)
        assert "cannot be said" in result.verdict.evidence


class TestRefreshSession:
    REFUSED = Verdict(FailureClass.AUTH_ERROR, "finance error 'Unauthorized: Invalid Crumb'")

    def test_fetches_a_session_and_asks_with_it(self):
        upstream = Scripted([Say(token="fresh")])
        result = heal(RefreshSession(), situation(failure=self.REFUSED, key=None), upstream)
        assert isinstance(result, Healed)
        assert [each.url for each in upstream.sent] == [
            "http://one.test/session",
            "http://one.test/bars/X?session=fresh",
        ]
        assert upstream.sessions == {"one": "fresh"}

    def test_asks_nothing_more_when_no_session_is_handed_out(self):
        upstream = Scripted([Say(token=None)])
        result = heal(RefreshSession(), situation(failure=self.REFUSED), upstream)
        assert isinstance(result, NotHealed)
        assert "no session was handed out" in result.verdict.evidence
        assert len(upstream.sent) == 1
        assert upstream.sessions == {}

    def test_leaves_a_refused_key_to_others(self):
        refused = Verdict(FailureClass.AUTH_ERROR, "error 400 'api_key is not registered'")
        assert declines(RefreshSession(), situation(failure=refused), "not said to be the session")

    def test_declines_for_a_provider_without_sessions(self):
        there = situation(failure=self.REFUSED, provider=speaker(able=set()))
        assert declines(RefreshSession(), there, "has no sessions")


class TestFallbackProvider:
    def test_answers_exactly_where_the_last_known_numbers_agree(self):
        there = situation(alternates=(alternate(),), snapshot=stored(line_of("days")))
        result = heal(FallbackProvider(), there, Scripted([Say()], scale=1.003))
        assert isinstance(result, Healed)
        assert (result.fidelity, result.provider) == (Fidelity.EXACT, "other")
        assert read(result.body, line_of("days")) == result.reading

    def test_refuses_numbers_from_before_a_split(self):
        there = situation(alternates=(alternate(),), snapshot=stored(line_of("days")))
        result = heal(FallbackProvider(), there, Scripted([Say()], scale=4.0))
        assert isinstance(result, NotHealed)
        assert "differs from the last known value" in result.verdict.evidence

    def test_calls_nothing_exact_that_it_could_not_compare(self):
        there = situation(alternates=(alternate(),))
        result = heal(FallbackProvider(), there, Scripted([Say()]))
        assert isinstance(result, Healed)
        assert result.fidelity is Fidelity.COARSER

    def test_does_not_compare_with_a_proxy(self):
        proxy = stored(line_of("days"), label=Fidelity.PROXY)
        there = situation(alternates=(alternate(),), snapshot=proxy)
        result = heal(FallbackProvider(), there, Scripted([Say()]))
        assert isinstance(result, Healed)
        assert result.fidelity is Fidelity.COARSER

    def test_answers_nothing_when_what_it_found_is_not_accepted(self):
        there = situation(alternates=(alternate(),), accepts=frozenset({Fidelity.EXACT}))
        result = heal(FallbackProvider(), there, Scripted([Say()]))
        assert isinstance(result, NotHealed)
        assert "does not accept coarser" in result.verdict.evidence

    def test_passes_over_an_alternate_that_is_closed(self):
        closed, opened = alternate(why_closed="ejected for 4 s"), alternate(name="third")
        there = situation(alternates=(closed, opened), snapshot=stored(line_of("days")))
        result = heal(FallbackProvider(), there, Scripted([Say()]))
        assert isinstance(result, Healed)
        assert result.provider == "third"

    def test_asks_the_second_when_the_first_fails_and_it_may(self):
        there = situation(
            alternates=(alternate(), alternate(name="third")), snapshot=stored(line_of("days"))
        )
        script = [Say(FailureClass.SERVER_ERROR), Say()]
        result = heal(FallbackProvider(most=2), there, Scripted(script))
        assert isinstance(result, Healed)
        assert result.provider == "third"
        assert isinstance(heal(FallbackProvider(most=1), there, Scripted(script)), NotHealed)

    def test_says_why_no_alternate_can_be_asked(self):
        there = situation(alternates=(alternate(why_closed="no calls left today"),))
        assert declines(FallbackProvider(), there, "other/x cannot be asked now: no calls left")
        assert declines(FallbackProvider(), situation(), "names no other endpoint")

    def test_spends_no_call_where_the_answer_could_not_be_said(self):
        there = situation(
            alternates=(alternate(),),
            snapshot=stored(line_of("days")),
            provider=speaker(able=set()),
        )
        assert declines(FallbackProvider(), there, "cannot be said in the form of ticks")

    @pytest.mark.parametrize("change", ["value", "as_of", "row", "unreadable"])
    def test_hands_out_no_body_that_reads_back_otherwise(self, change):
        def wrong(reading: Reading, path, params, now):
            first, *rest = reading.points
            if change == "value":
                return body_of(replace(reading, points=(replace(first, value=1.0), *rest)))
            if change == "as_of":
                return body_of(replace(reading, as_of=reading.as_of + timedelta(seconds=1)))
            return body_of(replace(reading, points=tuple(rest))) if change == "row" else b"{}"

        provider = replace(speaker(), rendered=wrong)
        there = situation(alternates=(alternate(),), provider=provider)
        result = heal(FallbackProvider(), there, Scripted([Say()]))
        assert isinstance(result, NotHealed)
        assert "in the form of ticks" in result.verdict.evidence


class TestOldData:
    @pytest.mark.parametrize(
        ("stored_as", "served_as"),
        [("exact", "stale"), ("stale", "stale"), ("coarser", "coarser"), ("proxy", "proxy")],
    )
    @pytest.mark.parametrize("strategy", [UseCachedData(), LongTtlCache()], ids=lambda x: x.name)
    def test_never_improves_a_label_in_the_store(self, strategy, stored_as, served_as):
        there = situation(
            snapshot=stored(line_of("days"), label=Fidelity(stored_as), provider="other"),
            accepts=ALL,
            quota=Quota(per_day=25),
        )
        upstream = Scripted([Say()])
        result = heal(strategy, there, upstream)
        assert isinstance(result, Healed)
        assert (result.fidelity, result.provider) == (Fidelity(served_as), "other")
        assert result.fetched_at == NOW - timedelta(seconds=60)
        assert upstream.sent == []

    def test_is_served_for_a_quarter_of_an_hour(self):
        assert UseCachedData().applies(situation(snapshot=stored(line_of("days"), 900))).ok
        old = situation(snapshot=stored(line_of("days"), 901))
        assert declines(UseCachedData(), old, "901 s old, over 0:15:00")

    def test_is_served_for_a_day_where_calls_are_counted_by_the_day(self):
        def there(age_s: float, **quota: int) -> Situation:
            snapshot = stored(line_of("days"), age_s)
            return situation(
                failure=FailureClass.QUOTA_EXHAUSTED, snapshot=snapshot, quota=Quota(**quota)
            )

        assert LongTtlCache().applies(there(86_400, per_day=25)).ok
        assert LongTtlCache().applies(there(86_400, per_month=1500)).ok
        assert declines(LongTtlCache(), there(86_401, per_day=25), "over 1 day")
        assert declines(LongTtlCache(), there(901, per_minute=5), "no quota by the day or month")


class TestLess:
    def test_a_smaller_request_is_coarser(self):
        there = situation(failure=FailureClass.SLOW)
        upstream = Scripted([Say()])
        result = heal(ReduceRequestSize(), there, upstream)
        assert isinstance(result, Healed)
        assert result.fidelity is Fidelity.COARSER
        assert upstream.sent[0].line.params["rows"] == "10"

    def test_a_smaller_request_is_put_to_the_path_that_was_asked(self):
        there = replace(situation(failure=FailureClass.SLOW), path="/bars/Y", params={"rows": "8"})
        upstream = Scripted([Say()])
        heal(ReduceRequestSize(), there, upstream)
        assert upstream.sent[0].line.path == "/bars/Y"
        assert upstream.sent[0].line.params["rows"] == "4"

    def test_daily_bars_are_coarser_than_those_within_the_day(self):
        there = situation("minutes", FailureClass.PLAN_LIMIT)
        result = heal(UseDailyData(), there, Scripted([Say()]))
        assert isinstance(result, Healed)
        assert (result.fidelity, result.reading.interval) == (Fidelity.COARSER, "1d")

    def test_nothing_is_coarser_than_days_here(self):
        there = situation("days", FailureClass.EMPTY)
        assert declines(UseDailyData(), there, "not one for bars within the day")

    @pytest.mark.parametrize("failure", ["auth_error", "quota_exhausted", "bot_block"])
    def test_asks_nothing_else_of_a_source_that_refuses_us(self, failure):
        there = situation(
            "minutes", FailureClass(failure), proxies=Alternates("GS10", "XLK"), accepts=ALL
        )
        for strategy in (UseDailyData(), EtfProxy(), AlternateSeries()):
            assert declines(strategy, there, f"would meet {failure} too")


class TestProxies:
    THERE = situation(
        failure=FailureClass.NOT_FOUND, proxies=Alternates(series="GS10", etf="XLK"), accepts=ALL
    )

    @pytest.mark.parametrize(
        ("strategy", "name"), [(EtfProxy(), "XLK"), (AlternateSeries(), "GS10")]
    )
    def test_answer_under_their_own_name(self, strategy, name):
        result = heal(strategy, self.THERE, Scripted([Say()]))
        assert isinstance(result, Healed)
        assert (result.fidelity, result.reading.instrument) == (Fidelity.PROXY, name)
        assert result.reading == truth(RequestLine(f"/bars/{name}", QUESTIONS["days"][1]), NOW)

    @pytest.mark.parametrize("strategy", [EtfProxy(), AlternateSeries()], ids=lambda x: x.name)
    def test_are_for_those_only_who_accept_them(self, strategy):
        there = replace(self.THERE, accepts=ALL - {Fidelity.PROXY})
        assert declines(strategy, there, "does not accept proxy")

    @pytest.mark.parametrize("strategy", [EtfProxy(), AlternateSeries()], ids=lambda x: x.name)
    def test_are_not_believed_under_another_name(self, strategy):
        def mislabelled(body, line):
            return replace_instrument(read(body, line), "X")

        provider = replace(speaker(), read=mislabelled)
        there = replace(self.THERE, provider=provider)
        result = heal(strategy, there, Scripted([Say()], provider=provider))
        assert isinstance(result, NotHealed)
        assert "the answer speaks of X" in result.verdict.evidence

    @pytest.mark.parametrize("strategy", [EtfProxy(), AlternateSeries()], ids=lambda x: x.name)
    def test_decline_where_the_catalog_names_none_or_the_thing_itself(self, strategy):
        assert declines(strategy, situation(accepts=ALL), "the catalog names no")
        itself = situation(proxies=Alternates("X", "X"), accepts=ALL)
        assert declines(strategy, itself, "cannot be asked for in this form")
