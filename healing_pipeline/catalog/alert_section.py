"""The section `alerts` of a configuration: who is told, of what, when and how often.

Keys are those of Gatus where Gatus has them. An address of a channel may hold passwords: it is in
an environment variable and never in the file, and no message here repeats what was written for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from healing_pipeline.alerting.messages import SHORTEST_REMINDER
from healing_pipeline.alerting.settings import WEB, AlertSettings, ChannelSettings
from healing_pipeline.catalog.document import Node, Scalar, Table
from healing_pipeline.catalog.fields import Fields, as_table
from healing_pipeline.catalog.names import is_name, name_cure
from healing_pipeline.catalog.problems import Findings, did_you_mean, listed, shown
from healing_pipeline.catalog.secrecy import SECRET_FIELDS, is_variable_name
from healing_pipeline.incidents.detection import Severity

KEYS = (
    "url",
    "channels",
    "failure-threshold",
    "success-threshold",
    "send-on-resolved",
    "minimum-reminder-interval",
    "minimum-samples",
    "keep-firing-for",
    "objective",
    "heals-too-often",
)
CHANNEL_KEYS = ("levels", "sources", "owners")
LEVELS = (Severity.WARNING, Severity.ERROR, Severity.CRITICAL)

NO_ADDRESSES = (
    "Put the channel's address (an Apprise URL) into an environment variable and write its name: "
    "`env: ALERTS_MAIL_URL`."
)
LONGEST_HOLD = timedelta(hours=1)
DAYS = timedelta(days=30)
_DURATION = re.compile(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
_URL = re.compile(r"https?://[A-Za-z0-9\[][^\s@?#\\\"<>]*")


def read_alerts(root: Fields, findings: Findings) -> AlertSettings:
    """The section among the top level's fields; what is wrong falls back to its default."""
    node = root.node("alerts")
    default = AlertSettings()
    if node is None:
        return default
    fields = Fields(
        node,
        what="`alerts`",
        line=node.line,
        required=(),
        optional=KEYS,
        findings=findings,
    )
    written: dict[str, Any] = {
        "url": _url(fields, findings),
        "channels": _channels(fields, findings) or None,
        "failure_threshold": fields.whole("failure-threshold", 1, 100),
        "success_threshold": fields.whole("success-threshold", 1, 100),
        "send_on_resolved": fields.flag("send-on-resolved"),
        "minimum_samples": fields.whole("minimum-samples", 1, 1_000_000),
        "keep_firing_for": _duration(fields, "keep-firing-for", "60s", LONGEST_HOLD, findings),
        "objective": fields.number("objective", 0.5, 0.99999),
        "heals_too_often": fields.whole("heals-too-often", 2, 100_000),
    }
    interval = _duration(fields, "minimum-reminder-interval", "1h", DAYS, findings)
    if interval is not None:
        written["minimum_reminder_interval"] = _reminder(fields, interval, findings)
    given = {name: value for name, value in written.items() if value is not None}
    if interval == timedelta():
        given["minimum_reminder_interval"] = None
    return AlertSettings(**given)


def check_channels(
    root: Fields,
    *,
    sources: Collection[str],
    owners: Collection[str],
    environ: Mapping[str, str],
    findings: Findings,
) -> None:
    """Hold what the channels name against what there is; the section itself was read already."""
    section = root.node("alerts")
    table = _entry(section, "channels")
    if not isinstance(table, Table):
        return
    for name, node in table.entries:
        if not isinstance(node, Table) or not is_name(name.text):
            continue
        fields = Fields(
            node,
            what=_what(name),
            line=name.line,
            required=(),
            optional=("env", *CHANNEL_KEYS),
            findings=Findings(),
        )
        for each in fields.texts("sources"):
            if each.text not in sources:
                findings.error(
                    each.line,
                    f"{_what(name, capital=True)} names the source {shown(each.text)}, which does "
                    "not exist.",
                    f"{did_you_mean(each.text, sources)}Sources are {listed(sorted(sources))}.",
                )
        for each in fields.texts("owners"):
            if each.text not in owners:
                findings.warn(
                    each.line,
                    f"{_what(name, capital=True)} names the owner {shown(each.text)}, whom no "
                    "endpoint names.",
                    f"{did_you_mean(each.text, owners)}Write `owner: {each.text}` at an endpoint, "
                    "or give a job of Dagster's that tag.",
                )
        env = fields.text("env")
        if env is not None and is_variable_name(env.text) and not environ.get(env.text, "").strip():
            findings.warn(
                env.line,
                f"The environment variable {env.text} is not set, which holds the address of "
                f"{_what(name)}.",
                f"`export {env.text}=...`; until then nothing can be sent there.",
            )


def _entry(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, Table):
        return None
    return next((value for name, value in node.entries if name.text == key), None)


def _what(name: Scalar, *, capital: bool = False) -> str:
    return f"{'Channel' if capital else 'channel'} {shown(name.text)}"


def _url(fields: Fields, findings: Findings) -> str | None:
    written = fields.text("url")
    if written is None:
        return None
    if _URL.fullmatch(written.text) is None:
        # Not quoted: it may hold a password.
        findings.error(
            written.line,
            "`url` of `alerts` is no address of the dashboard.",
            "Write where people reach it, without a password: `url: https://healing.example.com`.",
        )
        return None
    return written.text.rstrip("/")


def _duration(
    fields: Fields, key: str, example: str, most: timedelta, findings: Findings
) -> timedelta | None:
    """A duration as Gatus and Go write it: 90s, 5m, 1h, 1h30m."""
    node = fields.node(key)
    if node is None:
        return None
    cure = f"Write hours, minutes and seconds, up to {_shown(most)}: `{key}: {example}`."
    text = node.text if isinstance(node, Scalar) else ""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        if text == "0":
            return timedelta()
        found = shown(text) if text else "a list or a mapping"
        findings.error(node.line, f"`{key}` of `alerts` is {found}, no duration.", cure)
        return None
    hours, minutes, seconds = (int(each or 0) for each in match.groups())
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if duration > most:
        findings.error(node.line, f"`{key}` of `alerts` is {text}, which is too long.", cure)
        return None
    return duration


def _reminder(fields: Fields, interval: timedelta, findings: Findings) -> timedelta:
    if timedelta() < interval < SHORTEST_REMINDER:
        node = fields.node("minimum-reminder-interval")
        assert node is not None, "an interval is written"
        findings.warn(
            node.line,
            "`minimum-reminder-interval` of `alerts` is less than an hour; people are reminded "
            "once an hour at most.",
            "Write `1h` or more, or `0` for no reminders.",
        )
        return SHORTEST_REMINDER
    return interval


def _shown(duration: timedelta) -> str:
    return f"{int(duration.total_seconds() // 3600)}h"


def _channels(fields: Fields, findings: Findings) -> tuple[ChannelSettings, ...]:
    node = fields.node("channels")
    if node is None:
        return ()
    table = as_table(node, "`channels` of `alerts`", node.line, findings)
    if table is None:
        return ()
    read = [_channel(name, value, findings) for name, value in table.entries]
    return tuple(each for each in read if each is not None)


def _channel(name: Scalar, node: Node, findings: Findings) -> ChannelSettings | None:
    if not is_name(name.text):
        # Not quoted: an address may have been pasted here.
        findings.error(name.line, "A channel has a bad name.", name_cure("mail"))
        return None
    if name.text == WEB:
        findings.error(
            name.line,
            "The channel `web` is the dashboard, which has every message already.",
            "Give this channel another name, or remove it.",
        )
        return None
    if isinstance(node, Scalar):
        problem = f"{_what(name, capital=True)} must be a mapping with the key `env`."
        findings.error(node.line, problem, NO_ADDRESSES)
        return None
    fields = Fields(
        node,
        what=_what(name),
        line=name.line,
        required=("env",),
        optional=CHANNEL_KEYS,
        findings=findings,
        hints=dict.fromkeys((*SECRET_FIELDS, "url", "urls", "address"), NO_ADDRESSES),
    )
    env = fields.text("env")
    if env is None:
        return None
    if not is_variable_name(env.text):
        findings.error(
            env.line,
            f"`env` of {_what(name)} is not the name of an environment variable (capitals, "
            "digits, _); is it the address itself?",
            NO_ADDRESSES,
        )
        return None
    return ChannelSettings(
        name.text,
        env.text,
        levels=_levels(fields, name, findings) or ChannelSettings("", "").levels,
        sources=frozenset(each.text for each in fields.texts("sources")),
        owners=frozenset(each.text for each in fields.texts("owners")),
    )


def _levels(fields: Fields, name: Scalar, findings: Findings) -> frozenset[Severity]:
    node = fields.node("levels")
    written = fields.texts("levels")
    known = [str(each) for each in LEVELS]
    if node is not None and not isinstance(node, Scalar | Table) and not written:
        findings.error(
            node.line,
            f"`levels` of {_what(name)} names none, so nothing would ever be sent.",
            f"Choose from {listed(known)}, or remove the key.",
        )
    levels = []
    for each in written:
        if each.text in known:
            levels.append(Severity(each.text))
            continue
        why = (
            "What was healed is logged, and no message. "
            if each.text == Severity.INFO
            else did_you_mean(each.text, known)
        )
        findings.error(
            each.line,
            f"`levels` of {_what(name)} names {shown(each.text)}, which is not sent.",
            f"{why}Choose from {listed(known)}.",
        )
    return frozenset(levels)
