"""`healing toon`: in a pipe, from a file, into a file; whole or not at all."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from healing_pipeline.cli import whole_files
from healing_pipeline.cli.toon import toon
from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.reporting.cells import UnreadableError

ROWS = [{"id": 1, "name": "a, b"}, {"id": 2, "name": "c"}]
TOON = '[2]{id,name}:\n  1,"a, b"\n  2,c\n'
HEALING = [sys.executable, "-m", "healing_pipeline", "toon"]


def converted(file: Path, **options):
    asked = {"to": None, "read_as": None, "structure": None, "output": None}
    return toon(file, **{**asked, **options})


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_it_converts_either_way_in_a_pipe():
    there = subprocess.run(HEALING, input=json.dumps(ROWS), capture_output=True, text=True)
    assert (there.returncode, there.stdout, there.stderr) == (0, TOON, "")
    back = subprocess.run([*HEALING, "-"], input=there.stdout, capture_output=True, text=True)
    assert json.loads(back.stdout) == ROWS


def test_what_is_wrong_is_one_line_with_its_cure_and_nothing_is_printed():
    broken = "error_events[2]{at,source}:\n  1,2\n"
    done = subprocess.run(HEALING, input=broken, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("healing: Line 1: error_events lacks")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "xml"}, "Write --to toon, json, csv or md."),
        ({"read_as": "xml"}, "Write --from toon, json or csv."),
        ({"structure": "events"}, "Name one of error_events"),
        ({"structure": "error_events"}, "error_events lacks 'at'"),
        ({"output": Path("no/such/folder/x.toon")}, "Name another --output file"),
    ],
)
def test_a_wish_that_cannot_be_met_names_those_that_can(rows, options, said, capsys):
    with pytest.raises(HealingPipelineError, match=said):
        converted(rows, **options)
    assert capsys.readouterr().out == ""


def test_a_file_is_replaced_whole_and_stays_as_it_was_when_something_is_wrong(rows, tmp_path):
    output = tmp_path / "rows.toon"
    output.write_text("before")
    output.chmod(0o640)
    assert converted(rows, output=output) == 0
    assert output.read_text() == TOON
    assert output.stat().st_mode & 0o777 == 0o640
    rows.write_text("[{]")
    with pytest.raises(UnreadableError, match="no JSON"):
        converted(rows, output=output)
    assert output.read_text() == TOON
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.json", "rows.toon"]


def test_a_link_and_a_device_are_written_through(rows, tmp_path):
    (tmp_path / "real.toon").write_text("before")
    link = tmp_path / "link.toon"
    link.symlink_to(tmp_path / "real.toon")
    converted(rows, output=link)
    assert link.is_symlink()
    assert (tmp_path / "real.toon").read_text() == TOON
    assert converted(rows, output=Path(os.devnull)) == 0
    assert not Path(os.devnull).is_file()


def test_ours_by_name_but_not_by_columns_is_refused_with_the_way_out(rows):
    rows.write_text(json.dumps({"error_events": ROWS}))
    with pytest.raises(UnreadableError, match="Or convert it as it is: --structure none"):
        converted(rows)
    rows.write_text('{"error_events": [], "active_alerts": []}')
    with pytest.raises(UnreadableError, match=r"--structure: error_events, active_alerts\.$"):
        converted(rows, to="csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1,\n2,\xff]", "Line 2: this is no UTF-8"),
        ("[1]".encode("utf-16"), "UTF-16"),
        (b"", "nothing in it"),
    ],
)
def test_what_is_no_text_is_refused(rows, content, said):
    rows.write_bytes(content)
    with pytest.raises(HealingPipelineError, match=said):
        converted(rows)


def test_a_missing_file_and_an_idle_terminal_are_told(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="Name a file that can be read"):
        converted(tmp_path / "nothing.json")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    with pytest.raises(ConfigurationError, match="pipe one in"):
        converted(Path("-"))


def test_a_note_goes_where_it_is_in_nobodys_way(rows, capsys):
    rows.write_text('{"a": 1.0}')
    converted(rows)
    said = capsys.readouterr()
    assert said.out == "a: 1\n"
    assert said.err.startswith("Note: Numbers such as 1.0 are written as 1")


def test_what_takes_its_time_is_told_while_it_does(rows, capsys, monkeypatch):
    monkeypatch.setattr(whole_files, "MANY_BYTES", 10)
    converted(rows)
    said = capsys.readouterr()
    assert said.out == TOON
    assert said.err == "Converting 51 characters of JSON ...\n"
