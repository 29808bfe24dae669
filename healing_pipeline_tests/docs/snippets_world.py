"""An installation in which what the documentation shows is done: simulator, PostgreSQL, gateway."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.cli import main
from healing_pipeline.data_path import open_data_path
from healing_pipeline.simulator.control import RunningSimulator, running_simulator
from healing_pipeline.web.beside import Pages
from healing_pipeline.web.serving import gateway_on

GATEWAYS = ("http://127.0.0.1:8888", "http://localhost:8888")
SIMULATOR = "http://127.0.0.1:8900"
WITH_VALUE = {
    **dict.fromkeys(("-H", "--header"), "header"),
    **dict.fromkeys(("-X", "--request"), "method"),
    **dict.fromkeys(("-d", "--data"), "data"),
}
WITHOUT_VALUE = {"-i", "-s", "-f", "-v", "-L", "-I", "-sS", "-fsS", "--fail", "--silent"}


@dataclass(frozen=True, slots=True)
class World:
    """Where the snippets are run.

    Attributes
    ----------
    folder : Path
        The working folder, with `config/healing_config.yaml` in it.
    environ : dict of str to str
    simulator : RunningSimulator
    paths : frozenset of str
        All that the gateway answers besides data.
    gateway : callable
        Asks it: a request to its response.
    """

    folder: Path
    environ: dict[str, str]
    simulator: RunningSimulator
    paths: frozenset[str]
    gateway: Callable[[httpx.Request], httpx.Response]

    @contextmanager
    def entered(self) -> Iterator[pytest.MonkeyPatch]:
        """Be in its folder, with its environment."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            yield patch

    def healing(self, arguments: Sequence[str]) -> tuple[int, str]:
        """Run a `healing` command; its exit code, and what it printed."""
        written = io.BytesIO()
        said = io.TextIOWrapper(written, "utf-8", write_through=True)
        quiet = logging.getLogger("healing_pipeline.storage")  # `healing fetch` makes it so
        level, code = quiet.level, 0
        with self.entered() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.setattr(sys, "argv", ["healing", *arguments])
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                quiet.setLevel(level)
        return code, written.getvalue().decode()

    def curl(self, arguments: Sequence[str]) -> str | None:
        """What is wrong with a `curl` of gateway or simulator; None where it answers."""
        method, address, headers, data = None, "", {}, None
        words = iter(arguments)
        for each in words:
            kind = WITH_VALUE.get(each)
            if kind == "method":
                method = next(words)
            elif kind == "header":
                name, _, value = next(words).partition(":")
                headers[name] = value.strip()
            elif kind == "data":
                data = next(words)
            elif each.startswith("-") and each not in WITHOUT_VALUE:
                return f"no test knows curl's {each}"
            elif not each.startswith("-"):
                address = each
        here = address.replace(SIMULATOR, f"http://127.0.0.1:{self.simulator.base_port}")
        request = httpx.Request(
            method or ("GET" if data is None else "POST"), here, headers=headers, content=data
        )
        if address.startswith(GATEWAYS):
            response = self.gateway(request)
        elif here != address:
            with httpx.Client() as client:
                response = client.send(request)
            self.simulator.control.clear_faults()
        else:
            return f"{address} is an address of neither the gateway nor the simulator"
        if response.is_success:
            return None
        return f"{shlex.join(['curl', *arguments])} answers {response.status_code}: {response.text}"


@contextmanager
def snippets_world(folder: Path, database_url: str) -> Iterator[World]:
    """A world in `folder`, on a migrated database."""
    with running_simulator(seed=3, quotas="off") as simulator:
        config = folder / "config" / "healing_config.yaml"
        config.parent.mkdir()
        port = f"port: {simulator.base_port}"
        config.write_text(default_config_text().replace("port: 8900", port))
        environ = {
            "HEALING_CONFIG": str(config),
            "HEALING_DATABASE_URL": database_url,
            "HEALING_STATE_DIR": str(folder / "state"),
        }
        whole = {**os.environ, **environ}
        with asyncio.Runner() as runner:
            opened = open_data_path(config, whole)
            path = runner.run(opened.__aenter__())
            around = Pages(path, load_settings(config, environ=whole), frozenset({"127.0.0.1"}))
            application = around.application(lambda: {"ready": True})
            paths = frozenset(each.path for each in application.routes)
            transport = httpx.ASGITransport(gateway_on(path, None, around))

            async def ask(request: httpx.Request) -> httpx.Response:
                async with httpx.AsyncClient(transport=transport, timeout=20.0) as client:
                    return await client.send(request)

            try:
                yield World(folder, environ, simulator, paths, lambda asked: runner.run(ask(asked)))
            finally:
                around.close()
                runner.run(opened.__aexit__(None, None, None))
