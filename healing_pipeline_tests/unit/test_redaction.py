"""No key in what people read, and one printable line of it."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.probing.redaction import EVIDENCE_CHARS, REDACTED, evidence_line, redact

HEX_KEYS = st.text("0123456789abcdef", min_size=32, max_size=32)
CAPITAL_KEYS = st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16)
ANY_KEYS = st.text(string.ascii_letters + string.digits + "_-", min_size=8, max_size=40)
TEXTS = st.text(max_size=60)


@given(key=HEX_KEYS | CAPITAL_KEYS, before=TEXTS, after=TEXTS)
def test_a_key_by_its_shape_never_shows_wherever_it_stands(key, before, after):
    assert key not in evidence_line(f"{before} {key} {after}")
    assert key not in evidence_line(f"{before}/v6/{key}/latest/USD{after}")


@pytest.mark.parametrize(
    "sentence",
    [
        "https://api.example.com/query?function=X&apikey={key}&symbol=A",
        "https://api.example.com/fred/series?api_key={key}",
        "https://api.example.com/live?access_key={key}&base=EUR",
        "https://api.example.com/latest.json?app_id={key}",
        "/v7/finance/quote?symbols=A&crumb={key}",
        '{{"apiKey": "{key}", "error": "no"}}',
        "X-Api-Key: {key}",
        "Authorization: Bearer {key}",
        "We have detected your API key as {key}",
        "https://someone:{key}@proxy.example.com/",
    ],
)
@given(key=ANY_KEYS)
def test_a_key_of_any_shape_never_shows_under_its_name(sentence, key):
    key += "7"  # no sentence holds a word of eight letters that ends so
    assert key not in redact(sentence.format(key=key))


@given(text=st.text(max_size=6000))
def test_evidence_is_one_printable_line_of_at_most_200_characters(text):
    line = evidence_line(text)
    assert len(line) <= EVIDENCE_CHARS
    assert line.isprintable()
    assert "\n" not in line


@given(text=TEXTS, key=HEX_KEYS)
def test_redacting_twice_changes_nothing_more(text, key):
    once = redact(f"{text} apikey={key}")
    assert redact(once) == once


@pytest.mark.parametrize(
    "sentence",
    [
        "The series does not exist.",
        "No fundamentals data found for any of the summaryTypes=balanceSheetHistoryQuarterly",
        "Variable api_key is not set. Read https://fred.stlouisfed.org/docs/api/api_key.html",
        "the parameter apikey is invalid or missing",
        "105 base_currency_access_restricted",
        "for TIME_SERIES_DAILY_ADJUSTED.",
        "contact support@openexchangerates.org",
        "startDate = 1577836800, endDate = 1578009600",
    ],
)
def test_messages_without_a_key_stay_readable(sentence):
    assert redact(sentence) == sentence


def test_the_daily_limit_message_keeps_its_words_and_loses_the_key():
    line = evidence_line("We have detected your API key as Q2W3E4R5T6Z7U8I9 and our limit is 25")
    assert line == f"We have detected your API key as {REDACTED} and our limit is 25"


@pytest.mark.parametrize(
    "word", ["abcdefghijklmno_", "Abcdefghijklmno", "abcdefghijklmno-", "aB", "ab"]
)
@pytest.mark.parametrize("end", ["1", "", "_", "X", "-1"])
def test_words_put_together_take_no_longer_the_more_there_are(word, end):
    """Found by fuzzing: 50 bytes of a body held the event loop for 26 s."""
    began = time.process_time()
    evidence_line(word * 200 + end)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "token",
    ["insiderTransactions", "quarterlyFinancialData", "unknown_parameter", "rate-limit-exceeded"],
)
def test_words_put_together_are_no_key(token):
    assert redact(token) == token
