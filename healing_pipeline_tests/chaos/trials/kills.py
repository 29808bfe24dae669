"""Every process of the stack killed with -9, at random moments, twenty times each.

`healing up` runs as a process of its own, with simulated upstreams, a fault every few seconds,
readers over HTTP and readers in process. Every few seconds one of its processes is killed with
SIGKILL, drawn by the seed: daemon, webserver, code server, gateway, alerts, a heal run in the
middle of its work, the template that runs are forked from, the zygote. The next kill does not wait
until the last one is mended. What is measured per kind is how long it took until that part did its
work again: a page that answers, a tick that ended, an evaluation that was stored, an incident whose
heal was killed and that another heal has settled, a warm process that waits.

A reader over HTTP whose connection is cut or refused repeats the question until the gateway answers
again: that is a client's part, and such repeats are counted. Readers in process have nothing to
repeat.

In the end the faults are over, and the tables, Dagster's record, the list of processes and the
state folder are held against what the readers have got and what was killed.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from glob import escape
from random import Random

import httpx
import psutil
import psycopg

from healing_pipeline.drill.world import line_of
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.installation import STATE_DIR_VARIABLE, load_catalog
from healing_pipeline.storage.database import URL_VARIABLE
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.stack_account import (
    Facts,
    answers_of,
    asked_twice,
    healed_twice,
    held,
    litter,
    open_incidents,
    strangers,
)
from healing_pipeline_tests.chaos.stack_readers import GatewayReaders, ReadersInProcess
from healing_pipeline_tests.chaos.whole_stack import WholeStack, whole_stack

Say = Callable[[str], None]

PARTS = ("daemon", "webserver", "code server", "gateway", "alerts")
WARM = ("heal run", "template", "zygote")

TIMES, QUICK_TIMES = 20, 2
# Between two kills of anything, and of the same part: five ends of one within a minute would be
# taken for a part that cannot run.
PAUSE_S = (0.5, 4.0)
SAME_AGAIN_S = 17.0
MENDED_WITHIN_S = 150.0
QUIET_WITHIN_S = 240.0
RUN_FOUND_WITHIN_S = 30.0

# Files that may be there more than before: a claim of a run stays for a day.
SPARE: defaultdict[str, int] = defaultdict(lambda: 3, warm=10_000)

# Each of these can be healed: what readers saw before is accepted for a while.
FAULTS = ("server_error", "rate_limit", "auth_error", "reset", "html_page")
FAILING = ("yahoo", "fred")
SLOW_S = 4.0


@dataclass
class Account:
    """What was killed, and how long each took to be mended."""

    mended_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    never: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unmet: int = 0  # heal runs that had ended when they were to be killed


def run(seed: int, quick: bool, say: Say) -> list[Outcome]:
    """Play it; a row for each kind of process."""
    rng = Random(f"kills:{seed}")
    account = Account()
    broken: list[str] = []
    with whole_stack(2.0, say) as stack, tempfile.TemporaryDirectory() as own:
        endpoints = list(load_catalog(stack.config, {}).endpoints)
        by_http = GatewayReaders(stack.gateway, endpoints, 5.0, Random(f"http:{seed}"))
        environ = {STATE_DIR_VARIABLE: own, URL_VARIABLE: stack.url}
        inside = ReadersInProcess(stack.config, environ, 5.0, Random(f"inside:{seed}"))
        inside.start()
        by_http.start()
        _until(lambda: bool((stack.warm() or {}).get("prewarmed")), 120, "warm processes")
        before = litter(stack)
        say("killing begins")
        with _faults(stack, Random(f"faults:{seed}")):
            _kill_all(stack, rng, QUICK_TIMES if quick else TIMES, account, say)
            stack.check()
        stack.simulator.clear_faults()
        quiet_s = _quiet(stack, say)
        by_http.stop()
        inside.stop()
        broken += [f"stuck: {each}" for each in open_incidents(stack)]
        broken += [f"healed twice: {each}" for each in healed_twice(stack)]
        broken += [f"held: {each}" for each in held(stack)]
        broken += [f"left running: {each}" for each in strangers(stack)]
        facts = _settled_facts(stack, by_http.answered, inside.answered)
        after = litter(stack)
        rested = stack.log.read_text().count("it is tried again in")
        twice_asked = asked_twice(stack)
        figures = dict(stack.rows("SELECT signal, count(*) FROM incident_event GROUP BY 1"))
        figures = {name: int(count) for name, count in figures.items()}
        alive = [*stack.processes(), *stack.warm_processes()]
        stopped_s = stack.stop()
        left = [each for each in alive if _lives(each)]
        broken += [f"outlived the stop: {each.pid}" for each in left]
    for name, count in after.items():
        # Claims are kept for a day, and logs are written: neither is litter.
        if name not in {"logs", "dagster"} and count > before.get(name, 0) + SPARE[name]:
            broken.append(f"files grow: {name} had {before.get(name, 0)}, has {count}")
    if rested:
        broken.append(f"{rested} times a part was left alone though only we killed it")
    return _outcomes(account, by_http, inside, facts, broken, {
        "seconds until quiet": round(quiet_s, 1), "seconds to stop": round(stopped_s, 1),
        "answers stored": sum(each.stored for each in facts),
        "connections cut or refused, repeated": by_http.cut,
        "longest wait in process, s": round(inside.longest_s, 2),
        "heal runs that ended before the kill": account.unmet,
        "events that two runs were started for, one of which did nothing": twice_asked,
        **{f"steps {name}": count for name, count in sorted(figures.items())},
    })  # fmt: skip


def _outcomes(
    account: Account,
    by_http: GatewayReaders,
    inside: ReadersInProcess,
    facts: list[Facts],
    broken: list[str],
    seen: dict[str, float | int | str],
) -> list[Outcome]:
    """A row for each kind; what all of them share stands in the first, HTTP's in the gateway's."""
    rows = []
    for place, kind in enumerate((*PARTS, *WARM)):
        took = sorted(account.mended_s[kind])
        counts: dict[str, int] = {}
        more: dict[str, float | int | str] = {}
        if took:
            more["median seconds"] = round(took[len(took) // 2], 1)
        readers = {"gateway": by_http, PARTS[0]: inside}.get(kind)
        if readers is not None:
            fact = facts[0] if readers is by_http else facts[1]
            counts = {
                "requests": readers.asked,
                "reader_errors": readers.errors,
                "events_lost": fact.lost,
                "events_doubled": fact.doubled,
            }
            more["without an answer that never had one"] = readers.nothing_known
            more |= {f"error: {what}": count for what, count in readers.why.most_common(5)}
        if place == 0:
            more |= seen
        rows.append(
            Outcome(
                fault=f"{kind} killed with -9",
                times=len(took) + len(account.never[kind]),
                normal_after_s=round(took[-1], 1) if took else None,
                seen=more,
                broken=(
                    *(f"{kind}: {each}" for each in account.never[kind]),
                    *(broken if place == 0 else ()),
                ),
                **counts,
            )
        )
    return rows


# Faults


@contextmanager
def _faults(stack: WholeStack, rng: Random) -> Iterator[None]:
    """A fault every few seconds: one path, or a whole host of a source, for a while."""
    ended = threading.Event()
    catalog = load_catalog(stack.config, {})
    # Sources whose probes are few are not asked for many minutes whether they have recovered.
    endpoints = [each for each in catalog.endpoints.values() if each.source in FAILING]

    def go_on() -> None:
        while not ended.wait(rng.uniform(3.0, 8.0)):
            endpoint = rng.choice(endpoints)
            path = line_of(catalog, endpoint, datetime.now(UTC)).path
            fault: dict[str, object] = {
                "for_s": rng.uniform(4.0, 20.0),
                "match": {"source": endpoint.source, "path": escape(path)},
                "fault": rng.choice(FAULTS),
            }
            if rng.random() < 0.3:
                fault |= {"fault": "slow", "latency_s": SLOW_S}
            with suppress(HealingPipelineError):
                stack.simulator.add_fault(fault)

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# Kills


def _kill_all(stack: WholeStack, rng: Random, times: int, account: Account, say: Say) -> None:
    """Kill each kind so many times, one kill every few seconds, whatever is mended meanwhile."""
    left = dict.fromkeys((*PARTS, *WARM), times)
    busy: set[str] = set()
    killed_at: dict[str, float] = {}
    with ThreadPoolExecutor(len(left)) as watching:
        while any(left.values()) or busy:
            stack.check()
            now = time.monotonic()
            ready = [
                kind
                for kind, count in left.items()
                if count and kind not in busy and now - killed_at.get(kind, -1e9) > SAME_AGAIN_S
            ]
            if not ready:
                time.sleep(0.2)
                continue
            # Those with more to come first, so that the kinds stay mixed to the end.
            kind = rng.choices(ready, [left[each] for each in ready])[0]
            left[kind] -= 1
            busy.add(kind)
            killed_at[kind] = now
            moment = rng.random()

            def play(kind: str = kind, moment: float = moment) -> None:
                try:
                    _kill_one(stack, kind, moment, account)
                except Exception as error:
                    account.never[kind].append(f"{type(error).__name__}: {error}")
                finally:
                    busy.discard(kind)

            watching.submit(play)
            time.sleep(rng.uniform(*PAUSE_S))
            done = sum(len(each) for each in account.mended_s.values())
            if done and done % 10 == 0:
                say(f"{done} mended, {sum(left.values())} to come")


def _kill_one(stack: WholeStack, kind: str, moment: float, account: Account) -> None:
    if kind == "heal run":
        _kill_heal_run(stack, moment, account)
        return
    began = _kill_part(stack, kind)
    wall = datetime.now(UTC)
    mended = {
        "daemon": lambda: _ticked(stack, wall),
        "code server": lambda: _ticked(stack, wall),
        "webserver": lambda: _answers(f"{stack.page}/server_info"),
        "gateway": lambda: _answers(f"{stack.gateway}/healthz"),
        "alerts": lambda: _evaluated(stack, wall),
        "template": lambda: bool((stack.warm() or {}).get("prewarmed")),
        "zygote": lambda: bool((stack.warm() or {}).get("prewarmed")),
    }[kind]
    try:
        _until(mended, MENDED_WITHIN_S, f"the {kind} to do its work again")
    except TimeoutError as error:
        account.never[kind].append(str(error))
    else:
        account.mended_s[kind].append(time.monotonic() - began)


def _kill_part(stack: WholeStack, kind: str) -> float:
    pid: int | None = None

    def found() -> bool:
        nonlocal pid
        pid = stack.pid_of(kind) if kind in PARTS else (stack.warm() or {}).get(kind)
        return pid is not None

    _until(found, MENDED_WITHIN_S, f"a {kind} to kill")
    assert pid is not None
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def _kill_heal_run(stack: WholeStack, moment: float, account: Account) -> None:
    """Wait for a heal run, let it work for a moment, kill it; its incident is to be settled."""
    until = time.monotonic() + 4 * RUN_FOUND_WITHIN_S
    while time.monotonic() < until:
        warm = stack.warm()
        runs = list((warm or {}).get("runs", {}).items())
        if not runs:
            time.sleep(0.05)
            continue
        run_id, pid = runs[int(moment * len(runs))]
        time.sleep(moment * 1.5)
        incident = stack.rows(
            "SELECT value FROM run_tags WHERE run_id = %s AND key = 'healing/incident'",
            run_id,
            dagster=True,
        )
        number = int(incident[0][0]) if incident else 0
        if not number or not _lives_pid(pid) or _is_settled(stack, number):
            account.unmet += 1
            continue
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        settled = partial(_is_settled, stack, number)
        _until(settled, MENDED_WITHIN_S, f"incident {number} to be settled")
        account.mended_s["heal run"].append(time.monotonic() - began)
        return
    raise TimeoutError("no heal run was met")


def _is_settled(stack: WholeStack, incident: int) -> bool:
    ((state,),) = stack.rows("SELECT state FROM incident WHERE id = %s", incident)
    return state in {"healed", "escalated", "resolved"}


def _ticked(stack: WholeStack, since: datetime) -> bool:
    """Whether a sensor has ticked that began after a moment: daemon and code server both work."""
    rows = stack.rows(
        """SELECT 1 FROM job_ticks WHERE status IN ('SKIPPED', 'SUCCESS') AND type = 'SENSOR'
              AND timestamp > %s LIMIT 1""",
        since.replace(tzinfo=None),
        dagster=True,
    )
    return bool(rows)


def _evaluated(stack: WholeStack, since: datetime) -> bool:
    return bool(stack.rows("SELECT 1 FROM alert_evaluation WHERE evaluated_at > %s", since))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=3.0, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _lives_pid(pid: int) -> bool:
    try:
        return _lives(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


# The end


def _quiet(stack: WholeStack, say: Say) -> float:
    """Wait until nothing is open, held or spooled; how long that took. Too long is told later."""
    began = time.monotonic()
    while time.monotonic() - began < QUIET_WITHIN_S:
        stack.check()
        with suppress(psycopg.Error):
            if not open_incidents(stack) and not held(stack):
                break
        time.sleep(1.0)
    took = time.monotonic() - began
    say(f"quiet after {took:.1f} s")
    # What is held for a moment only is nobody's; what was under way ends.
    time.sleep(5.0)
    return took


def _settled_facts(stack: WholeStack, *answered: list[str]) -> list[Facts]:
    """What became of the answers, when what was spooled has had its time."""
    until = time.monotonic() + 30
    while True:
        facts = [answers_of(stack, each) for each in answered]
        if not any(each.lost for each in facts) or time.monotonic() > until:
            return facts
        time.sleep(1.0)


def _until(what: Callable[[], bool], within_s: float, wanted: str) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with suppress(psycopg.Error, RuntimeError, psutil.Error):
            if what():
                return
        time.sleep(0.1)
    raise TimeoutError(f"waited {within_s:.0f} s for {wanted}")
