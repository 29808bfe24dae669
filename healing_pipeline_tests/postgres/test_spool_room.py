"""Room for facts: how much there may be, who is told of it, and what the setting may say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from storage_samples import attempt, failed_attempt

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli.config import check
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.storage.recorder import Recorder
from healing_pipeline.storage.spool_room import DEFAULT_BYTES, SMALLEST_MB, VARIABLE, spool_bytes
from healing_pipeline.web.dashboard.fact_metrics import FactFamilies

NOWHERE = "postgresql://postgres@127.0.0.1:1/none"


@given(text=st.text() | st.integers().map(str))
def test_the_bound_is_a_number_of_megabytes_or_one_line_that_names_the_cure(text):
    usable = text.strip().isascii() and text.strip().isdigit() and int(text) >= SMALLEST_MB
    if usable or not text.strip():
        wanted = int(text) * 2**20 if usable else DEFAULT_BYTES
        assert spool_bytes({VARIABLE: text}) == wanted
        return
    with pytest.raises(ConfigurationError, match=VARIABLE) as refused:
        spool_bytes({VARIABLE: text})
    assert "unset" in refused.value.cure


def test_a_bound_that_is_none_is_told_by_the_check(tmp_path, monkeypatch, capsys):
    config = tmp_path / "healing_config.yaml"
    config.write_text(default_config_text(), encoding="utf-8")
    monkeypatch.setenv(VARIABLE, "64")
    assert check(config, as_json=False) == 0
    monkeypatch.setenv(VARIABLE, "half a disk")
    assert check(config, as_json=False) == 1
    assert VARIABLE in capsys.readouterr().err


@pytest.mark.parametrize("lost", [False, True])
def test_what_waits_and_what_was_dropped_is_told_without_postgresql(tmp_path, lost):
    folder = tmp_path / "spool"
    if lost:
        folder.write_text("a file where the folder should be")
    recorder = Recorder(NOWHERE, folder)
    recorder.record(attempt())
    recorder.record(failed_attempt())
    recorder.flush(0.5)
    registry = CollectorRegistry()
    registry.register(FactFamilies(recorder))
    told = generate_latest(registry).decode()
    assert 'healing_facts_total{fate="recorded"} 2.0' in told
    assert f'healing_facts_total{{fate="spooled"}} {0.0 if lost else 2.0}' in told
    assert f'healing_facts_no_room_total{{kind="attempt"}} {1.0 if lost else 0.0}' in told
    assert f"healing_facts_waiting_bytes {float(recorder.on_disk().size)}" in told
    assert (recorder.on_disk().size > 0) is not lost
    recorder.close()
    # What was kept in memory for PostgreSQL has no place left, and is counted.
    assert recorder.counters.no_room == ({"attempt": 2} if lost else {})
