"""`first_heal.md`, word by word: its files are saved, its commands typed, its output compared.

A reader's three lines that install are not typed: the environment that they make is there already,
made of the built wheel alone. Ports that the page names are replaced by free ones. Nothing else is
set up. A command is repeated until it prints what the page shows, as a reader looks again.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clean_environment import CleanEnvironment
from tutorial_page import LOOKS_AGAIN_AFTER_S, Step, Terminal, missing, steps_of

PAGE = "docs/tutorial/first_heal.md"
INSTALLS = "python3 -m venv .venv\n. .venv/bin/activate\npip install healing-pipeline\n"
PORTS = ("9001", "9002", "8888", "3000")
UP = "healing up\n"
WITHIN_S = 90.0

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, which an embedded server may use."""
    path = Path(tempfile.mkdtemp(prefix="healing-tutorial-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def logs() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def free_ports() -> dict[str, str]:
    """A free port for each that the page names."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = {port: str(each.getsockname()[1]) for port, each in zip(PORTS, opened, strict=True)}
    for each in opened:
        each.close()
    return found


def with_ports(step: Step, ports: dict[str, str]) -> str:
    text = step.text
    if step.language == "sh" and text == UP:
        return f"healing up --port {ports['3000']} --gateway-port {ports['8888']}\n"
    for port, free in ports.items():
        text = text.replace(port, free)
    return text


def test_a_reader_who_does_what_the_page_says_sees_what_it_shows(
    clean_environment: CleanEnvironment, folder: Path, logs: Path
) -> None:
    ports = free_ports()
    steps = list(steps_of(PAGE))
    assert steps[0].text == INSTALLS
    first = Terminal(folder, clean_environment.environ, logs / "first")
    other = Terminal(folder, clean_environment.environ, logs / "other")
    shown_in_other, typed, printed = False, "", ""
    try:
        for step in steps[1:]:
            text = with_ports(step, ports)
            if step.file:
                path = folder / step.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            elif step.language == "sh":
                shown_in_other = step.in_other
                if step.in_other:
                    other.begin(text)
                else:
                    typed, printed = text, first.run(text, WITHIN_S)
            else:
                if step.stops_other:
                    other.interrupt(WITHIN_S)
                until = time.monotonic() + WITHIN_S
                in_other = shown_in_other or step.in_other
                while line := missing(text, other.printed() if in_other else printed):
                    seen = other.printed() if in_other else printed
                    assert time.monotonic() < until, f"{step.place}: no {line!r} in\n{seen}"
                    time.sleep(LOOKS_AGAIN_AFTER_S)
                    if not in_other:
                        printed = first.run(typed, WITHIN_S)
    finally:
        for each in (other, first):
            each.close()


@pytest.mark.parametrize(
    ("shown", "printed", "first_missing"),
    [
        ("a ... c\n", "x\n a   b c \n", None),
        ("a\n...\nb\n", "a\nx\ny\nb\n", None),
        ("b\na\n", "a\nb\n", "a"),
        ("age: 1\n", "page: 1\n", "age: 1"),
        ("a\na\n", "a\n", "a"),
    ],
)
def test_what_is_shown_is_held_against_what_is_printed(
    shown: str, printed: str, first_missing: str | None
) -> None:
    assert missing(shown, printed) == first_missing
