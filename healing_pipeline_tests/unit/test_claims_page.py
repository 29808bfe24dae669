"""The pages of claims and of arithmetic are what the measurements wrote, and nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import arithmetic  # noqa: E402 (it is found by the line above)
import claims_page  # noqa: E402
import kept_results  # noqa: E402
from claims_page import Verdict  # noqa: E402


@pytest.mark.parametrize("page", [claims_page, arithmetic], ids=["claims", "arithmetic"])
def test_a_page_shows_what_the_files_hold(page) -> None:
    """`python benchmarks/claims.py --page` writes both anew."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.partition(page.BEGIN)[2].partition(page.END)[0].strip() == page.written()


@pytest.mark.parametrize("path", sorted(kept_results.RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_each_result_says_on_which_machine_and_when(path: Path) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["machine"]
    assert datetime.fromisoformat(found.get("began") or found["at"]).tzinfo is not None
    if "figures" in found:
        assert set(found) == set(kept_results.ENVELOPE)
        assert found["machine"]["cores"] >= 1
        assert found["figures"]


def test_a_claim_without_its_file_is_not_measured(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(claims_page, "RESULTS", tmp_path)
    monkeypatch.setattr(claims_page, "kept", lambda name: kept_results.kept(name, tmp_path))
    for claim in (*claims_page.CLAIMED, *claims_page.PROMISED):
        assert claims_page.judged(claim)[1] is Verdict.NOT_MEASURED, claim.said
    assert "make claims ONLY=drills" in claims_page.written()


def drill(**figures: object) -> dict[str, object]:
    calm: dict[str, object] = {
        "requests": 1000, "met_fault": 100, "unavoidable": 0, "reader_errors": 0,
        "answers": {"failed": 0}, "time_to_detect_s": {"p95": 1.0, "max": 2.0},
        "faults_undetected": 0, "wrong_as_good": 0, "lagging_as_good": 0,
        "alerts": {"faults": 100, "faults_with_alert": 4, "missed_incidents": 0},
    }  # fmt: skip
    return {**calm, **figures}


def test_verdicts_follow_the_figures() -> None:
    load = {"outcomes": [{"requests": 1000, "reader_errors": 0}]}
    broken = {"outcomes": [{"requests": 1000, "reader_errors": 3}]}
    assert claims_page.readers([drill()], load)[1] is Verdict.HELD
    assert claims_page.readers([drill()], broken)[1] is Verdict.IN_PART
    assert claims_page.readers([drill(reader_errors=1)], load)[1] is Verdict.NOT_HELD
    # 95 of 100 healed is what was claimed, 94 is not.
    assert claims_page.healed([drill(reader_errors=5)])[1] is Verdict.HELD
    assert claims_page.healed([drill(reader_errors=6)])[1] is Verdict.NOT_HELD
    assert claims_page.alerts([drill()])[1] is Verdict.HELD
    five = {"faults": 100, "faults_with_alert": 5, "missed_incidents": 0}
    assert claims_page.alerts([drill(alerts=five)])[1] is Verdict.NOT_HELD
    late = {"p95": 1.0, "max": 5.1}
    assert claims_page.detection([drill()], [drill(time_to_detect_s=late)])[1] is Verdict.NOT_HELD
    assert claims_page.labels([drill(wrong_as_good=1)])[1] is Verdict.NOT_HELD


UNIT = arithmetic.Units(
    probe_us=500.0,
    probe_server_us=100.0,
    read_us=1000.0,
    read_server_us=50.0,
    probe_bytes=300.0,
    read_bytes=700.0,
    endpoint_bytes=2000.0,
)


def test_the_arithmetic_of_a_size_is_what_one_does_by_hand() -> None:
    load = arithmetic.Load(60_000, interval_s=60, reads_per_minute=2, faults_per_day=0)
    found = arithmetic.needs(replace(load, kept_days=1), UNIT, arithmetic.PRICES)
    # 60,000 endpoints every 60 s; twice a minute each.
    assert (found.probes_per_s, found.reads_per_s) == (1000, 2000)
    assert found.rows_per_day == 86_400 * (1000 + 2 * 2000)
    # 86,400 s of 1000 rows of 300 bytes and 2000 reads of 700.
    assert found.gb_per_day == pytest.approx(86_400 * (300_000 + 1_400_000) / 1e9)
    assert found.stored_gb == pytest.approx(1.35 * (found.gb_per_day + 0.12))
    assert (found.probe_cores, found.read_cores) == (0.5, 2.0)
    assert found.server_cores == pytest.approx(0.2)
    assert (found.gateways, found.sensors, found.code_servers) == (4, 120, 1)


def test_more_of_anything_never_needs_less() -> None:
    load = arithmetic.Load(1_000)
    more = {"endpoints": 2_000, "reads_per_minute": 2.0, "faults_per_day": 1.0, "kept_days": 70.0}
    before = arithmetic.needs(load, UNIT, arithmetic.PRICES)
    for name, value in more.items():
        after = arithmetic.needs(replace(load, **{name: value}), UNIT, arithmetic.PRICES)
        for _, each in arithmetic.ROWS:
            assert getattr(after, each) >= getattr(before, each), (name, each)


def test_a_result_is_kept_whole_and_read_as_it_was(tmp_path: Path) -> None:
    on = kept_results.machine()
    path = kept_results.keep(
        "some",
        {"seconds": 0.123456789, "list": [1, 2.5]},
        what="a test",
        command="python x.py",
        on=on,
        began=datetime(2026, 11, 27, tzinfo=UTC),
        seconds=1.26,
        is_short_form=True,
        folder=tmp_path,
    )
    found = kept_results.kept("some", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert found is not None
    assert tuple(found) == kept_results.ENVELOPE
    assert found["figures"] == {"seconds": 0.12346, "list": [1, 2.5]}
    assert (found["is_short_form"], found["seconds"]) == (True, 1.3)
