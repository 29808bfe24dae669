"""Monitors of Uptime Kuma: its backup (JSON, version 1), or a list of monitors from its API.

Version 2 has no backup any more. What clients of its API write, a list of monitors or a mapping of
them by number, has the same members.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from healing_pipeline.catalog.json_rules import SUCCESS, Comparison
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.importing.checks import (
    Check,
    Expectation,
    Found,
    Held,
    LeftOut,
    is_safe,
    named,
    quoted,
)
from healing_pipeline.importing.equality import equal, is_odd_number, number_in, unequal
from healing_pipeline.importing.statuses import EXPECTABLE, REDIRECTS

TOOL = "Uptime Kuma"
_INTERVAL_S = 60.0
# Kuma waits for so much of the interval where nobody says otherwise.
_SHARE_WAITED = 0.8

_ONLY_GET = "only GET over HTTP is carried over"
_ASKS = frozenset({"http", "keyword", "json-query"})
_KINDS = {
    "port": "opens a TCP connection",
    "ping": "pings a host (ICMP)",
    "tailscale-ping": "pings a host of a tailnet",
    "dns": "asks a name server",
    "push": "waits for calls of another program",
    "group": "is a group: it asks nothing itself",
    "docker": "asks Docker for a container",
    "real-browser": "opens a page in a browser",
    "grpc-keyword": "calls gRPC",
    "mqtt": "waits for messages of MQTT",
    "steam": "asks for a game server",
    "gamedig": "asks for a game server",
    "manual": "is set by hand",
}
_PATH = re.compile(
    r"\$?((?:\.?[A-Za-z_]\w{0,99}|\[-?[0-9]{1,9}\])(?:\.[A-Za-z_]\w{0,99}|\[-?[0-9]{1,9}\])*)?"
)
_STEP = re.compile(r"[A-Za-z_]\w*|-?[0-9]+")
_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")


def is_kuma(root: object) -> bool:
    """Whether a JSON document holds monitors of Uptime Kuma."""
    entries = _listed(root)
    return entries is not None and all(
        isinstance(each, Mapping) and "type" in each for each in entries
    )


def read_kuma(root: object) -> Found:
    """All monitors of a document for which `is_kuma` is true.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    entries = _listed(root)
    if not entries:
        raise ConfigurationError(
            "There is no monitor in it.", "Export it anew with its monitors. Nothing was written."
        )
    checks: list[Check] = []
    left_out: list[LeftOut] = []
    for number, each in enumerate(entries, 1):
        found = _monitor(each, number)
        if isinstance(found, Check):
            checks.append(found)
        else:
            left_out.append(found)
    notes = []
    if isinstance(root, Mapping):
        if root.get("notificationList"):
            notes.append(
                "notifications are not carried over: channels are Apprise addresses in environment"
                " variables: see `alerts` in the file"
            )
        if root.get("proxyList"):
            notes.append("proxies are not carried over")
    return Found(TOOL, tuple(checks), tuple(left_out), tuple(notes))


def _listed(root: object) -> list[Any] | None:
    if isinstance(root, Mapping):
        inner = root.get("monitorList", root.get("monitors", root))
        entries = list(inner.values()) if isinstance(inner, Mapping) else inner
    else:
        entries = root
    return entries if isinstance(entries, list) else None


def _text(monitor: Mapping[str, Any], key: str) -> str:
    value = monitor.get(key)
    return value if isinstance(value, str) else ""


def _number(monitor: Mapping[str, Any], key: str) -> float | None:
    value = monitor.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return value


def _monitor(monitor: Mapping[str, Any], number: int) -> Check | LeftOut:
    name = named(_text(monitor, "name"), number)
    why = _why_not(monitor)
    if why is not None:
        return LeftOut(name, why)
    headers = _headers(monitor)
    if headers is None:
        return LeftOut(name, "its headers cannot be read")
    notes: list[str] = []
    status = _statuses(monitor, notes)
    if not status:
        return LeftOut(name, "no status is left that can be expected: redirects are followed")
    text = _keyword(monitor, notes)
    body = _json_query(monitor, notes)
    interval_s = _number(monitor, "interval") or _INTERVAL_S
    timeout_s = _number(monitor, "timeout")
    if timeout_s is not None and abs(timeout_s - interval_s * _SHARE_WAITED) <= 1:
        timeout_s = None
    if monitor.get("notificationIDList"):
        notes.append("its notifications are not carried over: see `alerts` in the file")
    if monitor.get("ignoreTls"):
        notes.append("certificates are always verified")
    if monitor.get("expiryNotification"):
        notes.append("when a certificate expires is not looked at")
    if monitor.get("maxredirects") == 0:
        notes.append("redirects are followed, to hosts of the configuration alone")
    return Check(
        name=name,
        url=_text(monitor, "url").strip(),
        interval_s=interval_s,
        expect=Expectation(status, None, body, text),
        deadline_s=timeout_s or None,
        headers=headers,
        signs_in=_signs_in(monitor),
        notes=tuple(notes),
    )


def _why_not(monitor: Mapping[str, Any]) -> str | None:
    kind = _text(monitor, "type")
    if kind not in _ASKS:
        said = _KINDS.get(kind, f"is of the type {quoted(kind) if kind else 'nothing'}")
        return said if kind == "group" else f"{said}; {_ONLY_GET}"
    if not monitor.get("active", True):
        return "it is paused there"
    if monitor.get("upsideDown"):
        return "it is upside down: it is up when nothing answers"
    method = _text(monitor, "method").upper() or "GET"
    if method != "GET":
        return f"asks by {named(method, 0)}; {_ONLY_GET}"
    if _text(monitor, "body").strip():
        return f"sends a body; {_ONLY_GET}"
    if monitor.get("proxyId"):
        return "goes through a proxy, which is not supported"
    how = _text(monitor, "authMethod")
    if how not in {"", "basic", "null"}:
        return f"signs in by {quoted(how)}, which is not supported"
    return None


def _headers(monitor: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    text = _text(monitor, "headers").strip()
    if not text:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        return None
    return tuple(found.items())


def _signs_in(monitor: Mapping[str, Any]) -> str:
    user, password = _text(monitor, "basic_auth_user"), _text(monitor, "basic_auth_pass")
    # Before there was a choice of methods, a user was enough.
    is_basic = _text(monitor, "authMethod") == "basic" or "authMethod" not in monitor
    return f"{user}:{password}" if user and is_basic else ""


def _statuses(monitor: Mapping[str, Any], notes: list[str]) -> frozenset[int]:
    accepted = monitor.get("accepted_statuscodes")
    if not isinstance(accepted, list) or not accepted:
        return SUCCESS
    found: set[int] = set()
    for each in accepted:
        span = _RANGE.fullmatch(each) if isinstance(each, str) else None
        if span is None:
            notes.append(f"the status {quoted(str(each))} cannot be expected")
            continue
        found.update(range(int(span[1]), int(span[2] or span[1]) + 1))
    if found & EXPECTABLE and found & REDIRECTS:
        notes.append(
            "statuses from 300 to 399 are left out: redirects are followed, to hosts of the"
            " configuration alone"
        )
    return frozenset(found) & EXPECTABLE


def _keyword(monitor: Mapping[str, Any], notes: list[str]) -> str | None:
    keyword = _text(monitor, "keyword")
    if _text(monitor, "type") != "keyword" or not keyword:
        return None
    if monitor.get("invertKeyword"):
        notes.append("its keyword is not carried over: that a text is absent cannot be expected")
        return None
    if not keyword.strip() or not is_safe(keyword):
        notes.append("its keyword is not carried over: it is blank, or looks like a secret")
        return None
    if '"' in keyword:
        notes.append(
            "its keyword is looked for in the body as it is sent; Kuma takes the spaces out of JSON"
        )
    return keyword


def _json_query(monitor: Mapping[str, Any], notes: list[str]) -> tuple[Held, ...]:
    if _text(monitor, "type") != "json-query":
        return ()
    query, expected = _text(monitor, "jsonPath").strip(), monitor.get("expectedValue")
    value = expected if isinstance(expected, str) else json.dumps(expected)
    held = _held(query, _text(monitor, "jsonPathOperator") or "==", value)
    if isinstance(held, str):
        notes.append(f"its query {quoted(query)} is not carried over: {held}")
        return ()
    return (held,)


def _held(query: str, comparison: str, value: str) -> Held | str:
    """What a query of JSONata and its expected value come to, or why they cannot be written."""
    found = _PATH.fullmatch(query)
    if found is None:
        return "it is more than a path"
    path = ".".join(_STEP.findall(found[1] or "")) or "."
    if not is_safe(value) or not is_safe(path) or is_odd_number(value):
        return "its value looks like a secret, or is a number in another form than 12.5"
    if comparison == "contains":
        if set(value) & set("*?[]"):
            return "its text has a mark in it that stands for others"
        return Held(path, Comparison.LIKE, f"*{value}*")
    if comparison not in {"==", "!=", "<", "<=", ">", ">="}:
        return "its comparison is not known here"
    known = Comparison(comparison)
    if known is Comparison.EQUAL:
        return equal(path, (value,))
    if known is Comparison.UNEQUAL:
        return unequal(path, value)
    number = number_in(value)
    return "only numbers have an order" if number is None else Held(path, known, number)
