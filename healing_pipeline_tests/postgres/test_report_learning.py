"""What `healing report` says of learning, read from the tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healing_pipeline.cli.report_learning import draw, learning_document, show_learning
from healing_pipeline.control.learning_run import read_learning
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.policies import PUBLISHED, Judged, store_policy

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

PATTERN = {
    "pattern": "timeout -> alternate_host",
    "count": 30,
    "success_rate": 0.9,
    "optimal_params": "expected_s=0.30",
}


def publish(database: Database) -> None:
    policy = Policy(
        as_of=NOW - timedelta(hours=1),
        inner={("yahoo", "timeout"): {"alternate_host": Rate(0.9, 30, 0.3, 1.0)}},
        tables={"global_patterns": [PATTERN]},
    )
    judged = Judged(policy, PUBLISHED, "made by a test", 40, 0.9, 0.8, 0.01, 0.7, 0.95)
    with database.connection() as connection:
        store_policy(connection, judged, NOW)


def test_the_report_says_what_was_learned_and_draws_it(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(database)
    with database.connection() as connection:
        learned = read_learning(connection, NOW)
    document = json.loads(json.dumps(learning_document(learned), default=str))
    assert document["version"] == 1
    assert document["global_patterns"] == [PATTERN]
    (day,) = document["days"]
    # From 0.7 without learning to 0.95 in hindsight, 0.9 is four fifths of the way.
    assert (day["day"], day["headroom"]) == ("2026-03-02", pytest.approx(0.8))
    show_learning(learned)
    said = capsys.readouterr().out
    assert "timeout -> alternate_host" in said
    assert "80% of the way" in said
    assert draw(learned, tmp_path / "new") == ["heat_map_yahoo.png", "learning_curve.png"]
    assert (tmp_path / "new" / "heat_map_yahoo.png").read_bytes().startswith(b"\x89PNG")


def test_before_the_first_policy_the_report_says_how_to_get_one(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.connection() as connection:
        learned = read_learning(connection, NOW)
    show_learning(learned)
    assert "healing learn" in capsys.readouterr().out
    assert learning_document(learned)["version"] is None
    assert draw(learned, tmp_path) == []


def test_a_folder_that_is_a_file_is_refused_with_the_cure(
    database: Database, tmp_path: Path
) -> None:
    publish(database)
    with database.connection() as connection:
        learned = read_learning(connection, NOW)
    taken = tmp_path / "taken"
    taken.write_text("here")
    with pytest.raises(ConfigurationError, match="--pictures"):
        draw(learned, taken)
