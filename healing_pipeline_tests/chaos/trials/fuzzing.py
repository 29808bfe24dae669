"""A million inputs, changes of ones that look real, given to all that reads what others wrote.

Every target of `healing_pipeline_tests.chaos.fuzz` gets its share in a process of its own: what
upstreams send, what people and models write, what lies on disk and in the database, and what
readers ask of the gateway. Where atheris is installed the inputs are led by the code that they
reach; elsewhere they are changes by chance. A promise is broken by an exception that is not
declared, by over a second of processor time, by over a gigabyte of memory, and by what the target
itself asserts of the outputs (see `Target.about` of each).
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from healing_pipeline_tests.chaos.fuzz.target import CANARY
from healing_pipeline_tests.chaos.fuzz.targets import TARGETS, inputs_of
from healing_pipeline_tests.chaos.outcome import Outcome

INPUTS, QUICK_INPUTS = 1_000_000, 20_000
MOST_MB = 1_024
ENDS_WITHIN_S = 3 * 3600.0


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Give every target its share of the inputs, as many targets at a time as there are cores."""
    guided = importlib.util.find_spec("atheris") is not None
    say("led by coverage (atheris)" if guided else "by chance: atheris is not installed")
    shares = inputs_of(QUICK_INPUTS if quick else INPUTS)
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as folder:

        def fuzzed(name: str) -> dict[str, Any]:
            seen = _fuzzed(name, shares[name], seed, Path(folder), guided=guided)
            say(_told(seen))
            return seen

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            # The longest first.
            names = sorted(shares, key=lambda each: -shares[each])
            seen = {each["name"]: each for each in pool.map(fuzzed, names)}
    inputs = sum(each["inputs"] for each in seen.values())
    return [
        Outcome(
            fault=f"hostile input to {len(TARGETS)} readers of it, {_engine(guided)}",
            times=inputs,
            seen={name: _told(seen[name]) for name in TARGETS},
            broken=tuple(_broken(seen.values(), shares)),
        )
    ]


def _fuzzed(name: str, inputs: int, seed: int, folder: Path, *, guided: bool) -> dict[str, Any]:
    result = folder / f"{name}.json"
    command = [
        *(sys.executable, "-m", "healing_pipeline_tests.chaos.fuzz.worker", name),
        *(f"--inputs={inputs}", f"--seed={seed}", f"--result={result}"),
        *(["--guided"] if guided else []),
    ]
    env = {**os.environ, "TMPDIR": str(folder), "FRED_API_KEY": CANARY}
    ended = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )
    none = {"name": name, "inputs": 0, "inputs_per_s": 0, "slowest_s": 0, "peak_mb": 0}
    seen: dict[str, Any] = (
        json.loads(result.read_text(encoding="utf-8"))
        if result.exists()
        else {**none, "failures": []}
    )
    if ended.returncode != 0:
        said = ended.stderr.strip().splitlines()[-1:] or ["nothing said"]
        seen["failures"].append(
            {"kind": f"the process ended with {ended.returncode}", "message": said[0], "count": 1}
        )
    return seen


def _told(seen: dict[str, Any]) -> str:
    failures = sum(each["count"] for each in seen["failures"])
    return (
        f"{seen['name']}: {seen['inputs']:,} inputs, {seen['inputs_per_s']:,.0f} per second of a "
        f"core, slowest {1000 * seen['slowest_s']:.0f} ms, peak {seen['peak_mb']} MB, "
        f"{failures} failures"
    )


def _broken(seen: Any, shares: dict[str, int]) -> Iterator[str]:
    for each in seen:
        for failure in each["failures"]:
            first = (failure.get("inputs") or [""])[0]
            yield (
                f"{each['name']}: {failure['kind']} ({failure['count']} times): "
                f"{failure['message']}; for example, in base64: {first[:400]}"
            )
        if each["peak_mb"] > MOST_MB:
            yield f"{each['name']}: {each['peak_mb']} MB of memory, over {MOST_MB}"
        if each["inputs"] < shares[each["name"]]:
            yield f"{each['name']}: only {each['inputs']:,} of {shares[each['name']]:,} inputs"


def _engine(guided: bool) -> str:
    return "led by coverage" if guided else "by chance"
