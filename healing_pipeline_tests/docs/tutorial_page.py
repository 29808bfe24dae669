"""A tutorial as steps, and the terminals they are done in. Nothing of one tutorial stands here."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from page_blocks import blocks_of, text_of

SAVE = re.compile(r"\bsave this as\s+`([^`]+)`", re.IGNORECASE)
STOP = re.compile(r"\bCtrl-C in the other terminal\b")
OTHER = re.compile(r"\bin the other terminal\b", re.IGNORECASE)
ANYTHING = "..."
LOOKS_AGAIN_AFTER_S = 0.3


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a page, and what the paragraph right above it says.

    Attributes
    ----------
    place : str
        Page and line.
    language : str
    text : str
    file : str
        What it is to be saved as; empty for another block.
    in_other : bool
        Whether the paragraph sends the reader to the other terminal.
    stops_other : bool
        Whether the paragraph lets the reader press Ctrl-C there.
    """

    place: str
    language: str
    text: str
    file: str
    in_other: bool
    stops_other: bool


def steps_of(page: str) -> Iterator[Step]:
    """The steps of a page, in their order."""
    lines = text_of(page).splitlines()
    for block in blocks_of(page):
        said = _paragraph_above(lines, block.line - 2)
        save = SAVE.search(said)
        yield Step(
            block.place,
            block.language,
            block.text,
            save[1] if save else "",
            OTHER.search(said) is not None,
            STOP.search(said) is not None,
        )


def _paragraph_above(lines: list[str], fence: int) -> str:
    """The paragraph before the line of a fence; empty where another block is there."""
    end = fence
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    begin = end
    while begin > 0 and lines[begin - 1].strip() and not lines[begin - 1].startswith("```"):
        begin -= 1
    return " ".join(lines[begin:end])


def missing(shown: str, printed: str) -> str | None:
    """The first shown line that was not printed, in the same order; None where all were.

    `...` stands for anything within a line, and alone for any lines. Spaces count as one.
    """
    rest = iter([" ".join(each.split()) for each in printed.splitlines()])
    for line in shown.splitlines():
        wanted = " ".join(line.split())
        if wanted in {"", ANYTHING}:
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split(ANYTHING))))
        if not any(pattern.fullmatch(each) for each in rest):
            return line
    return None


class Terminal:
    """A shell that stays open, as a reader's does; what it prints goes into a file."""

    def __init__(self, folder: Path, environ: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as into:
            self._shell = subprocess.Popen(
                ["bash", "--norc", "--noprofile"],
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.PIPE,
                stdout=into,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._type("trap 'FAILED=$?' ERR")

    def printed(self) -> str:
        """All that it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def begin(self, text: str) -> None:
        """Type commands and wait for nothing."""
        self._type(text)

    def run(self, text: str, within_s: float) -> str:
        """Type commands and wait for their end; what they printed.

        Raises
        ------
        AssertionError
            If one of them fails, or has not ended in time.
        """
        before, end = len(self.printed()), f"end-of-block-{uuid4().hex}"
        self._type(f"FAILED=0\n{text}\necho {end} $FAILED")
        until = time.monotonic() + within_s
        while end not in self.printed()[before:]:
            assert time.monotonic() < until, f"{text} has not ended: {self.printed()[before:]}"
            time.sleep(LOOKS_AGAIN_AFTER_S)
        printed, _, failed = self.printed()[before:].partition(end)
        assert failed.strip() == "0", f"{text} failed ({failed.strip()}): {printed}"
        return printed

    def interrupt(self, within_s: float) -> None:
        """Press Ctrl-C, and wait until what was begun has ended."""
        os.killpg(self._shell.pid, signal.SIGINT)
        self.run("", within_s)

    def close(self) -> None:
        """End the shell, and whatever is still running in it."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGTERM)
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        try:
            self._shell.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait()

    def _type(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{text}\n".encode())
        self._shell.stdin.flush()
