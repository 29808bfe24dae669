"""The section `alerts`: what it may say, and each mistake in it with its line and cure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_pipeline.alerting.settings import AlertSettings, ChannelSettings
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import check
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.incidents.detection import Severity

DEFAULT = default_config_text()
PROVIDERS = frozenset({"yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate"})
PASSWORD = "mailto://ann:hunter2@mail.test"
SET = {"ALERTS_MAIL_URL": PASSWORD, "ALERTS_SMS_URL": "twilio://x"}


def uncommented() -> str:
    """The default configuration with its section in force."""
    begin = DEFAULT.index("# alerts:\n")
    end = DEFAULT.index("\n\n", begin)
    section = "\n".join(line.removeprefix("# ") for line in DEFAULT[begin:end].splitlines())
    return DEFAULT[:begin] + section + DEFAULT[end:]


def with_section(section: str) -> str:
    begin = DEFAULT.index("# alerts:\n")
    return DEFAULT[:begin] + f"alerts:\n{section}\n\n" + DEFAULT[DEFAULT.index("\n\n", begin) :]


def read(tmp_path: Path, text: str) -> AlertSettings:
    path = tmp_path / "healing_config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ={}).alerts


def problems(text: str, environ: dict[str, str] | None = None):
    return check(
        text, path=Path("healing_config.yaml"), environ=environ or SET, providers=PROVIDERS
    )


def test_what_the_default_configuration_says_in_comments_is_what_holds_without_it(tmp_path):
    written = read(tmp_path, uncommented())
    without = read(tmp_path, DEFAULT)
    assert without == AlertSettings()
    assert written.channels == (
        ChannelSettings("mail", "ALERTS_MAIL_URL"),
        ChannelSettings("sms", "ALERTS_SMS_URL", levels=frozenset({Severity.CRITICAL})),
    )
    assert AlertSettings(channels=written.channels) == written
    assert problems(uncommented()) == []


def test_every_setting_is_read(tmp_path):
    section = """
  url: https://healing.example.com:8443/base/
  channels:
    desk: {env: DESK_URL, levels: [warning, critical], sources: [fred], owners: [rates]}
  failure-threshold: 3
  success-threshold: 4
  send-on-resolved: false
  minimum-reminder-interval: 1h30m
  minimum-samples: 50
  keep-firing-for: 2m5s
  objective: 0.995
  heals-too-often: 30"""
    assert read(tmp_path, with_section(section)) == AlertSettings(
        url="https://healing.example.com:8443/base",
        channels=(
            ChannelSettings(
                "desk",
                "DESK_URL",
                levels=frozenset({Severity.WARNING, Severity.CRITICAL}),
                sources=frozenset({"fred"}),
                owners=frozenset({"rates"}),
            ),
        ),
        failure_threshold=3,
        success_threshold=4,
        send_on_resolved=False,
        minimum_reminder_interval=timedelta(hours=1.5),
        minimum_samples=50,
        keep_firing_for=timedelta(seconds=125),
        objective=0.995,
        heals_too_often=30,
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [("0", None), ("24h", timedelta(days=1)), ("0s", None), ("3600s", timedelta(hours=1))],
)
def test_a_reminder_interval_of_nothing_means_no_reminders(tmp_path, written, meant):
    section = f"  minimum-reminder-interval: {written}"
    assert read(tmp_path, with_section(section)).minimum_reminder_interval == meant


def test_a_group_may_be_closed_as_soon_as_it_is_well(tmp_path):
    assert read(tmp_path, with_section("  keep-firing-for: 0")).keep_firing_for == timedelta()


MISTAKES = {
    "unknown key": ("  failure_threshold: 3", "Unknown key", "failure-threshold"),
    "no mapping": ("  - mail", "must be a mapping", "Write its keys"),
    "no duration": ("  keep-firing-for: 60", "`keep-firing-for` of `alerts` is `60`", "60s"),
    "words": ("  keep-firing-for: 5 minutes", "no duration", "60s"),
    "list": ("  keep-firing-for: [5m]", "no duration", "60s"),
    "too long": ("  keep-firing-for: 2h", "too long", "up to 1h"),
    "no count": ("  failure-threshold: none", "not a whole number", "from 1 to 100"),
    "percent": ("  objective: 99.9", "out of range", "0.99999"),
    "no flag": ("  send-on-resolved: yes", "true or false", "send-on-resolved: true"),
    "no url": ("  url: localhost:8888", "no address of the dashboard", "https://"),
    "password": ("  url: https://ann:hunter2@example.com", "no address", "without a password"),
    "address": (f"  channels: {{mail: '{PASSWORD}'}}", "must be a mapping", "`env:"),
    "address as url": (f"  channels: {{mail: {{url: '{PASSWORD}'}}}}", "Unknown key", "`env:"),
    "address as env": (f"  channels: {{mail: {{env: '{PASSWORD}'}}}}", "is it the address", "env:"),
    "address as name": (f"  channels: {{'{PASSWORD}': {{env: A}}}}", "bad name", "`mail`"),
    "no env": ("  channels: {mail: {levels: [error]}}", "`env` is missing", "Add"),
    "web": ("  channels: {web: {env: A}}", "is the dashboard", "another name"),
    "info": ("  channels: {mail: {env: A, levels: [info]}}", "`info`", "logged"),
    "no such level": ("  channels: {mail: {env: A, levels: [eror]}}", "`eror`", "`error`?"),
    "no levels": ("  channels: {mail: {env: A, levels: []}}", "names none", "Choose from"),
    "no source": ("  channels: {mail: {env: A, sources: [yaho]}}", "`yaho`", "`yahoo`?"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_on_its_line_with_its_cure_and_without_a_password(name):
    section, problem, cure = MISTAKES[name]
    text = with_section(section)
    found = [each for each in problems(text) if each.severity == "error"]
    assert any(problem in each.problem and cure in each.cure for each in found)
    assert len(found) <= 2
    assert {text.splitlines()[each.line - 1] for each in found} <= {section, "alerts:"}
    assert "hunter2" not in f"{found}"


@pytest.mark.parametrize(
    ("section", "problem", "cure"),
    [
        ("  minimum-reminder-interval: 5m", "less than an hour", "1h"),
        ("  channels: {mail: {env: NOT_SET}}", "NOT_SET is not set", "export NOT_SET"),
        (
            "  channels: {a: {env: ALERTS_SMS_URL, owners: [bob]}}",
            "whom no endpoint",
            "`owner: bob`",
        ),
    ],
)
def test_what_one_can_live_with_is_a_warning(tmp_path, section, problem, cure):
    (found,) = problems(with_section(section))
    assert found.severity == "warning"
    assert problem in found.problem
    assert cure in found.cure
    read(tmp_path, with_section(section))


def test_an_interval_below_an_hour_reminds_once_an_hour(tmp_path):
    settings = read(tmp_path, with_section("  minimum-reminder-interval: 5m"))
    assert settings.minimum_reminder_interval == timedelta(hours=1)


def test_an_owner_whom_an_endpoint_names_is_known():
    text = with_section("  channels: {a: {env: ALERTS_SMS_URL, owners: [rates-desk]}}")
    text = text.replace("  fred/gdp: {", "  fred/gdp: {owner: rates-desk, ")
    assert problems(text) == []


def test_a_program_stops_at_a_mistake_and_says_the_line(tmp_path):
    with pytest.raises(ConfigurationError, match=r"objective.*out of range"):
        read(tmp_path, with_section("  objective: 99"))


@given(
    st.sampled_from(["keep-firing-for", "url", "channels", "objective"]),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40),
)
def test_whatever_stands_in_the_section_is_a_value_or_a_problem(key, text):
    problems(with_section(f"  {key}: {text}"))


def test_the_configuration_that_the_documents_show_is_one(tmp_path):
    document = (Path(__file__).parents[2] / "docs" / "explanation" / "alerts.md").read_text(
        encoding="utf-8"
    )
    section = document.split("```yaml\nalerts:\n")[1].split("```")[0].rstrip("\n")
    settings = read(tmp_path, with_section(section))
    (channel,) = settings.channels
    assert (channel.sources, channel.owners) == (frozenset({"fred"}), frozenset({"rates"}))
    assert replace(settings, channels=(), url=AlertSettings().url) == AlertSettings()
