"""Without warm processes the default launcher begins the run, soon, and the log says why."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from warm_project import CODE, Home, Project, another_launcher, go, has_launched, until

from healing_pipeline.launcher import warm_run_launcher
from healing_pipeline.launcher.hold import RETRY_S

pytestmark = pytest.mark.processes


def is_the_default_launchers(home: Home, run_id: str, why: str, within_s: float = 10.0) -> None:
    """A run that the default launcher began, once and soon, with the reason in its log.

    Soon, beside the patience of half a minute that all these have.
    """
    assert home.ended(run_id) == "SUCCESS"
    assert home.starts(run_id) == home.project.begun(run_id) == 1
    assert not home.was_warm(run_id)
    (told,) = [each for each in home.events(run_id) if "No warm process" in each]
    assert why in told
    assert home.gave_up_after(run_id) < within_s


def test_a_full_disk_is_the_default_launchers_and_a_mended_one_is_warm(
    warm_project: Project,
) -> None:
    with (
        small_disk(warm_project.folder / "disk") as disk,
        warm_project.home("full", folder=str(disk / "w"), patience_s=30.0) as home,
    ):
        home.ended(home.launch("quick"))
        home.prewarmed()
        filler = disk / "filler"
        fill(filler)
        run_id = home.launch("quick")
        is_the_default_launchers(home, run_id, "No space left on device")
        filler.unlink()
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)


def test_where_no_file_can_be_written_the_default_launcher_begins_the_run(home: Home) -> None:
    run_id = home.create("quick")
    with another_launcher(home, run_id) as launcher:
        # From now on, for it and for the zygote that it starts.
        resource.prlimit(launcher.pid, resource.RLIMIT_FSIZE, (0, 0))
        go(launcher)
        has_launched(launcher)
        is_the_default_launchers(home, run_id, "File too large", within_s=15.0)


def test_a_folder_that_is_a_file_is_said_at_once(warm_project: Project) -> None:
    place = warm_project.folder / "taken"
    place.write_text("not a folder")
    with warm_project.home("file", folder=str(place)) as home:
        is_the_default_launchers(home, home.launch("quick"), "no zygote can be started")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_entered(warm_project: Project) -> None:
    place = warm_project.folder / "foreign"
    place.mkdir()
    os.chown(place, 65534, 65534)
    with warm_project.home("foreign-home", folder=str(place)) as home:
        is_the_default_launchers(home, home.launch("quick"), "belongs to another user")


def test_a_folder_with_a_long_name_has_a_stand_in(warm_project: Project) -> None:
    place = warm_project.folder / ("long" * 30)
    with warm_project.home("long", folder=str(place)) as home:
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)
        stand_in = home.warm_folder
        assert stand_in != place
        assert stand_in.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(stand_in)


def test_a_folder_that_is_removed_is_begun_anew(home: Home) -> None:
    home.ended(home.launch("quick"))
    zygote = home.zygote()
    shutil.rmtree(home.warm_folder)
    run_id = home.launch("quick")
    assert home.ended(run_id) == "SUCCESS"
    assert home.was_warm(run_id)
    assert home.zygote() != zygote
    until(lambda: zygote not in {each.pid for each in home.processes()}, 10.0)
    assert home.zygote()


def test_a_preload_that_cannot_be_imported_is_told_and_done_without(warm_project: Project) -> None:
    with warm_project.home("unknown", preload=["no_such_module"]) as home:
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert home.was_warm(run_id)
        assert "no_such_module is to be preloaded and cannot be" in home.log()


def test_a_preload_that_starts_a_thread_is_the_default_launchers_and_not_tried_each_time(
    warm_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (warm_project.folder / "threading_away.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(warm_project.folder))
    why = "what is preloaded starts 1 threads"
    with warm_project.home("threads", preload=["threading_away"]) as home:
        first = home.launch("quick")
        second = home.launch("quick")
        is_the_default_launchers(home, first, why, within_s=20.0)
        is_the_default_launchers(home, second, why, within_s=RETRY_S / 2)
        assert RETRY_S > 5.0
        assert home.log().count(why) <= 2, "once for a launch, once for the next in the background"


def test_definitions_that_start_a_thread_are_the_default_launchers(warm_project: Project) -> None:
    warm_project.write(
        CODE + "\nimport threading\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    try:
        with warm_project.home("unsafe") as home:
            run_id = home.launch("quick")
            is_the_default_launchers(home, run_id, "starts 1 threads", within_s=20.0)
    finally:
        warm_project.write(CODE)


def test_an_upgrade_under_the_zygote_is_never_run_past(
    warm_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = warm_project.folder / "upgraded.py"
    library.write_text("VERSION = 'old'\n")
    monkeypatch.setenv("PYTHONPATH", str(warm_project.folder))
    warm_project.write(CODE.replace('SAYS = "first"', "from upgraded import VERSION as SAYS"))
    try:
        with warm_project.home("upgrade", preload=["upgraded"]) as home:
            run_id = home.launch("quick")
            assert home.ended(run_id) == "SUCCESS"
            assert home.was_warm(run_id)
            assert "says old" in home.told(run_id)
            zygote = home.zygote()
            library.write_text("VERSION = 'quite new'\n")
            run_id = home.launch("quick")
            assert home.ended(run_id) == "SUCCESS"
            assert home.was_warm(run_id)
            assert "says quite new" in home.told(run_id)
            assert home.zygote() != zygote
    finally:
        warm_project.write(CODE)


def test_prewarmed_processes_outlive_a_restart_of_postgresql(steady: Home) -> None:
    steady.ended(steady.launch("quick"))
    (waiting,) = steady.prewarmed()
    url = steady.project.url.replace("postgresql+psycopg2", "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        # What clients see of a restart: every connection is hung up.
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended is not None
    assert ended[0] > 0
    run_id = steady.launch("waiting")
    assert steady.started(run_id).pid == waiting
    steady.project.go(run_id)
    assert steady.ended(run_id) == "SUCCESS"


def test_nonsense_at_the_sockets_disturbs_nobody(steady: Home) -> None:
    steady.ended(steady.launch("quick"))
    steady.prewarmed()
    for path in steady.warm_folder.glob("*.sock"):
        for nonsense in (b"\n", b"[]\n", b'{"op": "launch"}\n', b"\xff" * 2_000_000):
            with socket.socket(socket.AF_UNIX) as end:
                end.settimeout(5.0)
                end.connect(str(path))
                with suppress(ConnectionError):
                    end.sendall(nonsense)
                    assert end.recv(100) == b""
    run_id = steady.launch("quick")
    assert steady.ended(run_id) == "SUCCESS"
    assert steady.was_warm(run_id)


def test_where_nothing_can_be_forked_runs_are_the_default_launchers_without_a_word(
    warm_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_run_launcher, "FORKING", ())
    with warm_project.home("windows") as home:
        run_id = home.launch("quick")
        assert home.ended(run_id) == "SUCCESS"
        assert "warm" not in home.told(run_id)
        assert not home.processes()


def fill(path: Path) -> None:
    """Write until nothing can be written any more."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
