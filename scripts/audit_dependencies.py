"""Ask whether any dependency of requirements.lock has a known vulnerability.

``python scripts/audit_dependencies.py`` runs pip-audit on the lock file alone: nothing is
installed, and what happens to be in this environment is not looked at. It exits with 0 when nothing
is known, 1 when something is. Where the service cannot be reached, nothing was checked: it says so,
loudly, and exits with 0, so that work without a network goes on; with ``HEALING_AUDIT=required`` it
exits with 1. What is known and borne stands in `audit_exceptions.toml`, with a reason and a last
day; after that day it counts again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
EXCEPTIONS = Path(__file__).with_name("audit_exceptions.toml")
VARIABLE, REQUIRED = "HEALING_AUDIT", "required"
# All packages of the lock file, one question each.
WITHIN_S = 600.0


@dataclass(frozen=True, slots=True)
class Borne:
    """A known vulnerability that is lived with until a day."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of a package, under all the names it has."""

    package: str
    names: tuple[str, ...]
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        cure = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no fix is known"
        return f"{self.package}: {', '.join(self.names)}; {cure}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit comes to: an exit code, and lines for people."""

    code: int
    lines: tuple[str, ...]


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Audit, say what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS)
    parser.add_argument("--service", help="address of a service that speaks like api.osv.dev")
    asked = parser.parse_args(arguments)
    borne = read_exceptions(asked.exceptions.read_text(encoding="utf-8"))
    output, error = run(asked.lock, asked.service)
    required = environ.get(VARIABLE, "") == REQUIRED
    verdict = judged(output, error, borne, datetime.now(UTC).date(), required=required)
    for line in verdict.lines:
        print(line, file=sys.stderr if verdict.code else sys.stdout)
    return verdict.code


def run(lock: Path, service: str | None) -> tuple[str, str]:
    """What pip-audit writes about `lock`; it asks a database by name and version alone."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(lock)),
        *("--require-hashes", "--disable-pip", "--vulnerability-service", "osv"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "15"),
    ]
    if service is not None:
        command += ["--osv-url", service]
    try:
        done = subprocess.run(  # noqa: S603 (our own command, no shell)
            command, capture_output=True, text=True, check=False, timeout=WITHIN_S
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {WITHIN_S:.0f} s"
    return done.stdout, done.stderr


def judged(
    output: str, error: str, borne: Sequence[Borne], today: date, *, required: bool
) -> Verdict:
    """From what pip-audit wrote to a verdict.

    Parameters
    ----------
    output, error : str
        Its standard output and error.
    required : bool
        Whether an audit that could not be made is a failure.
    """
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _unchecked(error.strip().splitlines()[-1:] or ["it said nothing"], required)
    skipped = [each for each in packages if "skip_reason" in each]
    if skipped or not packages:
        why = [f"{each['name']}: {each['skip_reason']}" for each in skipped] or ["no packages"]
        return _unchecked(why, required)
    found = [_finding(each, vulnerability) for each in packages for vulnerability in each["vulns"]]
    known = {each.id: each for each in borne}
    red, lines = [], []
    for each in found:
        excuse = next((known[name] for name in each.names if name in known), None)
        if excuse is not None and today <= excuse.until:
            lines.append(f"borne until {excuse.until}: {each} ({excuse.reason})")
        else:
            red.append(f"VULNERABLE: {each}")
    named = {name for each in found for name in each.names}
    lines += [f"no longer found, take it out: {each.id}" for each in borne if each.id not in named]
    count = f"{len(packages)} packages of the lock file, {len(red)} with an unanswered finding."
    return Verdict(1 if red else 0, (*lines, *red, count))


def _finding(package: Mapping[str, Any], said: Mapping[str, Any]) -> Finding:
    names = dict.fromkeys([said["id"], *said.get("aliases", ())])
    return Finding(
        f"{package['name']} {package['version']}", tuple(names), tuple(said["fix_versions"])
    )


def _unchecked(why: Sequence[str], required: bool) -> Verdict:
    lines = [
        "=" * 72,
        "NOTHING WAS CHECKED for known vulnerabilities:",
        *(f"  {each[:300]}" for each in why[:5]),
        f"Set {VARIABLE}={REQUIRED} to make this a failure.",
        "=" * 72,
    ]
    return Verdict(1 if required else 0, tuple(lines))


def read_exceptions(text: str) -> tuple[Borne, ...]:
    """The exceptions of a file; each has to say why, and until when."""
    return tuple(
        Borne(each["id"], each["reason"], each["until"])
        for each in tomllib.loads(text).get("exception", ())
    )


if __name__ == "__main__":
    sys.exit(main())
