from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages_to_send import AT, FIRED, RESOLVED, message

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.channels.chat_form import chat_text, chat_title
from healing_pipeline.channels.gsm import SEPTETS, cut, is_gsm, septets, to_gsm
from healing_pipeline.channels.letter_form import letter_form
from healing_pipeline.channels.machine_form import fields_of
from healing_pipeline.channels.short_form import text_message
from healing_pipeline.channels.telling import link_of, telling
from healing_pipeline.channels.texts import duration
from healing_pipeline.incidents.detection import Severity

# Whatever an upstream, or a person, puts into a text: lone halves of pairs and controls as well.
# Repeated, because texts that are chosen by chance are short.
anything = st.builds(
    lambda text, times: text * times,
    st.text(st.characters(exclude_categories=()), max_size=30),
    st.integers(1, 40),
)
LINK = "http://healing.test:8888/health-dashboard/incidents/12"


class Tags(HTMLParser):
    """The elements of a document, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_letter_says_what_since_when_why_what_was_tried_and_what_to_do_in_both_parts() -> None:
    form = letter_form(FIRED)
    assert form.subject == "[CRITICAL] Yahoo Finance: 2 endpoints cannot be healed"
    for text in (form.text, Tags(form.html).text):
        for said in (
            "Readers of yahoo get errors.",
            "yahoo/chart-aapl-1d, yahoo/chart-msft-1d",
            "provider down",
            "2026-03-02 11:58:00 UTC",
            "status 503 <script>alert('evil')</script>",
            "alternate_host: another host may answer",
            "query2: status 503",
            "use_cached_data: nothing younger than 15 min is stored",
            "etf_proxy: proxies are not accepted",
            "12 of 120 requests",
            "61.0 % of 120 requests in 5 min",
            "See the provider's status page",
            LINK,
            "Acknowledge or silence it",
        ):
            assert said in " ".join(text.split()), said


def test_a_letter_leads_to_where_the_alert_is_acknowledged() -> None:
    form = letter_form(FIRED)
    for part in (form.text, form.html):
        assert "http://healing.test:8888/health-dashboard/alerts/3" in part


def test_markup_in_upstreams_words_is_text_in_the_html() -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(1)">'
    form = letter_form(
        message(
            title=evil,
            body=evil,
            source=evil,
            owners=(evil,),
            earlier=(evil,),
            detail={
                "evidence": evil,
                "action": evil,
                "endpoints": [evil],
                "attempts": [{"strategy": evil, "because": evil, "evidence": evil}],
                "left_out": [{"strategy": evil, "because": evil}],
                "path": '/"><script>alert(1)</script>',
            },
        )
    )
    tags = Tags(form.html)
    assert tags.names.isdisjoint({"script", "img"})
    assert tags.text.count("<script>") >= 8


def test_a_closing_letter_says_how_long_what_healed_it_and_that_no_reader_noticed() -> None:
    form = letter_form(RESOLVED)
    assert form.subject == "[RESOLVED] Yahoo Finance: 2 endpoints cannot be healed"
    for said in ("Lasted: 12 min 34 s", "alternate host", "Readers without an answer: none of"):
        assert said in form.text
    for passed in ("What to do", "61.0 %", "Acknowledge"):
        assert passed not in form.text


@given(text=anything, path=anything, number=st.integers() | st.floats())
def test_any_text_makes_a_letter_that_is_printable(text: str, path: str, number: float) -> None:
    form = letter_form(
        message(
            title=text,
            body=text,
            source=text,
            detail={
                "evidence": text,
                "action": text,
                "path": "/" + path,
                "lasted_s": number,
                "error_rate": number,
                "requests": number,
                "readers_without_answer": number,
                "endpoints": [text],
                "attempts": [{"strategy": text, "seconds": number}, text, None],
                "began_at": text,
            },
        )
    )
    assert form.subject.isprintable()
    for part in (form.text, form.html):
        part.encode("utf-8")
        assert all(each.isprintable() for each in part.replace("\n", ""))


@given(title=anything, level=st.sampled_from(Severity), kind=st.sampled_from(Kind))
def test_any_text_fits_one_text_message_with_the_link_whole(
    title: str, level: Severity, kind: Kind
) -> None:
    text = text_message(message(title=title, level=level, kind=kind))
    assert is_gsm(text)
    assert septets(text) <= SEPTETS
    assert text.endswith(f" {LINK}")


@given(url=anything, path=anything, limit=st.integers(10, SEPTETS))
def test_no_address_of_the_dashboard_makes_a_text_message_longer(
    url: str, path: str, limit: int
) -> None:
    long = message(url=f"https://{url}", detail={"path": f"/{path}"})
    text = text_message(long, limit)
    assert is_gsm(text)
    assert septets(text) <= limit


def test_what_counts_twice_is_counted_twice() -> None:
    text = text_message(message(title="[" * 150, detail={}))
    assert septets(text) == len(text) + text.count("[")
    assert septets(text) <= SEPTETS


def test_a_link_that_leaves_no_room_for_words_is_left_out_not_cut() -> None:
    text = text_message(message(url="https://a." + "b" * 150 + ".test"))
    assert "https" not in text
    assert text == "CRITICAL: Yahoo Finance: 2 endpoints cannot be healed"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Überlastung: 50 % \u2013 «spät»", 'Überlastung: 50 % - "spät"'),
        ("čeština żółć", "cestina zolc"),
        ("東京 is down", "?? is down"),
        ("price ≥ 5 €", "price >= 5 €"),
        ("tab\tand ☂", "tab and ?"),
    ],
)
def test_characters_outside_of_the_alphabet_get_a_stand_in(text: str, said: str) -> None:
    assert to_gsm(text) == said


@given(text=anything, limit=st.integers(0, 300))
def test_a_cut_text_is_within_its_limit(text: str, limit: int) -> None:
    assert septets(cut(to_gsm(text), limit)) <= limit


@given(title=anything, body=anything, limit=st.integers(1, 2000))
def test_a_chat_gets_title_and_text_within_its_limits(title: str, body: str, limit: int) -> None:
    long = message(title=title, body=body)
    assert len(chat_title(long, limit)) <= limit
    text = chat_text(long, limit)
    assert len(text) <= limit
    assert ("http" not in text[-len(LINK) :]) or text.endswith(LINK)


def test_upstreams_words_call_nobody_and_hide_no_link_in_a_chat() -> None:
    text = chat_text(message(body="<!channel> @everyone [see](http://evil.test) <http://a|b>"))
    assert "<" not in text
    assert "@everyone" not in text
    assert "](" not in text


def test_a_program_gets_every_field_under_a_name_of_its_own() -> None:
    fields = json.loads(json.dumps(fields_of(FIRED)))
    assert fields["level"] == "critical"
    assert fields["kind"] == "fired"
    assert fields["detail"]["readers_without_answer"] == 12
    assert fields["link"] == LINK
    assert fields["group_key"] == fields_of(replace(RESOLVED, title="other"))["group_key"]
    assert fields["message_key"] != fields_of(RESOLVED)["message_key"]


def test_a_group_that_fires_again_later_is_another_one_to_a_pager() -> None:
    again = message(began_at=AT.replace(hour=18))
    assert again.group_key != FIRED.group_key


def test_a_link_leads_to_the_dashboard_alone() -> None:
    for path in ("//evil.test/x", "http://evil.test", None, 5):
        elsewhere = message(detail={"path": path})
        assert link_of(elsewhere) == "http://healing.test:8888/health-dashboard/alerts/3"


def test_labels_tell_a_reminder_from_news() -> None:
    assert telling(message(kind=Kind.REMINDER)).subject.startswith("[STILL CRITICAL]")
    assert telling(message(kind=Kind.TEST, level=Severity.INFO)).subject.startswith("[TEST]")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (0.41, "0.4 s"), (45, "45 s"), (754, "12 min 34 s"), (12_000, "3 h 20 min"),
     (7200, "2 h"), (187_200, "2 d 4 h")],
)  # fmt: skip
def test_durations_are_said_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said
