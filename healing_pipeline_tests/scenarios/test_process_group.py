"""Children of a stack, as real processes: nothing stays behind, and a death is told."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from healing_pipeline.errors import PortInUseError
from healing_pipeline.stack.leftovers import end_leftovers
from healing_pipeline.stack.ports import is_open, require_free
from healing_pipeline.stack.processes import ProcessDiedError, ProcessGroup, last_line

pytestmark = pytest.mark.processes

# Deaf to both signals, and so is what it starts. A file tells when both are.
DEAF = """
import os, signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if sys.argv[2:] != ["leaf"]:
    subprocess.Popen([sys.executable, "-c", {source!r}, sys.argv[1], "leaf"])
with open(sys.argv[1], "a") as file:
    file.write(f"{{os.getpid()}}\\n")
time.sleep(600)
"""
DEAF = DEAF.format(source=DEAF.replace("{source!r}", '""').replace("{{", "{").replace("}}", "}"))

# Ends on SIGINT, and says which of the signals it was.
POLITE = """
import signal, sys, time
def end(number, frame):
    print("ended by", signal.Signals(number).name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    with ProcessGroup(tmp_path / "logs") as each:
        yield each


def start(group: ProcessGroup, name: str, source: str, cwd: Path, *arguments: str):
    return group.start(name, [sys.executable, "-c", source, *arguments], os.environ, cwd)


def wait_until(what: Callable[[], bool], within_s: float = 10.0) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.02)


def pids_in(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone_soon(pids: list[int]) -> None:
    """What was killed ends when the kernel gets to it, which a busy machine does later."""
    wait_until(lambda: not any(map(is_running, pids)), within_s=5)


def test_a_child_that_hears_no_signal_is_gone_with_its_own_child_within_eight_seconds(
    group, tmp_path
):
    file = tmp_path / "pids"
    start(group, "deaf", DEAF, tmp_path, str(file))
    wait_until(lambda: len(pids_in(file)) == 2)
    began = time.monotonic()
    group.stop()
    assert time.monotonic() - began < 8
    gone_soon(pids_in(file))


def test_a_grandchild_that_outlives_its_parent_is_gone_too(group, tmp_path):
    file = tmp_path / "pids"
    child = start(group, "parent", DEAF, tmp_path, str(file))
    wait_until(lambda: len(pids_in(file)) == 2)
    child.process.kill()
    child.process.wait()
    orphan = next(pid for pid in pids_in(file) if pid != child.process.pid)
    assert is_running(orphan)
    group.stop()
    gone_soon([orphan])


def test_children_that_listen_are_asked_by_the_first_signal_and_not_waited_for_longer(
    group, tmp_path
):
    children = [start(group, f"polite{number}", POLITE, tmp_path) for number in range(3)]
    wait_until(lambda: all("ready\n" in each.log.read_text() for each in children))
    began = time.monotonic()
    group.stop()
    assert time.monotonic() - began < 4
    assert {last_line(each.log) for each in children} == {"ended by SIGINT"}


def test_a_block_that_raises_stops_its_children(tmp_path):
    children = []

    def block() -> None:
        with ProcessGroup(tmp_path) as group:
            children.append(start(group, "polite", POLITE, tmp_path))
            raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        block()
    assert children[0].process.poll() is not None


def test_a_part_that_was_killed_is_started_again_without_what_it_had_started(group, tmp_path):
    file = tmp_path / "pids"
    child = start(group, "deaf", DEAF, tmp_path, str(file))
    wait_until(lambda: len(pids_in(file)) == 2)
    before = pids_in(file)
    (part,) = group.parts()
    assert part.ended() is None
    child.process.kill()
    wait_until(lambda: part.ended() is not None)
    assert part.ended() == "signal 9"
    part.start()
    wait_until(lambda: len(pids_in(file)) == 4)
    assert part.ended() is None
    gone_soon(before)
    group.stop()
    gone_soon(pids_in(file))


def test_what_one_that_was_killed_had_started_is_ended_by_the_next(tmp_path):
    file, noted_in = tmp_path / "pids", tmp_path / "processes.json"
    killed = ProcessGroup(tmp_path / "logs", noted_in)  # nobody stops it
    child = start(killed, "deaf", DEAF, tmp_path, str(file))
    wait_until(lambda: len(pids_in(file)) == 2)
    assert end_leftovers(noted_in) == 1
    child.process.wait(5)
    gone_soon(pids_in(file))
    assert end_leftovers(noted_in) == 0


def test_a_stack_that_was_stopped_leaves_nothing_to_end(tmp_path):
    noted_in = tmp_path / "processes.json"
    with ProcessGroup(tmp_path / "logs", noted_in) as group:
        start(group, "polite", POLITE, tmp_path)
        assert noted_in.exists()
    assert not noted_in.exists()


def test_stopping_twice_is_no_fault(group, tmp_path):
    start(group, "polite", POLITE, tmp_path)
    group.stop()
    group.stop()
    group.check()


def test_a_part_that_dies_is_told_with_its_last_words_and_where_to_read_on(group, tmp_path):
    start(group, "well", POLITE, tmp_path)
    dying = start(
        group, "webserver", "print('port 3000 is taken\\n\\n'); raise SystemExit(7)", tmp_path
    )
    dying.process.wait(10)
    with pytest.raises(ProcessDiedError) as raised:
        group.check()
    for words in ("webserver", "exit code 7", "port 3000 is taken", str(dying.log)):
        assert words in str(raised.value)


def test_a_part_that_dies_without_a_word_is_told_as_well(group, tmp_path):
    dying = start(group, "daemon", "raise SystemExit(1)", tmp_path)
    dying.process.wait(10)
    with pytest.raises(ProcessDiedError, match="it said nothing"):
        group.check()


def test_while_all_parts_run_there_is_nothing_to_tell(group, tmp_path):
    child = start(group, "polite", POLITE, tmp_path)
    wait_until(lambda: "ready\n" in child.log.read_text())
    group.check()


def test_a_child_does_not_get_the_signals_of_our_terminal(group, tmp_path):
    """Ctrl-C goes to the terminal's group; who stops the children, and in what order, is us."""
    child = start(group, "polite", POLITE, tmp_path)
    assert os.getpgid(child.process.pid) == child.process.pid != os.getpgid(0)
    assert os.getsid(child.process.pid) != os.getsid(0)


def test_a_log_with_broken_text_still_has_a_last_line(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"first\nlast \xff\xfe words\n  \n")
    assert last_line(log).startswith("last ")
    log.write_bytes(b"x" * 10_000)
    assert len(last_line(log)) == 300
    assert last_line(tmp_path / "none") == "it said nothing."


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_who_wants_it_and_the_cure(listening):
    with pytest.raises(PortInUseError) as raised:
        require_free(listening, "Dagster's page", "Choose another with --port.")
    assert str(raised.value) == (
        f"Port {listening}, wanted by Dagster's page, is in use. Choose another with --port."
    )


def test_a_port_whose_listener_has_just_gone_is_free():
    """A connection it closed lingers in TIME_WAIT, which is no reason to refuse."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server of ours
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    require_free(port, "a test", "None.")


def test_whether_somebody_answers_is_known_without_starting_anything(listening):
    assert is_open(listening)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert not is_open(taken.getsockname()[1])
