"""Looks for keys in everything that a stack wrote, shows, prints or keeps in its processes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg

from healing_pipeline.storage.database import DAGSTER_DATABASE, DATABASE
from healing_pipeline.storage.embedded import url_of_running

COMMANDS = (
    ("check",),
    ("probe", "fred"),
    ("fetch", "fred/observations-dgs10"),
    ("report",),
    ("report", "--json"),
    ("report", "--digest"),
    ("diagnose",),
    ("alerts", "list", "--all"),
    ("alerts", "sent"),
    ("learn", "--history"),
)
PAGES = (
    "/docs",
    "/openapi.json",
    "/readyz",
    "/metrics",
    "/status",
    "/health-dashboard",
    "/health-dashboard/state.json",
    "/health-dashboard/alerts",
    "/health-dashboard/learning",
    "/reports",
    "/v1/nothing/here",
    "/proxy/fred/nothing",
)
FORMS = ("json", "toon", "csv", "md", "html")


@dataclass
class Search:
    """What was searched, and where a key was found."""

    words: Mapping[str, str]
    places: int = 0
    characters: int = 0
    found: list[str] = field(default_factory=list)

    def look(self, place: str, text: str | bytes, but: str = "") -> None:
        """Search one thing; `but` is a name that belongs there."""
        self.places += 1
        self.characters += len(text)
        lower = text.lower()
        for form, name in self.words.items():
            if name == but:
                continue
            if (form.encode() if isinstance(lower, bytes) else form) in lower:
                self.found.append(f"{name} as {form[:6]}... in {place}")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def told(state: Path) -> tuple[int, int, str]:
    url = url_of_running(state, DATABASE)
    assert url is not None, "PostgreSQL does not run"
    with psycopg.connect(url, options="-c search_path=healing") as connection:
        (incidents,) = connection.execute("SELECT count(*) FROM incident").fetchone() or (0,)
        (heals,) = connection.execute(
            "SELECT count(*) FROM incident_event WHERE signal = 'heal_started'"
        ).fetchone() or (0,)
        outcomes = connection.execute(
            "SELECT outcome, count(*) FROM second_opinion_reply GROUP BY 1 ORDER BY 1"
        ).fetchall()
    return incidents, heals, ", ".join(f"{count} {name}" for name, count in outcomes) or "none"


def search_tables(search: Search, state: Path) -> None:
    for database in (DATABASE, DAGSTER_DATABASE):
        url = url_of_running(state, database)
        assert url is not None, "PostgreSQL does not run"
        with psycopg.connect(url) as connection:
            tables = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN "
                "('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in tables:
                with connection.cursor() as cursor:
                    cursor.execute(f'SELECT t::text FROM "{schema}"."{table}" t')
                    text = "\n".join(row[0] for row in cursor)
                search.look(f"table {database}.{schema}.{table}", text)
                # `bytea` is written in hex, which the forms hold; JSON doubles its marks.
                search.look(f"table {table}, unescaped", text.replace("\\\\", "\\"))


def search_commands(search: Search, folder: Path, environ: Mapping[str, str]) -> None:
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "healing_pipeline", *command],
            cwd=folder,
            env=environ,
            capture_output=True,
            check=False,
            timeout=120,
        )
        search.look(f"healing {' '.join(command)}", done.stdout + done.stderr)


def search_pages(search: Search, gateway: str, others: Mapping[str, str]) -> None:
    headers = bearer(others["gateway token"])
    with httpx.Client(base_url=gateway, timeout=30, headers=headers) as client:
        pages = set(PAGES) | {f"/reports/digest?format={each}" for each in ("toon", "txt")}
        listed = client.get("/reports?format=json").text
        names = set(re.findall(r'"(?:name|structure)":\s*"(\w+)"', listed))
        pages |= {f"/reports/{name}?format={form}" for name in names for form in FORMS}
        for page in ("/health-dashboard", "/health-dashboard/alerts"):
            pages |= {
                each
                for each in re.findall(r'href="(/health-dashboard[^"#]*)"', client.get(page).text)
                if "/assets/" not in each
            }
        for page in sorted(pages):
            got = client.get(page)
            search.look(f"page {page}", f"{got.headers}\n{got.text}")


def search_processes(search: Search, up: subprocess.Popen[bytes]) -> None:
    for process in _family(up.pid):
        try:
            line = "\0".join(process.cmdline())
            search.look(f"command line of {process.name()}", line)
            if "postgres" in process.name():
                environ = Path(f"/proc/{process.pid}/environ").read_bytes()
                search.look("environment of PostgreSQL", environ)
        except (psutil.Error, OSError):
            continue


def _family(pid: int) -> Iterator[psutil.Process]:
    yield from psutil.Process(pid).children(recursive=True)
    for process in psutil.process_iter(["name"]):
        if process.info["name"] and "postgres" in process.info["name"]:
            yield process
