"""Scenario files: YAML to frozen values, and every mistake with its line and its cure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.simulator.faults import Fault, FaultKind, Match
from healing_pipeline.simulator.history import parse_history
from healing_pipeline.simulator.hosts import HOSTS, SOURCES, hosts_of
from healing_pipeline.simulator.located import Located, located
from healing_pipeline.simulator.quotas import OFF, QuotaScale, parse_quota_scale
from healing_pipeline.simulator.replay import replay_of
from healing_pipeline.simulator.script import (
    AFTER_LAST_FAULT_S,
    DEFAULT_DURATION_S,
    LABELS,
    Scenario,
    Traffic,
)

DEFAULT_SLOW_S = 5.0


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios that come with the package."""
    folder = resources.files("healing_pipeline.simulator") / "scenarios"
    files = (Path(each.name) for each in folder.iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".yaml"))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario: a shipped one by name, a ``.yaml`` file, or a ``.csv`` of real outages.

    Raises
    ------
    ConfigurationError
        If there is no such scenario, or its file has a mistake; with file, line and cure.
    """
    given = str(name_or_path)
    suffix = Path(given).suffix.lower()
    if suffix in (".yaml", ".yml", ".csv"):
        path = Path(given)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(
                f"The scenario file cannot be read: {exc}.", "Check the path.", path=path
            ) from exc
        if suffix == ".csv":
            return replay_of(parse_history(text, path), path)
        return parse_scenario(text, path)
    if given not in scenario_names():
        names = ", ".join(scenario_names())
        raise ConfigurationError(
            f"There is no scenario {given!r}.",
            f"Choose one of {names}, or a path to a .yaml or .csv file.",
        )
    file = resources.files("healing_pipeline.simulator") / "scenarios" / f"{given}.yaml"
    return parse_scenario(file.read_text(encoding="utf-8"), Path(f"{given}.yaml"))


def parse_scenario(text: str, path: Path) -> Scenario:
    """Turn the text of a scenario file into values; `path` is for messages."""
    root = located(text, path)
    root.only(
        "name", "sources", "description", "traffic", "duration_s", "faults", "quotas", "accepts"
    )
    faults = tuple(
        parse_fault(each, index) for index, each in enumerate(root.items("faults", default=()))
    )
    return Scenario(
        name=root.text("name"),
        sources=_sources(root),
        description=root.text("description", default=""),
        traffic=_traffic(root.child("traffic")),
        duration_s=_duration(root, faults),
        faults=faults,
        quotas=_quotas(root),
        accepts=_accepts(root),
    )


def _sources(root: Located) -> tuple[str, ...]:
    found: list[str] = []
    for item in root.items("sources"):
        source = item.as_text("a source")
        if source not in SOURCES:
            raise item.mistake(f"There is no source {source!r}.", _one_of(SOURCES))
        if source in found:
            raise item.mistake(f"Source {source!r} is named twice.", "Leave one of them out.")
        found.append(source)
    if not found:
        raise root.at("sources").mistake(
            "`sources` is empty.", "Name the sources to watch and to read."
        )
    return tuple(found)


def _accepts(root: Located) -> tuple[str, ...]:
    if not root.has("accepts"):
        return ()
    found = [item.as_text("a label") for item in root.items("accepts")]
    for item, label in zip(root.items("accepts"), found, strict=True):
        if label not in LABELS:
            raise item.mistake(f"There is no label {label!r}.", _one_of(LABELS))
    if not found:
        raise root.at("accepts").mistake(
            "`accepts` is empty.", "Name the labels that readers take, or leave it out."
        )
    return tuple(found)


def _traffic(node: Located | None) -> Traffic:
    if node is None:
        return Traffic()
    node.only("readers", "requests_per_s")
    readers = node.number("readers", default=8.0)
    if readers != int(readers) or readers < 1:
        raise node.at("readers").mistake(
            f"`readers` is {readers:g}.", "Give a whole number, at least 1."
        )
    rate = node.number("requests_per_s", default=40.0)
    if rate <= 0:
        raise node.at("requests_per_s").mistake(
            f"`requests_per_s` is {rate:g}.", "Give a number over 0."
        )
    return Traffic(int(readers), rate)


def _duration(root: Located, faults: tuple[Fault, ...]) -> float:
    ends = [fault.at_s + fault.for_s for fault in faults]
    if not root.has("duration_s"):
        return max([DEFAULT_DURATION_S, *(end + AFTER_LAST_FAULT_S for end in ends)])
    duration_s = root.number("duration_s")
    if duration_s <= 0:
        raise root.at("duration_s").mistake("`duration_s` is not over 0.", "Give it in seconds.")
    for node, fault in zip(root.items("faults", default=()), faults, strict=True):
        if fault.at_s >= duration_s:
            raise node.mistake(
                f"This fault begins at {fault.at_s:g} s, after the end at {duration_s:g} s.",
                "Let it begin earlier, or give a longer `duration_s`.",
            )
    return duration_s


def _quotas(root: Located) -> QuotaScale:
    if not root.has("quotas"):
        return OFF
    node = root.at("quotas")
    word = node.value
    # A bare `off` is a boolean to YAML.
    scale = parse_quota_scale("off" if word is False else str(word))
    if scale is None:
        raise node.mistake(f"`quotas` is {word!r}.", "Say `real`, `off` or a factor over 0.")
    return scale


_FAULT_KEYS = ("at_s", "for_s", "match", "fault", "latency_s", "retry_after_s", "age_s")


def parse_fault(node: Located, index: int, *, from_now: bool = False) -> Fault:
    """One fault of a file; with `from_now` it needs no times: from 0 s on, without end.

    Raises
    ------
    ConfigurationError
        With the line of the mistake.
    """
    node.only(*_FAULT_KEYS)
    kind = _kind(node)
    at_s = node.number("at_s", default=0.0 if from_now else None)
    for_s = node.number("for_s", default=math.inf if from_now else None)
    latency_s = node.number("latency_s", default=DEFAULT_SLOW_S if kind is FaultKind.SLOW else 0.0)
    for name, value in (("at_s", at_s), ("latency_s", latency_s)):
        if value < 0:
            raise node.at(name).mistake(f"`{name}` is {value:g}.", "Times are 0 or more.")
    if for_s <= 0:
        raise node.at("for_s").mistake(f"`for_s` is {for_s:g}.", "Let the fault last over 0 s.")
    retry_after_s = node.number("retry_after_s", default=-1.0)
    if node.has("retry_after_s") and (retry_after_s < 0 or retry_after_s != int(retry_after_s)):
        raise node.at("retry_after_s").mistake(
            f"`retry_after_s` is {retry_after_s:g}.", "Give whole seconds, 0 or more."
        )
    age_s = node.number("age_s", default=-1.0)
    if node.has("age_s") and age_s < 0:
        raise node.at("age_s").mistake(f"`age_s` is {age_s:g}.", "Ages are 0 or more.")
    return Fault(
        index=index,
        at_s=at_s,
        for_s=for_s,
        match=_match(node.child("match")),
        kind=kind,
        latency_s=latency_s,
        retry_after_s=int(retry_after_s) if node.has("retry_after_s") else None,
        age_s=age_s if node.has("age_s") else None,
    )


def fault_from_json(value: object, index: int) -> Fault:
    """A fault given to the control API: the mapping of a scenario file, as JSON."""
    text = json.dumps(value)
    return parse_fault(located(text, Path("control/faults")), index, from_now=True)


def _kind(node: Located) -> FaultKind:
    word = node.text("fault")
    try:
        return FaultKind(word)
    except ValueError:
        raise node.at("fault").mistake(
            f"There is no fault {word!r}.", _one_of([kind.value for kind in FaultKind])
        ) from None


def _match(node: Located | None) -> Match:
    if node is None:
        return Match()
    node.only("source", "host", "key", "path", "share", "rows_over")
    source = node.text("source", default=None)
    if source is not None and source not in SOURCES:
        raise node.at("source").mistake(f"There is no source {source!r}.", _one_of(SOURCES))
    host = node.text("host", default=None)
    hosts = hosts_of(source) if source is not None else tuple(name for _, name in HOSTS)
    if host is not None and host not in hosts:
        of = f" of {source}" if source else ""
        raise node.at("host").mistake(f"There is no host {host!r}{of}.", _one_of(hosts))
    share = node.number("share", default=1.0)
    if not 0 <= share <= 1:
        raise node.at("share").mistake(f"`share` is {share:g}.", "Give a number from 0 to 1.")
    rows = node.number("rows_over", default=-1.0)
    if node.has("rows_over") and (rows < 0 or rows != int(rows)):
        raise node.at("rows_over").mistake(
            f"`rows_over` is {rows:g}.", "Give a whole number, 0 or more."
        )
    return Match(
        source=source,
        host=host,
        key=node.text("key", default=None),
        path=node.text("path", default=None),
        share=share,
        rows_over=int(rows) if node.has("rows_over") else None,
    )


def fault_to_json(fault: Fault) -> Mapping[str, object]:
    """A fault the way a scenario file writes it; what is not set is left out."""
    match = {
        name: value
        for name in ("source", "host", "key", "path", "rows_over")
        if (value := getattr(fault.match, name)) is not None
    }
    if fault.match.share < 1.0:
        match["share"] = fault.match.share
    said: dict[str, object] = {
        "at_s": fault.at_s,
        "for_s": None if math.isinf(fault.for_s) else fault.for_s,
        "match": match,
        "fault": fault.kind.value,
    }
    if fault.latency_s:
        said["latency_s"] = fault.latency_s
    for name in ("retry_after_s", "age_s"):
        if (value := getattr(fault, name)) is not None:
            said[name] = value
    return said


def _one_of(names: tuple[str, ...] | list[str]) -> str:
    return f"Use one of: {', '.join(names)}."


__all__ = [
    "Scenario",
    "Traffic",
    "fault_from_json",
    "fault_to_json",
    "load_scenario",
    "parse_fault",
    "parse_scenario",
    "scenario_names",
]
