"""The celery profile: what it adds to a stack, and what it says when something is missing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef

from healing_pipeline.celery_runs import WatchedCeleryRunLauncher
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.stack import celery
from healing_pipeline.stack.dagster_home import settings_of
from healing_pipeline.stack.profile_name import ProfileName
from healing_pipeline.stack.profiles import open_profile

ROOT = Path(__file__).parents[2]
URL = celery.BROKER_VARIABLE


@pytest.fixture
def redis_on_path(tmp_path: Path) -> str:
    """A PATH on which there is a program of that name; nothing here starts it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return str(folder)


def test_the_local_profile_is_the_project_as_it_is(tmp_path: Path) -> None:
    with open_profile(ProfileName.LOCAL, ROOT, tmp_path, {}) as profile:
        assert (profile.home, profile.variables, profile.extras) == (ROOT, {}, ())
        assert profile.is_warm


def test_the_profile_is_the_project_with_another_launcher(
    tmp_path: Path, redis_on_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_profile(
        ProfileName.CELERY, ROOT, tmp_path / "state", {"PATH": redis_on_path}
    ) as profile:
        written = yaml.safe_load((profile.home / "dagster.yaml").read_text(encoding="utf-8"))
        assert {**written, "run_launcher": None} == {**settings_of(ROOT), "run_launcher": None}
        assert written["run_coordinator"]["class"] == "EagerRunCoordinator"
        for name, value in profile.variables.items():
            monkeypatch.setenv(name, value)
        launcher = InstanceRef.from_dir(str(profile.home)).run_launcher
        assert isinstance(launcher, WatchedCeleryRunLauncher)
        conf = launcher.celery.conf
        assert conf.broker_url == profile.variables[URL]
        # A run is handed out once, and a worker holds none in reserve.
        assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (False, False)
        assert (conf.worker_prefetch_multiplier, conf.worker_disable_prefetch) == (1, True)
        names = [each.name for each in profile.extras]
        assert names == ["redis", "heal_worker", "learn_worker"]
        redis = profile.extras[0].command
        assert redis[redis.index("--port") + 1] == "0"
        assert redis[redis.index("--unixsocketperm") + 1] == "700"


def test_a_broker_of_ones_own_is_used_as_it_is_and_no_redis_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        for url, results in (
            (f"redis://:secret@127.0.0.1:{port}/3", f"redis://:secret@127.0.0.1:{port}/3"),
            (f"amqp://user:secret@127.0.0.1:{port}//", "disabled://"),
        ):
            with celery.celery_parts(tmp_path, {URL: url}) as parts:
                assert parts.variables == {URL: url, celery.RESULTS_VARIABLE: results}
                assert [each.name for each in parts.extras] == ["heal_worker", "learn_worker"]
        elsewhere = {URL: f"amqp://127.0.0.1:{port}//", celery.RESULTS_VARIABLE: "redis://other/1"}
        with celery.celery_parts(tmp_path, elsewhere) as parts:
            assert parts.variables == elsewhere


def refusal(state: Path, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused, celery.celery_parts(state, environ):
        pass
    return str(refused.value)


def test_without_redis_and_without_a_broker_both_ways_out_are_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"PATH": str(tmp_path)})
    assert "apt-get install redis-server" in said
    assert f"{URL}=redis://" in said


def test_without_the_packages_their_installation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'healing-pipeline[celery]'" in refusal(tmp_path, {})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:6379", "begins with `localhost:`"),
        ("/tmp/redis.sock", "is no address of a broker"),
        ("sqs://key:secret@", "begins with `sqs:`"),
        ("redis://:secret@host:none/0", "is no number"),
        ("redis://:secret@127.0.0.1:1/0", "No broker answers at 127.0.0.1:1"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_its_cure_and_without_its_password(
    tmp_path: Path, url: str, said: str
) -> None:
    told = refusal(tmp_path, {URL: url})
    assert said in told
    assert "redis://host:6379/0" in told or f"unset {URL}" in told
    assert "secret" not in told


def test_workers_and_redis_clear_away_what_a_killed_one_left(
    tmp_path: Path, redis_on_path: str
) -> None:
    with celery.celery_parts(tmp_path / "state", {"PATH": redis_on_path}) as parts:
        for each in parts.extras:
            assert not each.is_ready()
            left = each.variables.get(celery.READY_FILE_VARIABLE)
            # Redis says where its socket is: a folder with a long name has a stand-in.
            path = Path(left or each.command[each.command.index("--unixsocket") + 1])
            path.touch()
            assert each.is_ready()
            each.before_again()
            assert not each.is_ready()
