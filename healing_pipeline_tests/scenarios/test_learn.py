"""`healing learn` as a user meets it: a project's folder, real processes, facts in a database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from commands_here import run_here

from healing_pipeline.storage.database import connection_info

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = TODAY - timedelta(days=1)

FACTS = """
    INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy,
                         failure_class, evidence, healed, fidelity, seconds, upstream_calls, met)
    SELECT gen_random_uuid(), gen_random_uuid(), 2, %s + n * interval '7 minutes', 'reader',
           'fred', 'fred/dgs10',
           CASE n %% 2 WHEN 0 THEN 'use_cached_data' ELSE 'rotate_api_key' END,
           CASE n %% 2 WHEN 0 THEN 'ok' ELSE 'rate_limit' END, 'seen', n %% 2 = 0,
           CASE n %% 2 WHEN 0 THEN 'stale' END, 0.3, 1, 'rate_limit'
      FROM generate_series(0, 199) AS n"""


class Project:
    """A project's folder with a database of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "config", folder / "config")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HEALING_") and name != "DAGSTER_HOME"
        }
        self.environ = {
            **kept,
            "HEALING_DATABASE_URL": url,
            "HEALING_STATE_DIR": str(folder / ".healing"),
            "COLUMNS": "160",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "healing_pipeline", "learn", *arguments],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def learn_here(self, *arguments: str) -> tuple[int, str, str]:
        """The command in this process, for what needs none of its own."""
        done = run_here(self.folder, self.environ, "learn", *arguments)
        return done.returncode, done.stdout, done.stderr

    def learn(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        said, complained = process.communicate(timeout=100)
        assert "Traceback" not in said + complained
        return process.returncode, said, complained

    def json(self, *arguments: str):
        code, said, complained = self.learn(*arguments, "--json")
        assert code == 0, complained
        assert complained == ""
        return json.loads(said)

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(connection_info(self.url)) as connection:
            return connection.execute(query, values).fetchall()


@pytest.fixture
def project(tmp_path, database_url) -> Project:
    made = Project(tmp_path, database_url)
    with psycopg.connect(connection_info(database_url)) as connection:
        connection.execute(FACTS, [DAY])
    return made


def test_a_span_is_folded_by_a_run_per_source_and_its_policy_is_in_force(project):
    span = ("--from", f"{DAY:%Y-%m-%d}", "--to", f"{TODAY:%Y-%m-%d}")
    done = project.json(*span)
    assert done["partitions"] == 24 * 5
    assert [each["asset"] for each in done["runs"]] == [
        *(["inner_knowledge"] * 5),
        "outer_knowledge",
        "policy",
    ]
    assert (done["policy"]["version"], done["policy"]["status"]) == (1, "published")
    assert {each["strategy"] for each in done["changes"]} == {"use_cached_data", "rotate_api_key"}
    assert project.rows("SELECT version, fingerprint FROM policy_active") == [
        (1, done["policy"]["fingerprint"])
    ]
    assert project.rows("SELECT sum(tries), sum(healed) FROM outer_knowledge") == [(200, 100)]
    # As Dagster's page sees it: every partition planned and written once, by one run per source.
    kinds = ("ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED")
    found = project.rows(
        "SELECT dagster_event_type, split_part(partition, '|', 2), count(*),"
        " count(DISTINCT partition), count(DISTINCT run_id) FROM public.event_logs"
        " WHERE asset_key = '[\"inner_knowledge\"]' AND dagster_event_type = ANY (%s)"
        " GROUP BY 1, 2",
        list(kinds),
    )
    sources = ("alpha_vantage", "exchange_rate", "fred", "polygon", "yahoo")
    assert sorted(found) == [(kind, source, 24, 24, 1) for kind in kinds for source in sources]
    assert project.rows("SELECT DISTINCT status FROM public.runs") == [("SUCCESS",)]

    window = ("fred", f"{DAY:%Y-%m-%dT00:00}", f"{DAY:%Y-%m-%dT12:00}")
    done = project.json("--maintenance", *window, "--reason", "moves house")
    assert (done["partitions"], done["policy"]["version"]) == (12, 2)
    # One attempt every seven minutes: 103 within the first twelve hours.
    assert project.rows("SELECT sum(tries) FROM outer_knowledge") == [(97,)]
    assert project.rows("SELECT source, reason FROM maintenance") == [("fred", "moves house")]

    code, said, _ = project.learn_here("--rollback")
    assert (code, said.split(";")[0]) == (0, "Version 1 is active again")
    code, said, _ = project.learn_here("--history")
    assert code == 0
    assert "2 policies" in said
    assert "1 *" in said


def test_what_is_missing_is_learned_up_to_this_very_hour(project):
    with psycopg.connect(connection_info(project.url)) as connection:
        connection.execute(FACTS, [datetime.now(UTC) - timedelta(minutes=7 * 199 + 1)])
    code, said, _ = project.learn()
    assert code == 0
    assert "rates changed" in said
    assert "Policy 1 is published: the first one; on the last day's " in said
    assert project.rows("SELECT sum(tries) FROM inner_knowledge") == [(400,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-02-02", "--to", "2099-01-01"), "is in the future"),
        (
            ("--from", "2026-01-01", "--to", "2026-01-02", "--source", "freed"),
            "Did you mean `fred`?",
        ),
        (("--maintenance", "all", "2026-01-01", "2026-01-02"), 'Add --reason "'),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_line_that_names_the_cure(
    tmp_path, arguments, said
):
    # Refused before a database is asked for.
    project = Project(tmp_path, "postgresql://nobody@127.0.0.1:9/none")
    code, out, complained = project.learn_here(*arguments)
    assert (code, out) == (1, "")
    (line,) = complained.splitlines()
    assert said in line


def test_ctrl_c_leaves_whole_partitions(project):
    process = project.start("--from", "2025-11-01", "--to", f"{TODAY:%Y-%m-%d}")
    until = time.monotonic() + 60
    while not project.rows("SELECT FROM inner_fold LIMIT 1"):
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said + complained
    assert "Stopped" in complained
    hours = project.rows("SELECT count(*), count(DISTINCT source) FROM inner_fold")
    assert hours[0][1] >= 1
    found = project.rows(
        "SELECT (SELECT COALESCE(sum(tries), 0) FROM inner_knowledge), EXISTS ("
        " SELECT FROM inner_fold WHERE source = 'fred' AND hour = %s)",
        DAY,
    )
    assert found in ([(0, False)], [(200, True)])
