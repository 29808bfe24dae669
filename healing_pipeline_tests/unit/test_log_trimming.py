"""A log that is long is begun anew while its process goes on writing to it."""

from __future__ import annotations

from pathlib import Path

from healing_pipeline.control.log_trimming import trim_logs
from healing_pipeline.stack.processes import ProcessGroup


def test_a_long_log_is_begun_anew_and_its_process_goes_on_at_the_new_end(tmp_path: Path) -> None:
    """Opened without appending it would go on where it was, behind a hole as large as the log."""
    code = "import time\nfor n in range(10**6): print('line', n, flush=True); time.sleep(0.002)"
    with ProcessGroup(tmp_path / "logs") as group:
        child = group.start("part", ("python3", "-c", code), {"PATH": "/usr/bin:/bin"}, tmp_path)
        while child.log.stat().st_size < 200:
            pass
        assert trim_logs(tmp_path, most_bytes=100) == 0
        older = child.log.with_name("part.log.1")
        assert older.stat().st_size >= 200
        while not child.log.stat().st_size:
            pass
        text = child.log.read_bytes()
        assert b"\0" not in text
        assert text.startswith(b"line "), "whole lines, after those of the older file"
        assert trim_logs(tmp_path, most_bytes=0) >= 200, "of the older file"


def test_short_logs_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("logs/a.log", "postgres/log", "launcher/x/y.log", "spool/facts.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 50)
    assert trim_logs(tmp_path, most_bytes=50) == 0
    assert trim_logs(tmp_path, most_bytes=49) == 0
    sizes = {each.name: each.stat().st_size for each in tmp_path.rglob("*") if each.is_file()}
    assert sizes == {
        "a.log": 0,
        "a.log.1": 50,
        "log": 0,
        "log.1": 50,
        "y.log": 0,
        "y.log.1": 50,
        "facts.jsonl": 50,
    }
