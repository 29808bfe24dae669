"""What people were told in a drill, held against what they had to be told. Pure.

Written without the rules of `healing_pipeline.alerting`: what they do is judged here by what
readers got and what the incidents' own events say. Beside it stands what Gatus would have sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from healing_pipeline.drill.alert_trace import Group, Ill, Message, Reader, Trace
from healing_pipeline.drill.gatus import Alarm, alarms, gatus_rules
from healing_pipeline.incidents.detection import Severity

# Who judges does so each second, and what it hears of was stored a moment before.
PATIENCE_S = 3.0

# How long a reader without an answer is a reason to call people.
LATELY_S = 60.0

# Readers of a source who have to be told of by themselves: that share of so many within so long.
SHARE, READERS, WITHIN_S = 0.20, 20, 10.0

CALLS = ("fired", "raised", "reminder")
KINDS = (*CALLS, "resolved", "advisory")
LOUD = (Severity.ERROR, Severity.CRITICAL)
RANKS = {each: rank for rank, each in enumerate(Severity)}


def alert_report(trace: Trace) -> dict[str, Any]:
    """Add up what people were told, and what they were not.

    Returns
    -------
    dict
        ``people_got`` counts messages that leave the dashboard: an ERROR or worse, and the end of
        what was one. ``missed_incidents`` are those that people had to know of and nobody was told
        of, ``for_healed_faults`` the calls while every reader was served and nothing was given up.
    """
    due = [each for each in trace.ills if _is_due(each, trace)]
    wanting = _wanting_sources(trace)
    called = {each.group for each in trace.messages if each.kind in CALLS}
    told = {
        incident for group in trace.groups if group.id in called for incident in group.incidents
    }
    missed = [each for each in due if each.id not in told and not each.is_ours]
    missed_sources = [each for each in wanting if not _is_told(each, trace)]
    counts = {each: _of_group(each, trace.messages) for each in trace.groups if each.id in called}
    per_incident = [count for group, (count, _) in counts.items() if group.incidents]
    kinds = Counter(each.kind for each in trace.messages)
    levels = Counter(str(each.level) for each in trace.messages)
    gatus = alarms(trace.looks)
    with_alert = sum(_has_alert(each, trace) for each in trace.faults)
    return {
        "messages": {kind: kinds[kind] for kind in KINDS},
        "by_level": {str(level): levels[str(level)] for level in Severity},
        "people_got": people_got(trace.messages),
        "groups": len(trace.groups),
        "per_incident_max": max(per_incident, default=0),
        "per_group_max": max((count for count, _ in counts.values()), default=0),
        "over_allowed": sum(count > allowed for count, allowed in counts.values()),
        "to_be_told": len(due) + len(wanting),
        "missed_incidents": len(missed) + len(missed_sources),
        "missed_examples": [
            *(f"{each.endpoint} since {each.since_s:.1f} s" for each in missed[:5]),
            *(f"readers of {source} at {at_s:.1f} s" for source, at_s in missed_sources[:5]),
        ],
        "for_healed_faults": sum(_is_for_healed(each, trace) for each in trace.messages),
        "faults": len(trace.faults),
        "faults_with_alert": with_alert,
        "share_of_faults_with_alert": (
            round(with_alert / len(trace.faults), 4) if trace.faults else None
        ),
        "gatus": _gatus_report(gatus, due, trace),
    }


def people_got(messages: Sequence[Message]) -> int:
    """Messages that leave the dashboard, where each channel takes what channels take by default."""
    loud = {each.group for each in messages if each.kind in CALLS and each.level in LOUD}
    return sum(
        each.group in loud if each.kind == "resolved" else each.level in LOUD for each in messages
    )


def _of_group(group: Group, messages: Sequence[Message]) -> tuple[int, int]:
    """How many messages a group had, and how many it may: one, one for each rise, one at its end.

    Reminders, which come by the hour, are in neither number.
    """
    own = [each for each in messages if each.group == group.id and each.kind != "reminder"]
    highest, rises = None, 0
    for each in sorted((each for each in own if each.kind in CALLS), key=lambda each: each.at_s):
        if highest is not None and RANKS[each.level] > RANKS[highest]:
            rises += 1
        if highest is None or RANKS[each.level] > RANKS[highest]:
            highest = each.level
    return len(own), 1 + rises + any(each.kind == "resolved" for each in own)


def _is_due(ill: Ill, trace: Trace) -> bool:
    """Whether people had to know: readers could have been served and were not, or healing failed.

    Healing counts as failed when it had been given up for a while with bad observations enough.
    """
    if any(
        not each.is_answered and each.existed and each.endpoint == ill.endpoint
        for each in trace.readers
        if ill.since_s <= each.at_s <= ill.until_s - PATIENCE_S
    ):
        return True
    for begin, end in ill.given_up:
        reached_s = _threshold_reached(ill.endpoint, begin, end, trace)
        if reached_s is not None and end - reached_s >= PATIENCE_S:
            return True
    return False


def _threshold_reached(endpoint: str, begin: float, end: float, trace: Trace) -> float | None:
    """When, in a time in which healing was given up, bad observations in a row were enough."""
    row = 0
    for look in sorted(
        (each for each in trace.observed if each.endpoint == endpoint and each.at_s < end),
        key=lambda each: each.at_s,
    ):
        row = 0 if look.is_good else row + 1
        if row == 0 and look.at_s > begin:
            return None
        if row >= trace.failure_threshold and look.at_s >= begin:
            return look.at_s
    return begin if row >= trace.failure_threshold else None


def _wanting_sources(trace: Trace) -> list[tuple[str, float]]:
    """Sources that left a fifth of their readers without an answer, and since when. Once each."""
    found = {}
    by_source: dict[str, list[Reader]] = {}
    for each in sorted(trace.readers, key=lambda each: each.at_s):
        if each.is_callers:
            continue
        by_source.setdefault(each.source, []).append(each)
    for source, readers in by_source.items():
        first = 0
        for last, reader in enumerate(readers):
            while readers[first].at_s <= reader.at_s - WITHIN_S:
                first += 1
            window = readers[first : last + 1]
            failed = sum(not each.is_answered for each in window)
            is_enough = len(window) >= READERS and failed / len(window) >= SHARE
            # Of the last moment nobody can be told in time.
            if is_enough and reader.at_s <= trace.duration_s - WITHIN_S:
                found[source] = reader.at_s
                break
    return sorted(found.items())


def _is_told(wanting: tuple[str, float], trace: Trace) -> bool:
    source, at_s = wanting
    return any(
        each.kind in CALLS
        and each.source in {source, None}
        and at_s - LATELY_S <= each.at_s <= at_s + WITHIN_S
        for each in trace.messages
    )


def _is_for_healed(message: Message, trace: Trace) -> bool:
    """Whether a call was made though every reader was served and nothing was given up.

    An advisory says of itself that readers were served. What is no source's, our own connection or
    Dagster's own failures, has no readers to judge it by.
    """
    if message.kind not in CALLS or message.source is None:
        return False
    members = next((each.incidents for each in trace.groups if each.id == message.group), ())
    return not _is_wanting(
        message.at_s,
        [each for each in trace.ills if each.id in members],
        [each for each in trace.readers if each.source == message.source],
    )


def _is_wanting(at_s: float, ills: Iterable[Ill], readers: Iterable[Reader]) -> bool:
    return any(
        begin <= at_s + 1.0 and at_s - PATIENCE_S <= end
        for each in ills
        for begin, end in each.given_up
    ) or any(not each.is_answered and at_s - LATELY_S <= each.at_s <= at_s for each in readers)


def _has_alert(fault: tuple[str, float, float], trace: Trace) -> bool:
    """Whether people knew of a fault: a group of its source of which they were told fired then."""
    source, begin, end = fault
    called = {each.group for each in trace.messages if each.kind in CALLS}
    return any(
        each.id in called
        and (source == "all" or each.source in {source, None})
        and each.since_s <= end + PATIENCE_S
        and begin <= each.until_s
        for each in trace.groups
    )


def _gatus_report(found: Sequence[Alarm], due: Sequence[Ill], trace: Trace) -> dict[str, Any]:
    alerts = [each for each in found if not each.is_resolved]
    missed = [
        ill
        for ill in due
        if not any(
            alarm.endpoint == ill.endpoint and alarm.since_s <= ill.until_s and
            ill.since_s <= (alarm.until_s if alarm.until_s is not None else trace.duration_s)
            for alarm in alerts
        )
    ]  # fmt: skip
    return {
        "rules": gatus_rules(),
        "alerts": len(alerts),
        "resolves": len(found) - len(alerts),
        "messages": len(found),
        "missed_incidents": len(missed),
        "for_healed_faults": sum(
            not _is_wanting(
                each.since_s,
                [ill for ill in trace.ills if ill.endpoint == each.endpoint],
                [reader for reader in trace.readers if reader.endpoint == each.endpoint],
            )
            for each in alerts
        ),
    }
