"""Lines, documents and notices that are not what they should be: refused, and nobody ends of it.

Each was found by fuzzing; see `healing_pipeline_tests.chaos.fuzz`.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from healing_pipeline.channels.telling import telling
from healing_pipeline.channels.texts import moment
from healing_pipeline.cli.moments import moment as cli_moment
from healing_pipeline.control.news import News
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.facts import AnswerFact, SnapshotFact
from healing_pipeline.launcher.messages import ConnectionLostError, channel_pair
from healing_pipeline.learning.policy import EMPTY, Policy
from healing_pipeline.probing.reading import Point, Reading
from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.conversion import convert
from healing_pipeline.simulator.history import parse_history
from healing_pipeline.simulator.scenario import parse_scenario
from healing_pipeline.stack.account import line_for
from healing_pipeline.storage.database import Notice
from healing_pipeline.storage.facts import fact_of, line_of
from healing_pipeline.storage.local_policy import LocalPolicy
from healing_pipeline.storage.local_snapshots import LocalSnapshots
from healing_pipeline_tests.messages_to_send import message

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ANSWER = AnswerFact(
    UUID(int=7), AT, "yahoo", "yahoo/a", "exact", "plain", "yahoo", 1, 0.5, None, False, AT
)
READING = Reading("AAPL", "1d", (Point(AT, "close", 1.5), Point(AT, "open", 1.25)), AT)
SNAPSHOT = SnapshotFact("yahoo/a", "", AT, AT, "yahoo", READING, b"{}", "exact")


def changed(fact: Any, **values: Any) -> str:
    return json.dumps({**json.loads(line_of(fact)), **values})


def with_reading(**values: Any) -> str:
    return changed(SNAPSHOT, reading={**json.loads(line_of(SNAPSHOT))["reading"], **values})


NO_FACTS = {
    "a number": "1",
    "a list": "[]",
    "nested deeply": "[" * 100_000,
    "of no kind": '{"fact": {}}',
    "an id that is a number": changed(ANSWER, request_id=5),
    "a time without a zone": changed(ANSWER, at="2026-03-02T12:00:00"),
    "a time that is a number": changed(ANSWER, at=1.5),
    "a source that is none": changed(ANSWER, source=None),
    "a source that is a list": changed(ANSWER, source=[]),
    "a count that is a truth": changed(ANSWER, attempts=True),
    "seconds without end": changed(ANSWER, seconds=math.inf),
    "seconds too many for a float": changed(ANSWER, seconds=10**400),
    "no reading": changed(SNAPSHOT, reading=None),
    "no body": changed(SNAPSHOT, body=None),
    "a reading of nothing": with_reading(points=[]),
    "a reading in no order": with_reading(
        points=[[AT.isoformat(), "open", 1.0], [AT.isoformat(), "close", 1.0]]
    ),
    "a reading of no number": with_reading(points=[[AT.isoformat(), "close", math.nan]]),
    "a reading of too large a number": with_reading(points=[[AT.isoformat(), "close", 10**400]]),
    "a reading without a zone": with_reading(as_of="2026-03-02T12:00:00"),
}


@pytest.mark.parametrize("kind", NO_FACTS)
def test_a_line_that_is_no_fact_is_refused_in_one_way(kind: str) -> None:
    with pytest.raises(ValueError, match="no fact"):
        fact_of(NO_FACTS[kind])


@pytest.mark.parametrize("fact", [ANSWER, SNAPSHOT])
def test_a_line_that_is_a_fact_is_that_fact(fact: Any) -> None:
    assert fact_of(line_of(fact)) == fact


def test_snapshots_are_had_from_a_file_of_which_half_is_spoilt(tmp_path: Path) -> None:
    """One such line kept the data path from starting at all."""
    path = tmp_path / "snapshots.jsonl"
    path.write_text(
        "\n".join([*NO_FACTS.values(), changed(SNAPSHOT, fidelity="perfect"), line_of(SNAPSHOT)]),
        encoding="utf-8",
    )
    assert LocalSnapshots(path).read(datetime(2026, 1, 1, tzinfo=UTC)) == [SNAPSHOT]


RATES = {"alternate_host": [0.7, 12, 0.4, 1.0]}
POLICY: dict[str, Any] = {
    "format": 1, "as_of": None, "inner": {"yahoo": {"timeout": RATES}}, "outer": {"timeout": RATES},
    "anywhere": RATES, "after": {"alternate_host": {"use_cached_data": 0.5}},
    "parameters": {"yahoo": [0.25, 1.5]}, "tables": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "spoilt",
    [
        {"after": {"alternate_host": {"use_cached_data": "often"}}},
        {"after": {"alternate_host": {"use_cached_data": 0}}},
        {"after": {"alternate_host": {"use_cached_data": math.inf}}},
        {"anywhere": {"alternate_host": [10**400, 1, None, None]}},
        {"anywhere": {"alternate_host": [True, 1, None, None]}},
        {"anywhere": {"alternate_host": [0.5, math.inf, None, None]}},
        {"anywhere": {"alternate_host": [0.5, 1, "soon", None]}},
        {"anywhere": {"alternate_host": [0.5, 1, None, 2.0]}},
        {"parameters": {"yahoo": [-1.0, None]}},
        {"parameters": {"yahoo": ["x", None]}},
        {"as_of": "2026-03-02T12:00:00"},
        {"as_of": 5},
        {"tables": 7},
        {"tables": "text"},
        {"tables": {"t": "text"}},
        {"tables": {"t": [{"a": math.nan}]}},
        {"outer": []},
    ],
)
def test_a_policy_with_anything_spoilt_in_it_is_none(spoilt: Any, tmp_path: Path) -> None:
    """Some were believed, and the first request that met a failure ended with an exception."""
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY), encoding="utf-8")
    assert LocalPolicy(path).read() == Policy.from_json(json.dumps(POLICY)) != EMPTY
    path.write_text(json.dumps({**POLICY, **spoilt}), encoding="utf-8")
    assert LocalPolicy(path).read() == EMPTY


def test_a_policy_that_is_nested_without_end_is_none(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    assert LocalPolicy(path).read() == EMPTY


FOREIGN = ["", "7", "[]", "x" * 100, "{}", '{"signal": []}', '{"signal": "confirmed"}', "[" * 9000]
FOREIGN += ['{"signal": "confirmed", "incident_id": "x"}', '{"to_state": "open", "endpoint": {}}']


@pytest.mark.parametrize("payload", FOREIGN)
@pytest.mark.parametrize("channel", ["healing_answer_failed", "healing_incident"])
def test_what_somebody_else_tells_on_a_channel_of_ours_is_no_news(channel, payload) -> None:
    """It ended the listener's connection, and all of `healing up`."""
    changes: list[None] = []
    news = News("postgresql://nowhere", {}.get, lambda: changes.append(None))
    news._hear(Notice(channel, payload))
    assert not changes
    assert line_for(None, Notice(channel, payload)) is None  # type: ignore[arg-type]


def test_a_number_without_end_in_an_alert_is_left_out() -> None:
    told = telling(message(detail={"error_rate": 10**400, "lasted_s": 10**400, "requests": 5}))
    assert told.subject
    assert moment("0001-01-01T00:00:00+14:00")


@pytest.mark.parametrize("text", ['#"\r&a', '"a\rb",c\n1,2\n'])
def test_csv_with_half_a_line_end_within_a_name_is_read(text: str) -> None:
    assert convert(text, read_as="csv").text


@pytest.mark.parametrize("text", ["\x1f", "\x1c\n\x1d", "\u2029"])
def test_a_document_of_white_space_alone_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        convert(text, read_as="toon")


def test_csv_with_half_a_line_end_after_a_name_is_refused() -> None:
    with pytest.raises(UnreadableError, match="Line 2"):
        convert("a\rb,c\n1,2", read_as="csv")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"timestamp', 1),
        ("a\x1b[2J,b\n", 1),
        ("checked_at,http_code\n0001-01-01T00:00:00+14:00,200\n", 2),
    ],
)
def test_a_history_that_is_none_says_so_in_print_and_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_history(text, Path("history.csv"))
    assert caught.value.line == line
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "today"])
def test_a_moment_that_cannot_be_had_is_refused_with_its_option(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--from is"):
        cli_moment(text, "--from")


@pytest.mark.parametrize("line", [b"[" * 100_000, b"7", b"{", b"\xff"])
def test_what_is_no_message_ends_a_launchers_connection_and_not_the_launcher(line: bytes) -> None:
    ours, theirs = channel_pair()
    with ours.socket, theirs.socket:
        ours.socket.sendall(line + b"\n")
        with pytest.raises(ConnectionLostError, match="no message"):
            theirs.receive(timeout_s=5)


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "1e308", ".inf", "9" * 4000])
def test_a_scenario_with_a_number_without_end_is_refused_with_its_line(number: str) -> None:
    text = f"name: a\nsources: [yahoo]\nduration_s: {number}\n"
    with pytest.raises(ConfigurationError) as caught:
        parse_scenario(text, Path("a.yaml"))
    assert caught.value.line == 3
