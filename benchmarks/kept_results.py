"""Results of measurements as files: what was measured, how, when, on which machine.

The files below ``results/`` are what the documentation's numbers come from. Each holds one object:
``what``, ``command``, ``machine``, ``began``, ``seconds``, ``commit``, ``is_short_form``,
``exit_code`` and ``figures``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ENVELOPE = (
    "what",
    "command",
    "machine",
    "began",
    "seconds",
    "commit",
    "is_short_form",
    "exit_code",
    "figures",
)
LIBRARIES = ("dagster", "numpy", "pandas", "psycopg", "scikit-learn", "aiohttp")


def machine() -> dict[str, Any]:
    """What the figures hold for; no name and no address of it."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "load_before": round(os.getloadavg()[0], 1),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def commit() -> str:
    """The commit that was measured; with a plus where files differ from it."""
    root = RESULTS.parents[1]

    def said(*words: str) -> str:
        told = subprocess.run(
            ["git", *words], cwd=root, check=False, capture_output=True, text=True
        )
        return told.stdout.strip()

    changed = said("status", "--porcelain", "--untracked-files=no", "--", "healing_pipeline")
    return (said("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if changed else "")


def keep(
    name: str,
    figures: Any,
    *,
    what: str,
    command: str,
    on: Mapping[str, Any],
    began: datetime,
    seconds: float,
    is_short_form: bool,
    of_commit: str = "",
    exit_code: int = 0,
    folder: Path = RESULTS,
) -> Path:
    """Write one result; what was there before is replaced in one step."""
    document = {
        "what": what,
        "command": command,
        "machine": dict(on),
        "began": began.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "commit": of_commit or commit(),
        "is_short_form": is_short_form,
        "exit_code": exit_code,
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps(rounded(document), indent=1) + "\n", encoding="utf-8")
    new.replace(path)
    return path


def kept(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """One result; None where nobody has measured it yet."""
    try:
        found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return found


def rounded(value: Any) -> Any:
    """Numbers as fine as they mean something, five digits."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value
