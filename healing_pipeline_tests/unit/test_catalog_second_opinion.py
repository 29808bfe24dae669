"""The section `second_opinion`: what it may say, and each mistake in it with its line and cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import check
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.second_opinion.settings import Ask, Prices, SecondOpinionSettings, Service

PROVIDERS = frozenset({"yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate"})
DEFAULT = default_config_text()
BEGIN = DEFAULT.index("# second_opinion:\n")
END = DEFAULT.index("\n\n", BEGIN)
KEY = "sk-ant-api03-canary0123456789"
PRICE = "price_per_million_tokens: {input: 3, output: 15, cache_write: 3.75, cache_read: 0.3}"
LINES = {
    "service": "service: anthropic",
    "model": "model: a-model",
    "api_key_env": "api_key_env: MODEL_KEY",
    "daily_budget_usd": "daily_budget_usd: 2.5",
    "price": PRICE,
}


def with_section(section: str) -> str:
    return DEFAULT[:BEGIN] + section + DEFAULT[END:]


def section(**changed: str | None) -> str:
    lines = [each for each in {**LINES, **changed}.values() if each is not None]
    return "second_opinion:\n" + "\n".join(f"  {each}" for each in lines)


def problems(text: str, environ: dict[str, str] | None = None):
    known = {"MODEL_KEY": KEY} if environ is None else environ
    return check(text, path=Path("healing_config.yaml"), environ=known, providers=PROVIDERS)


def read(tmp_path: Path, text: str) -> SecondOpinionSettings | None:
    path = tmp_path / "healing_config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ={}).second_opinion


def test_nobody_is_asked_unless_a_model_is_named(tmp_path):
    assert read(tmp_path, DEFAULT) is None


def test_what_the_default_configuration_says_in_comments_can_be_used(tmp_path):
    commented = DEFAULT[BEGIN:END]
    written = with_section("\n".join(each.removeprefix("# ") for each in commented.splitlines()))
    assert problems(written, {"OPENAI_API_KEY": "x"}) == []
    assert read(tmp_path, written) == SecondOpinionSettings(
        service=Service.OPENAI,
        model="qwen3:8b",
        base_url="http://localhost:11434/v1",
        api_key_env="OPENAI_API_KEY",
        daily_budget_usd=1.0,
        prices=Prices(0.0, 0.0, 0.0, 0.0),
        timeout_s=8.0,
        ask=Ask.UNHEALED,
    )


def test_a_section_is_read_as_it_is_written(tmp_path):
    found = read(tmp_path, with_section(section(ask="ask: always", time="timeout_s: 4")))
    assert found == SecondOpinionSettings(
        service=Service.ANTHROPIC,
        model="a-model",
        base_url="https://api.anthropic.com",
        api_key_env="MODEL_KEY",
        daily_budget_usd=2.5,
        prices=Prices(3.0, 15.0, 3.75, 0.3),
        timeout_s=4.0,
        ask=Ask.ALWAYS,
    )


def test_whoever_bills_no_caches_bills_them_as_input(tmp_path):
    text = section(
        service="service: openai", price="price_per_million_tokens: {input: 2, output: 8}"
    )
    assert read(tmp_path, with_section(text)).prices == Prices(2.0, 8.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"service": "service: gemini"}, "which is not known"),
        ({"service": None}, "`service` is missing"),
        ({"model": None}, "`model` is missing"),
        ({"model": "model: two words"}, "no name of a model"),
        ({"model": f"model: {KEY}"}, "looks like a key"),
        ({"api_key_env": None}, "`api_key_env` is missing"),
        ({"api_key_env": f"api_key_env: {KEY}"}, "is it the key itself"),
        ({"more": f"api_key: {KEY}"}, "Unknown key `api_key`"),
        ({"daily_budget_usd": None}, "`daily_budget_usd` is missing"),
        ({"daily_budget_usd": "daily_budget_usd: -1"}, "out of range"),
        ({"daily_budget_usd": "daily_budget_usd: much"}, "not a number"),
        ({"price": None}, "`price_per_million_tokens` is missing"),
        ({"price": PRICE.replace(", cache_read: 0.3", "")}, "`cache_read` is missing"),
        ({"price": "price_per_million_tokens: 3"}, "must be a mapping"),
        ({"price": PRICE.replace("output: 15", "output: 0")}, "never be spent"),
        ({"timeout": "timeout_s: 30"}, "out of range"),
        ({"ask": "ask: sometimes"}, "which is not known"),
        ({"base_url": "base_url: http://api.example.com"}, "in the clear"),
        ({"base_url": "base_url: https://user:pass@example.com"}, "holds credentials"),
        ({"base_url": "base_url: ftp://example.com"}, "does not begin with"),
        ({"base_url": "base_url: 'https://example.com/v1?key=x'"}, "more than"),
        ({"more": "temperature: 1"}, "Unknown key `temperature`"),
    ],
)
def test_each_mistake_is_told_once_with_its_line_and_a_cure_and_no_key(tmp_path, changed, problem):
    text = with_section(section(**changed))
    found = problems(text)
    assert [each.severity for each in found] == ["error"], found
    (one,) = found
    assert problem in one.problem
    begin = text.splitlines().index("second_opinion:") + 1
    assert begin <= one.line <= begin + len(LINES) + 1
    assert one.cure
    assert KEY not in repr(one)


def test_a_key_that_is_not_set_is_a_warning_with_its_line():
    text = with_section(section())
    (found,) = problems(text, {})
    assert (found.severity, "MODEL_KEY is not set" in found.problem) == ("warning", True)
    assert "MODEL_KEY" in text.splitlines()[found.line - 1]


def test_a_server_of_ones_own_needs_no_key():
    text = section(
        service="service: openai", base_url="base_url: http://localhost:8000/v1", api_key_env=None
    )
    assert problems(with_section(text)) == []


@given(written=st.text(max_size=60))
def test_no_section_at_all_is_an_error_of_ours(written):
    problems(with_section("second_opinion: " + written.replace("\n", " ")))
