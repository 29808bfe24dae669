"""What the launcher is made of: claims, identities, watched files, and Dagster's private parts."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster import DagsterInstance, DefaultRunLauncher
from dagster._api.list_repositories import sync_list_repositories_grpc
from dagster._cli.api import _execute_run_command_body
from dagster._core.definitions.reconstruct import reconstruct_repository_def_from_pointer
from dagster._core.instance import InstanceRef
from dagster._core.launcher.base import CheckRunHealthResult, RunLauncher
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._serdes import deserialize_value, serialize_value
from dagster._utils.interrupts import capture_interrupts
from dagster._utils.tags import TagConcurrencyLimitsCounter

from healing_pipeline.launcher import zygote
from healing_pipeline.launcher.claims import KEPT_S, Claims
from healing_pipeline.launcher.folder import private_folder, usable_folder
from healing_pipeline.launcher.loaded_files import LAG_NS, LoadedFiles
from healing_pipeline.launcher.messages import ConnectionLostError, channel_pair
from healing_pipeline.launcher.process_identity import (
    ProcessIdentity,
    identity_of,
    own_identity,
)
from healing_pipeline.launcher.settings import LONGEST_FOLDER, Settings

RACE = """
import sys, time
from pathlib import Path
from healing_pipeline.launcher.claims import Claims
from healing_pipeline.launcher.process_identity import own_identity
claims, me = Claims(Path(sys.argv[1])), own_identity()
print("ready", flush=True)
sys.stdin.readline()
print(sum(claims.take(f"run-{n}", me) for n in range(200)))
"""


def test_ten_processes_that_claim_two_hundred_runs_at_once_have_each_once(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    for each in racers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in racers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    taken = [int(each.communicate()[0]) for each in racers]
    assert sum(taken) == 200
    assert len(list(tmp_path.iterdir())) == 200, "drafts are left over"


def test_a_run_given_to_another_launcher_cannot_be_claimed_by_a_process(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    assert claims.take("run", None)
    assert not claims.take("run", own_identity())
    claim = claims.of("run")
    assert claim is not None
    assert claim.elsewhere
    assert claim.by is None


def test_a_claim_that_was_lost_with_the_machine_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"")
    claim = Claims(tmp_path).of("run")
    assert claim is not None
    assert claim.by is None
    assert not claim.elsewhere


def test_old_claims_are_forgotten_but_not_those_of_runs_that_go_on(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    assert claims.take("ended", ProcessIdentity(1, "long ago"))
    assert claims.take("elsewhere", None)
    assert claims.take("going", own_identity())
    (tmp_path / "empty").touch()
    long_ago = time.time() - KEPT_S - 60
    for each in tmp_path.iterdir():
        os.utime(each, (long_ago, long_ago))
    assert claims.take("new", ProcessIdentity(1, "long ago"))
    claims.forget_old()
    assert {each.name for each in tmp_path.iterdir()} == {"going", "new"}


def test_a_process_that_has_ended_and_is_not_reaped_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = identity_of(process.pid)
    assert identity is not None
    assert identity.is_alive()
    process.kill()
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    assert not identity.is_alive()
    process.communicate()
    assert identity_of(process.pid) is None


def test_a_pid_with_another_start_is_not_signalled() -> None:
    assert not ProcessIdentity(os.getpid(), "another start").signal(9)


def test_a_module_that_is_edited_in_place_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "watched_module.py"
    module.write_text("VALUE = 1\n")
    long_ago = time.time() - 100
    os.utime(module, (long_ago, long_ago))
    monkeypatch.syspath_prepend(str(tmp_path))
    since = time.time_ns()
    __import__("watched_module")
    files = LoadedFiles(since)
    try:
        assert str(module) in files
        assert not files.changed()
        module.write_text("VALUE = 2\n")
        time.sleep(0.06)
        assert files.changed() == (str(module),)
    finally:
        del sys.modules["watched_module"]


@pytest.mark.parametrize("how", ["written after loading began", "removed"])
def test_a_file_that_may_not_be_what_was_loaded_has_changed(tmp_path: Path, how: str) -> None:
    file = tmp_path / "named"
    file.write_text("x")
    since = time.time_ns() + 2 * LAG_NS
    if how == "removed":
        files = LoadedFiles(since)
        files.note([str(file)])
        assert not files.changed()
        file.unlink()
        time.sleep(0.06)
    else:
        time.sleep(0.1)
        file.write_text("y")
        files = LoadedFiles(since)
        files.note([str(file)])
    assert files.changed() == (str(file),)


def test_a_message_that_comes_in_pieces_is_one_message() -> None:
    one, other = channel_pair()
    other.socket.sendall(b'{"a": ')
    assert one.arrived() == []
    other.socket.sendall(b'1}\n{"b": 2}\n{"c"')
    assert one.arrived() == [{"a": 1}, {"b": 2}]
    other.close()
    with pytest.raises(ConnectionLostError):
        one.receive(1.0)
    one.close()


def test_a_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o777)
    assert private_folder(folder).stat().st_mode & 0o077 == 0


def test_a_stand_in_for_a_long_folder_is_short_and_its_own(tmp_path: Path) -> None:
    one, other = (usable_folder(tmp_path / (letter * 100)) for letter in "ab")
    assert one != other
    assert len(os.fsencode(one)) <= LONGEST_FOLDER


def test_a_log_past_its_measure_is_begun_anew_for_those_who_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "MOST_LOG_BYTES", 100)
    log = tmp_path / "zygote.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 101)
        zygote._bound(log)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "zygote.old").stat().st_size == 101


def test_settings_survive_the_way_to_the_zygote() -> None:
    settings = Settings("/tmp/x", ("a", "b"), ("c:d",), 3, 5, 1.5, 0.5)
    assert Settings.from_json(settings.to_json()) == settings


class TestDagstersPrivateParts:
    """Each is used and not promised: an upgrade that moves one shall fail here first."""

    def test_a_run_is_executed_by_what_executes_it_in_containers(self) -> None:
        assert list(inspect.signature(_execute_run_command_body).parameters) == [
            "run_id",
            "instance",
            "write_stream_fn",
            "set_exit_code_on_failure",
        ]
        assert callable(capture_interrupts)

    def test_an_instance_goes_to_another_process_and_back(self, tmp_path: Path) -> None:
        with DagsterInstance.local_temp(str(tmp_path)) as instance:
            text = serialize_value(instance.get_ref())
            assert json.loads(text)
            with DagsterInstance.from_ref(deserialize_value(text, InstanceRef)) as same:
                assert same.get_ref() == instance.get_ref()
            assert list(inspect.signature(instance.optimize_for_webserver).parameters) == [
                "statement_timeout",
                "pool_recycle",
                "max_overflow",
            ]

    def test_code_is_found_by_its_origin(self) -> None:
        assert "code_pointer" in inspect.signature(RepositoryPythonOrigin).parameters
        assert "pointer" in inspect.signature(reconstruct_repository_def_from_pointer).parameters
        assert callable(sync_list_repositories_grpc)

    @pytest.mark.parametrize(
        "name", ["launch_run", "terminate", "check_run_worker_health", "dispose"]
    )
    def test_launchers_are_asked_for_what_this_one_answers(self, name: str) -> None:
        assert callable(getattr(RunLauncher, name))
        assert issubclass(DefaultRunLauncher, RunLauncher)
        assert {"status", "msg", "run_worker_id"} <= set(
            inspect.signature(CheckRunHealthResult).parameters
        )

    def test_default_launcher_keeps_the_runs_it_waits_for(self) -> None:
        assert DefaultRunLauncher()._run_ids == set()

    def test_limits_are_counted_by_dagster(self) -> None:
        assert callable(TagConcurrencyLimitsCounter([], []).is_blocked)
        assert callable(QueuedRunCoordinator.submit_run)
