"""Keys of every kind are planted, and everything that was written or sent is searched for them.

`healing up` runs with its upstreams real: local ones that repeat the key they are sent in errors,
headers and good data, in eleven ways of writing it. Planted are each source's keys, both tokens
of the gateway, the password of a mail account, the token in a webhook's address and a model's key.
Then all is searched, in every one of those ways: each table of both databases, each file of the
project and its state (logs, spool, snapshots, Dagster's), what commands print, every page and
report, letters, webhooks, what the model was sent, command lines, and PostgreSQL's environment. A
key that an upstream never got is not counted as searched.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.installation import STATE_DIR_VARIABLE
from healing_pipeline.simulator.control import _free_block, running_simulator
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline_tests.chaos.echoing_upstreams import echoing_upstreams, forms
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.secret_search import (
    Search,
    bearer,
    search_commands,
    search_pages,
    search_processes,
    search_tables,
    told,
)
from healing_pipeline_tests.model_servers import model_server
from healing_pipeline_tests.post_offices import http_server, mail_server

ROOT = Path(__file__).parents[3]
READY_WITHIN_S = 240.0
# A busy machine needs longer until a heal run has ended and the model was asked.
MORE_FOR_HEALS_S = 180.0
SOURCES = {
    "fred": "FRED_API_KEY",
    "polygon": "POLYGON_API_KEY",
    "alpha_vantage": "ALPHA_VANTAGE_API_KEY",
    "exchange_rate": "EXCHANGE_RATE_API_KEY",
}


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Plant, run, search."""
    keys = {
        f"{source} {name}": f"kAnary7{source[:4]}-{name}_{seed:04d}/Vogel"
        for source in SOURCES
        for name in ("primary", "spare")
    }
    others = {
        name: f"kAnary7{name.replace(' ', '-')}-{seed:04d}-Vogel"
        for name in ("gateway token", "reader token", "mail password", "webhook token", "model key")
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hp-canary-")))
        folder.chmod(0o755)
        simulator = stack.enter_context(running_simulator(seed=seed, quotas="off"))
        given = default_keys()
        echoes = stack.enter_context(
            echoing_upstreams(
                addresses(simulator.base_port),
                {keys[f"{s} {n}"]: given[s, n] for s in SOURCES for n in ("primary", "spare")},
            )
        )
        post = stack.enter_context(mail_server(password=others["mail password"]))
        hook = stack.enter_context(http_server())
        model = stack.enter_context(model_server())
        base = _free_block()
        _project(folder, echoes.ports, model.url)
        environ = {n: v for n, v in os.environ.items() if not n.startswith("HEALING_")}
        environ |= {
            STATE_DIR_VARIABLE: str(folder / "state"),
            "PYTHONPATH": str(ROOT),
            "HEALING_GATEWAY_TOKEN": others["gateway token"],
            "HEALING_GATEWAY_READER_TOKEN": others["reader token"],
            "OPENAI_API_KEY": others["model key"],
            "ALERTS_MAIL_URL": f"mailto://alerts:{others['mail password']}@healing.test:{post.port}"
            "?smtp=127.0.0.1&mode=insecure&to=oncall@healing.test",
            "ALERTS_HOOK_URL": f"json://127.0.0.1:{hook.port}/hook/{others['webhook token']}",
        }
        for source, variable in SOURCES.items():
            environ[variable] = keys[f"{source} primary"]
            environ[f"{variable}_SPARE"] = keys[f"{source} spare"]
        gateway = f"http://127.0.0.1:{base - 2}"
        log = folder / "up.log"
        up = stack.enter_context(_up(folder, environ, base, log))
        say("the stack is up; readers ask")
        until_heals = lambda: told(folder / "state")[1] > 0 and bool(model.exchanges)  # noqa: E731
        requests, errors, bodies = _read(gateway, others, 60.0 if quick else 180.0, until_heals)
        say(f"{requests} requests; everything is searched")
        # What no upstream was ever sent could not have come back from one.
        planted = {**{n: k for n, k in keys.items() if k in echoes.keys_seen}, **others}
        search = Search({form: name for name, each in planted.items() for form in forms(each)})
        for text in bodies:
            search.look("an answer of the gateway", text)
        search_tables(search, folder / "state")
        incidents, heals, opinions = told(folder / "state")
        search_commands(search, folder, environ)
        search_pages(search, gateway, others)
        search_processes(search, up)
        up.send_signal(signal.SIGINT)
        up.wait(90)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                search.look(str(path.relative_to(folder)), path.read_bytes())
        for letter in post.letters:
            search.look("a letter", letter.content)
            search.look("a letter, as it is read", letter.part("plain") + letter.part("html"))
        for each in hook.requests:
            search.look("a webhook's body", each.body)
        for exchange in model.exchanges:
            search.look("what the model was sent", exchange.head + exchange.body, "model key")
        counts = {
            "canaries planted": len(planted),
            "ways to write each": len(forms("x" * 20)),
            "answers of upstreams that repeated a key": echoes.asked,
            "places searched": search.places,
            "characters searched": search.characters,
            "letters": len(post.letters),
            "webhooks": len(hook.requests),
            "questions to the model": len(model.exchanges),
            "incidents": incidents,
            "heal runs that tried something": heals,
            "second opinions by what became of them": opinions,
        }
        broken = [f"A key leaked: {each}" for each in sorted(set(search.found))[:40]]
        if len(planted) < len(keys) + len(others) - 1:
            broken.append(f"Only {len(planted)} canaries reached what they were meant for.")
        if not (heals and model.exchanges):
            broken.append("No heal ran or no model was asked, so what they write was not searched.")
        if not (post.letters and hook.requests):
            broken.append("No alert was sent, so none was searched.")
    return [
        Outcome(
            "every upstream repeats the key it was sent, everything written or sent is searched",
            times=echoes.asked,
            requests=requests,
            reader_errors=errors,
            seen=counts,
            broken=tuple(broken),
        )
    ]


def _project(folder: Path, ports: Mapping[tuple[str, str], int], model: str) -> None:
    for file in ("dagster.yaml", "workspace.yaml"):
        (folder / file).write_text((ROOT / file).read_text())
    text = default_config_text().replace("upstreams: simulated", "upstreams: real", 1)
    text = text.replace("allow_private_hosts: []", "allow_private_hosts: [127.0.0.1]")
    text = re.sub(r"witnesses: \[.*\]", "witnesses: []", text)
    text = re.sub(r"\n +quota: .*", "", text)
    text = re.sub(r"calendar: \w+", "calendar: always", text)
    source = ""
    lines = []
    for line in text.splitlines():
        if named := re.fullmatch(r"  (\w+):", line):
            source = named[1]
        host = re.fullmatch(r"(      (\w+): )https://\S+", line)
        port = ports.get((source, host[2])) if host else None
        lines.append(line if port is None or host is None else f"{host[1]}http://127.0.0.1:{port}")
    more = f"""
alerts:
  channels:
    mail: {{env: ALERTS_MAIL_URL, levels: [warning, error, critical]}}
    hook: {{env: ALERTS_HOOK_URL, levels: [warning, error, critical]}}
  failure-threshold: 1
second_opinion:
  service: openai
  base_url: {model}/v1
  model: test
  api_key_env: OPENAI_API_KEY
  daily_budget_usd: 1
  price_per_million_tokens: {{input: 0, output: 0}}
  timeout_s: 8
  ask: always
"""
    (folder / "config").mkdir()
    (folder / "config" / "healing_config.yaml").write_text("\n".join(lines) + "\n" + more)


class _up:  # noqa: N801 (a context, used once)
    def __init__(self, folder: Path, environ: dict[str, str], base: int, log: Path) -> None:
        self._folder, self._environ, self._base, self._log = folder, environ, base, log

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "healing_pipeline", "up"),
                    *(f"--port={self._base - 1}", f"--gateway-port={self._base - 2}"),
                ],
                cwd=self._folder,
                env=self._environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + READY_WITHIN_S
        while "Ctrl-C stops" not in self._log.read_text():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the stack did not start: {self._log.read_text()[-3000:]}")
            time.sleep(0.2)
        return self._process

    def __exit__(self, *_: object) -> None:
        family = (
            psutil.Process(self._process.pid).children(recursive=True)
            if (self._process.poll() is None)
            else []
        )
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for each in family:
            if each.is_running():
                each.kill()


def _read(
    gateway: str, others: Mapping[str, str], seconds: float, is_enough: Callable[[], bool]
) -> tuple[int, int, list[str | bytes]]:
    """Readers, some with the wrong token; all that came back."""
    requests = errors = 0
    said: list[str | bytes] = []
    tokens = [others["reader token"], others["gateway token"], "kAnary7-wrong-guess"]
    with httpx.Client(base_url=gateway, timeout=10) as client:
        openapi = client.get("/openapi.json", headers=bearer(tokens[0])).json()
        endpoints = [each for each in openapi["paths"] if each.startswith("/v1/")]
        until = time.monotonic() + seconds
        latest = until + MORE_FOR_HEALS_S
        while time.monotonic() < until:
            if requests % 100 == 99 and until < latest and not is_enough():
                until = min(latest, until + 20.0)
            path = endpoints[requests % len(endpoints)]
            headers = bearer(tokens[0 if requests % 40 else 2])
            if requests % 5 == 4:
                headers["X-Healing"] = "off"
            got = client.get(path, headers=headers)
            requests += 1
            errors += got.status_code == 500 and b"internal-error" in got.content
            said += [got.content, str(got.headers)]
            time.sleep(0.05)
    return requests, errors, said
