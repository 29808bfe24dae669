"""What docs/reference/alert_channels.md says is tried as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from messages_to_send import FIRED

from healing_pipeline.alerting.settings import ChannelSettings
from healing_pipeline.channels.machine_form import fields_of
from healing_pipeline.channels.mail import LIMIT_S, MailChannel
from healing_pipeline.channels.opening import GUIDE, open_channel
from healing_pipeline.channels.services import (
    ANSWERS_WITHIN_S,
    EACH_LIMIT_S,
    LONGEST_LIMIT_S,
    ServiceChannel,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "alert_channels.md").read_text(encoding="utf-8")
ADDRESSES = dict(re.findall(r"^export (\w+)='(.*)'$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_each_address_of_the_guide_opens_a_channel(name):
    channel = open_channel(ChannelSettings("any", name), ADDRESSES)
    kind = MailChannel if "MAIL" in name else ServiceChannel
    assert isinstance(channel, kind), channel
    shown = repr(channel)
    for secret in ("app-password", "0123456789abcdef", "TIiajkdnlazkc", "wJalrXUtn", "AbCdEfGh"):
        assert secret not in shown


def test_the_guide_has_an_example_of_each_kind_that_people_ask_for():
    kinds = {each.split("://")[0] for each in ADDRESSES.values()}
    assert kinds >= {"mailtos", "twilio", "sns", "slack", "pagerduty", "jsons"}
    assert GUIDE.split(" ")[0] == "docs/reference/alert_channels.md"


def test_the_guide_names_each_field_that_a_webhook_gets():
    missing = {each for each in fields_of(FIRED) if f"`{each}`" not in PAGE}
    assert not missing


def test_the_guide_says_the_limits_that_hold():
    for said in (
        f"{LIMIT_S:.0f} s for\ne-mail",
        f"{EACH_LIMIT_S:.0f} s for each recipient",
        f"({ANSWERS_WITHIN_S:.0f} s;",
    ):
        assert said in PAGE
    assert LONGEST_LIMIT_S == 4 * 60
