"""Strategies of other packages: how they are found, and the example package, really installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import pytest

import healing_pipeline
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES, registry
from healing_pipeline.healing.strategy import Applicability, Cost, NotHealed

ROOT = Path(healing_pipeline.__file__).parent.parent
EXAMPLE = ROOT / "examples" / "acme_healing"


# ------------------------------------------------------------------ how they are found


@dataclass(frozen=True)
class Hopeful:
    name: ClassVar[str] = "hopeful"
    tries: int = 1

    @property
    def cost(self) -> Cost:
        return Cost(self.tries, 1.0, Fidelity.EXACT)

    def applies(self, situation):
        return Applicability(False, "never")

    async def heal(self, situation, upstream):
        return NotHealed(situation.failure)


@dataclass
class Thawed:
    name: ClassVar[str] = "hopeful"
    cost: Cost = Cost(0, 0.0, Fidelity.EXACT)  # noqa: RUF009 - frozen
    applies = Hopeful.applies
    heal = Hopeful.heal


@dataclass(frozen=True)
class Blocking(Hopeful):
    def heal(self, situation, upstream):
        return NotHealed(situation.failure)


@dataclass(frozen=True)
class Priceless(Hopeful):
    @property
    def cost(self):
        return 3


@dataclass(frozen=True)
class Speechless(Hopeful):
    applies = None


@dataclass(frozen=True)
class Demanding(Hopeful):
    tries: int

    def __init__(self, tries: int) -> None:
        object.__setattr__(self, "tries", tries)


INSTANCE = Hopeful(tries=7)


@pytest.fixture
def announced(monkeypatch) -> Iterator:
    """Announces values of this module, and gives back what the registry makes of them."""

    def announce(*named: tuple[str, str]):
        entries = [EntryPoint(name, f"{__name__}:{each}", registry.GROUP) for name, each in named]
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        registry.all_strategies.cache_clear()
        return registry.all_strategies()

    yield announce
    registry.all_strategies.cache_clear()


class TestRegistry:
    def test_puts_announced_strategies_behind_ours(self, announced):
        assert announced() == STRATEGIES
        assert announced(("hopeful", "Hopeful")) == (*STRATEGIES, Hopeful())

    def test_takes_an_instance_with_parameters_of_its_own(self, announced):
        assert announced(("hopeful", "INSTANCE"))[-1] == Hopeful(tries=7)

    def test_looks_up_what_is_installed_once(self, announced, monkeypatch):
        announced(("hopeful", "Hopeful"))
        monkeypatch.setattr(registry, "entry_points", lambda group: pytest.fail("asked again"))
        assert registry.all_strategies()[-1] == Hopeful()

    @pytest.mark.parametrize(
        ("name", "value", "because"),
        [
            ("use_cached_data", "Hopeful", "has a name that is taken"),
            ("another", "Hopeful", "goes by another name than its entry point"),
            ("hopeful", "Nowhere", "cannot be loaded: AttributeError"),
            ("hopeful", "Demanding", "cannot be loaded: TypeError"),
            ("hopeful", "Thawed", "is no frozen dataclass"),
            ("hopeful", "Blocking", "has no `async def heal()`"),
            ("hopeful", "Priceless", "has no `cost` that is a Cost"),
            ("hopeful", "Speechless", "has no applies()"),
        ],
    )
    def test_refuses_what_cannot_be_used_and_says_what_to_do(self, announced, name, value, because):
        with pytest.raises(ConfigurationError) as caught:
            announced((name, value))
        assert because in caught.value.problem
        assert f"{__name__}:{value}" in str(caught.value)
        assert "uninstall" in caught.value.cure

    def test_refuses_two_packages_with_one_name(self, announced):
        with pytest.raises(ConfigurationError, match="has a name that is taken"):
            announced(("hopeful", "Hopeful"), ("hopeful", "INSTANCE"))


# ------------------------------------------------------------------ the example, installed


class AcmeService(BaseHTTPRequestHandler):
    """Acme's live service, which is empty today, and its nightly file."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["X-Acme-Key"]))
        last_night = [{"date": "2026-03-02", "close": 9.5}, {"date": "2026-03-03", "close": 9.75}]
        prices = last_night if self.path.startswith("/nightly/") else []
        body = json.dumps({"item": "WIDGET", "prices": prices}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


READER = """
import asyncio, json, random, sys, uuid
from pathlib import Path
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.memory import RouteTable, SnapshotMemory
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.installation import allowed_hosts, load_catalog, system_clock
from healing_pipeline.providers.registry import provider_named
from healing_pipeline.transport.http import HttpSender, new_client

async def main():
    catalog = load_catalog(Path(sys.argv[1]), {"ACME_API_KEY": "s3cret"})
    sender = HttpSender(new_client(), allowed_hosts(catalog))
    facts = []
    engine = HealingEngine(
        catalog=catalog, providers={"acme": provider_named("acme")}, send=sender.send,
        clock=system_clock(), random=random.random, new_id=uuid.uuid4, record=facts.append,
        snapshots=SnapshotMemory(), routes=RouteTable(), strategies=all_strategies(),
    )
    answer = await engine.fetch("acme/widget")
    await sender.aclose()
    print(json.dumps({
        "strategy": answer.strategy, "fidelity": answer.fidelity, "provider": answer.provider,
        "values": [each.value for each in answer.reading.points],
    }))

asyncio.run(main())
"""


@dataclass
class Installed:
    """The example package in a folder of its own, for programs that are told of it."""

    target: Path

    @cached_property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.target), "ACME_API_KEY": "s3cret"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installed:
    """As `pip install` leaves it, from a copy: building writes into the folder it builds."""
    source = tmp_path_factory.mktemp("acme") / "source"
    shutil.copytree(EXAMPLE, source)
    made = Installed(source.parent / "target")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    done = made.run("-m", "pip", "install", *options, "--target", str(made.target), str(source))
    assert done.returncode == 0, done.stderr
    return made


class TestExamplePackage:
    def test_is_what_lets_check_accept_a_catalog_with_its_source(self, installed):
        check = (
            "-m",
            "healing_pipeline",
            "check",
            "--config",
            str(EXAMPLE / "healing_config.yaml"),
        )
        done = installed.run(*check)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 source, 1 endpoint" in done.stdout
        installed_nowhere = Installed(Path("/nowhere"))
        refused = installed_nowhere.run(*check)
        assert refused.returncode != 0
        assert "acme" in refused.stdout + refused.stderr

    def test_heals_its_own_source_with_its_own_strategy(self, installed, tmp_path):
        AcmeService.asked.clear()
        server = ThreadingHTTPServer(("127.0.0.1", 0), AcmeService)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            config = tmp_path / "healing_config.yaml"
            text = (EXAMPLE / "healing_config.yaml").read_text(encoding="utf-8")
            here = f"http://127.0.0.1:{server.server_port}"
            text = text.replace("https://api.acme.example", here)
            config.write_text(f"allow_private_hosts: [127.0.0.1]\n{text}", encoding="utf-8")
            reader = tmp_path / "reader.py"
            reader.write_text(READER, encoding="utf-8")
            done = installed.run(str(reader), str(config))
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {
            "strategy": "acme_nightly_file",
            "fidelity": "stale",
            "provider": "acme",
            "values": [9.5, 9.75],
        }
        assert AcmeService.asked == [
            ("/prices/WIDGET?days=30", "s3cret"),
            ("/nightly/prices/WIDGET?days=30", "s3cret"),
        ]

    def test_is_held_to_the_contract_of_every_strategy(self, installed):
        contract = ROOT / "healing_pipeline_tests" / "unit" / "test_strategies.py"
        done = installed.run(
            *("-m", "pytest", str(contract), "-rp", "-p", "no:cacheprovider", "-n", "0"),
            *("-k", "acme_nightly_file or TestOrder"),
        )
        assert done.returncode == 0, done.stdout
        assert "test_the_contract_sees_every_strategy_heal[acme_nightly_file]" in done.stdout

    def test_tells_its_reader_all_in_few_lines(self):
        assert len((EXAMPLE / "README.md").read_text(encoding="utf-8").splitlines()) < 25
