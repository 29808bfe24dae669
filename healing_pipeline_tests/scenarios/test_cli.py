"""The commands as a user meets them: a folder of their own, what they print, no traceback.

Each command runs as a process once; what else is claimed of it is asked of the same function here,
because to start Python and import it all takes a second of a core each time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from commands_here import run_here

from healing_pipeline import __version__
from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.simulator.control import RunningSimulator, running_simulator

pytestmark = pytest.mark.processes

COMMANDS = (
    *("init", "check", "up", "probe", "fetch", "classify", "drill", "report", "explain", "learn"),
    "alerts",
)
CONFIG = Path("config/healing_config.yaml")
# DESIGN's table of a drill's JSON.
CONTRACT = {
    "scenario",
    "seed",
    "duration_s",
    "requests",
    "answers",
    "met_fault",
    "unavoidable",
    "healed_share",
    "healed_by_class",
    "reader_errors",
    "wrong_as_good",
    "time_to_detect_s",
    "time_to_heal_s",
    "upstream_calls_per_request",
    "incidents",
    "alerts_sent",
    "alerts",
    "events_lost",
    "events_doubled",
}
UNREACHABLE = "postgresql://nobody@127.0.0.1:9/none"


class Shell:
    """A user's shell in a folder of their own."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("HEALING_")
        }
        self.environ = {
            **kept,
            "HEALING_STATE_DIR": str(folder / "state"),
            "HEALING_DATABASE_URL": database_url,
            "COLUMNS": "200",
        }

    def process(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "healing_pipeline", *arguments],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command here."""
        return run_here(self.folder, {**self.environ, **environ}, *arguments)

    def refuses(self, *arguments: str) -> str:
        """What a command that cannot be done says: one line, and an exit code of 1."""
        return self.refusal(self(*arguments))

    def refusal(self, done: subprocess.CompletedProcess[str]) -> str:
        assert done.returncode == 1, done
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        return line

    def json(self, *arguments: str):
        return self.document(self(*arguments))

    def document(self, done: subprocess.CompletedProcess[str]):
        assert done.returncode == 0, done
        return json.loads(done.stdout)


@pytest.fixture
def shell(tmp_path) -> Shell:
    """A shell that needs no database, and would be told if it asked for one."""
    return Shell(tmp_path, UNREACHABLE)


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(seed=4) as running:
        yield running


@pytest.fixture
def served(tmp_path, database_url, simulator) -> Shell:
    """A shell with a database and a configuration on running upstreams."""
    simulator.control.clear_faults()
    (tmp_path / CONFIG).parent.mkdir()
    port = f"{{port: {simulator.base_port}}}"
    (tmp_path / CONFIG).write_text(default_config_text().replace("{port: 8900}", port))
    return Shell(tmp_path, database_url)


def test_the_version_is_told(shell):
    done = shell.process("--version")
    assert (done.returncode, done.stdout) == (0, f"healing_pipeline {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(shell, command):
    done = shell.process(command, "--help")
    assert done.returncode == 0
    assert f"{command} [OPTIONS]" in done.stdout
    overview = shell.process("--help").stdout if command == COMMANDS[0] else None
    if overview is not None:
        assert all(re.search(rf"^  {each} ", overview, re.MULTILINE) for each in COMMANDS)


@pytest.mark.parametrize("arguments", [("nonsense",), ("fetch",), ("drill", "--seed", "x")])
def test_a_command_that_is_none_is_refused_with_a_hint(shell, arguments):
    done = shell(*arguments)
    assert done.returncode == 2
    assert "--help" in done.stderr


def test_a_new_configuration_is_complete_and_has_no_mistake(shell):
    made = shell.process("init")
    assert made.returncode == 0
    assert "`healing check`" in made.stdout
    checked = shell.process("check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "5 sources" in checked.stdout
    assert shell.json("check", "--json") == {"path": str(CONFIG), "problems": []}


def test_a_second_init_refuses_with_the_cure_and_changes_nothing(shell):
    shell("init")
    path = shell.folder / CONFIG
    path.write_text(path.read_text() + "# mine\n")
    before = path.read_bytes()
    said = shell.refuses("init")
    assert str(CONFIG) in said
    assert "--force" in said
    assert path.read_bytes() == before
    assert shell("init", "--force").returncode == 0
    assert path.read_text() == default_config_text()


def test_a_check_names_every_mistake_with_its_line(shell):
    shell("init")
    path = shell.folder / CONFIG
    text = path.read_text().replace("upstreams: simulated", "upstreams: simulatd")
    text = text.replace("fred/dgs2: {path:", "fred/dgs2: {pth:")
    path.write_text(text)
    lines = [
        next(number for number, line in enumerate(text.splitlines(), 1) if word in line)
        for word in ("upstreams: simulatd", "{pth:")
    ]
    done = shell("check")
    assert (done.returncode, done.stdout) == (1, "")
    for line in lines:
        assert f"{CONFIG}:{line}: error: " in done.stderr
    found = json.loads(shell("check", "--json").stdout)["problems"]
    assert set(lines) <= {each["line"] for each in found}
    assert all(each["cure"] for each in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "healing init"), (b"", "healing init"), (b"\xff\xfe\x00", ""), (b"a: [1, 2", ":1: ")],
)
@pytest.mark.parametrize("command", [("check",), ("probe",), ("fetch", "fred/dgs10"), ("report",)])
def test_a_configuration_that_cannot_be_read_is_one_line_with_its_path(
    shell, command, content, words
):
    path = shell.folder / CONFIG
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    # Without a file the process itself is asked.
    done = (shell.process if content is None else shell)(*command)
    assert done.returncode == 1
    assert str(CONFIG) in done.stderr
    assert words in done.stderr


def test_recorded_responses_are_judged_a_line_each(shell):
    rates = {"result": "success", "base_code": "USD", "conversion_rates": {"USD": 1, "EUR": 0.92}}
    limit = (
        "Thank you for using Alpha Vantage! Our standard API call frequency is 5 calls per minute"
    )
    bodies = {
        "good.json": json.dumps({**rates, "time_last_update_unix": 1772600000}),
        "limit.json": json.dumps({"Note": f"{limit} and 500 calls per day."}),
        "page.html": "<html><body>Too Many Requests</body></html>",
    }
    entries = [
        {"source": "exchange_rate", "body_file": "good.json", "endpoint": "GET /v6/latest/USD"},
        {"source": "alpha_vantage", "body_file": "limit.json", "endpoint": "GET /query?function=X"},
        {"source": "yahoo", "body_file": "page.html", "status": 429, "label": "a lie"},
    ]
    for name, body in bodies.items():
        (shell.folder / name).write_text(body)
    index = shell.folder / "index.jsonl"
    index.write_text("\n".join(json.dumps(each) for each in entries) + "\n\n")
    done = shell.process("classify", "index.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(each) for each in verdicts] == [
        {"body_file", "source", "failure_class", "evidence"}
    ] * 3
    assert [each["body_file"] for each in verdicts] == list(bodies)
    assert [each["failure_class"] for each in verdicts] == ["ok", "rate_limit", "rate_limit"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Give the path"),
        ("not json\n", "none.jsonl:1: "),
        ('[1]\n{"source": "yahoo"}\n', "none.jsonl:1: "),
        ('\n{"source": "yahoo", "body_file": "missing.json"}\n', "none.jsonl:2: "),
    ],
)
def test_an_index_that_cannot_be_read_is_one_line_that_names_the_cure(shell, content, words):
    if content is not None:
        (shell.folder / "none.jsonl").write_text(content)
    assert words in shell.refuses("classify", "none.jsonl")


def test_a_folder_is_no_index(shell):
    assert "Give the path" in shell.refuses("classify", ".")


def test_a_database_that_does_not_answer_is_one_line_that_names_the_setting(shell):
    shell("init")
    for command in (("probe", "fred/dgs10"), ("report",), ("drill", "--duration", "1")):
        assert "HEALING_DATABASE_URL" in shell.refusal(shell.process(*command))


def test_an_answer_is_exact_and_says_so_in_json(served, simulator):
    before = simulator.control.now()
    answer = served.json("fetch", "fred/dgs10", "--json")
    after = simulator.control.now()
    assert (answer["endpoint"], answer["instrument"]) == ("fred/dgs10", "DGS10")
    assert (answer["fidelity"], answer["strategy"]) == ("exact", "plain")
    assert (answer["provider"], answer["attempts"]) == ("fred", 1)
    assert before <= datetime.fromisoformat(answer["fetched_at"]) <= after
    assert datetime.fromisoformat(answer["as_of"]) == max(
        datetime.fromisoformat(each["at"]) for each in answer["points"]
    )
    assert 90 <= len(answer["points"]) <= 100
    assert 0 < answer["seconds"] < 3


def test_an_answer_needs_no_database_and_one_line_says_that_its_facts_wait(served):
    away = {"HEALING_DATABASE_URL": UNREACHABLE}
    done = served.process("fetch", "fred/dgs10", "--json", **away)
    assert done.returncode == 0
    assert json.loads(done.stdout)["fidelity"] == "exact"
    (line,) = done.stderr.splitlines()
    assert "PostgreSQL is away" in line
    assert "wait on disk" in line
    assert served.process("fetch", "fred/dgs10").stderr == ""
    # The next command that finds the database stores what waited.
    assert served.json("report", "--json")["totals"]["requests"] == 2


def test_a_reader_says_which_labels_are_taken(served, simulator):
    assert served.json("fetch", "fred/dgs2", "--accept", "exact", "--json")["fidelity"] == "exact"
    simulator.control.add_fault({"fault": "server_error", "match": {"source": "fred"}})
    command = ("fetch", "fred/dgs2", "--json", "--accept")
    assert served(*command, "exact").returncode == 1
    assert served.json(*command, "exact, Stale")["fidelity"] == "stale"
    assert served.json(*command, "exact", "--accept", "stale")["fidelity"] == "stale"


def test_a_parameter_is_laid_over_the_endpoints_own(served):
    answer = served.json("fetch", "fred/dgs10", "-p", "limit=7", "--json")
    assert len(answer["points"]) <= 7


def test_the_providers_own_body_can_be_had_alone(served):
    body = json.loads(served.process("fetch", "fred/dgs10", "--body").stdout)
    assert body["observations"]


def test_an_answer_can_be_read_by_people(served):
    done = served("fetch", "yahoo/quote-aapl")
    assert done.returncode == 0
    for word in ("yahoo/quote-aapl", "exact", "plain", "price", "request "):
        assert word in done.stdout


def test_a_request_that_nothing_heals_says_what_was_tried(served, simulator):
    simulator.control.add_fault({"fault": "server_error", "match": {"source": "fred"}})
    done = served("fetch", "fred/gdp", "--json")
    assert done.returncode == 1
    failed = json.loads(done.stdout)
    assert failed["failure_class"] == "server_error"
    assert {each["strategy"] for each in failed["tried"]} >= {"exponential_backoff_retry"}
    assert served("fetch", "fred/gdp").stdout == ""


def test_a_healed_request_is_explained_and_its_choices_come_out_as_they_did(served, simulator):
    fault = {"fault": "server_error", "match": {"source": "yahoo", "host": "query1"}}
    simulator.control.add_fault(fault)
    answer = served.json("fetch", "yahoo/chart-aapl-1d", "--json")
    assert answer["strategy"] == "alternate_host"
    told = served.json("explain", answer["request_id"], "--json")
    assert told["replayed"] == "the same order"
    assert [each["strategy"] for each in told["attempts"]] == ["plain", "alternate_host"]
    (choice,) = told["decisions"]
    assert choice["candidates"][0]["verdict"] == "chosen"
    read = served.process("explain", "--last")
    assert read.returncode == 0
    assert answer["request_id"] in read.stdout
    assert "replayed: the same order" in read.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "nonsense"), "healing fetch"),
        (("explain", "--last"), "healing up"),
        (("explain",), "X-Healing-Request-Id"),
        (("fetch", "fred/nonsense"), "fred/nonsense"),
        (("fetch", "fred/dgs10", "-p", "limit"), "NAME=VALUE"),
        (("fetch", "fred/dgs10", "-p", "series_id=GDP"), "Add an endpoint"),
        (("fetch", "fred/dgs10", "--deadline", "0"), "0.1 to 60"),
        (("fetch", "fred/dgs10", "--accept", "good"), "exact, stale, coarser, proxy"),
        (("fetch", "fred/dgs10", "--accept", ""), "exact, stale, coarser, proxy"),
        (("probe", "bloomberg"), "bloomberg"),
        (("report", "--hours", "0"), "--hours"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_names_the_cure(served, arguments, words):
    assert words in served.refuses(*arguments)


def test_progress_is_for_a_terminal_and_leaves_nothing_in_a_log(served):
    done = served.process("probe", "exchange_rate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 endpoints probed, 0 bad" in done.stdout


def test_a_probe_of_a_source_tells_of_each_of_its_endpoints(served, simulator):
    seen = served.json("probe", "exchange_rate", "fred/dgs10", "--json")
    assert len(seen) == 7
    assert {each["failure_class"] for each in seen} == {"ok"}
    assert all(each["as_of"] and each["status"] == 200 for each in seen)
    simulator.control.add_fault({"fault": "auth_error", "match": {"source": "fred"}})
    done = served("probe", "fred/dgs10", "--json")
    assert done.returncode == 1
    (bad,) = json.loads(done.stdout)
    assert (bad["failure_class"], bad["as_of"]) == ("auth_error", None)
    assert bad["evidence"]


def test_the_report_counts_what_was_read(served):
    served("fetch", "fred/dgs10")
    served("fetch", "fred/dgs10")
    report = served.json("report", "--json")
    assert report["totals"]["requests"] == 2
    assert report["totals"]["reader_errors"] == 0
    assert report["incidents"] == []
    (row,) = [each for each in report["endpoints"] if each["endpoint"] == "fred/dgs10"]
    assert (row["requests"], row["state"]) == (2, "healthy")
    assert served.process("report").returncode == 0


def test_a_calm_drill_is_clean_and_its_json_keeps_the_contract(tmp_path, pg_server):
    shell = Shell(tmp_path, pg_server.url("postgres"))
    options = ("--scenario", "calm", "--seed", "3", "--duration", "3")
    report = shell.document(shell.process("drill", *options, "--json"))
    assert set(report) >= CONTRACT
    assert (report["scenario"], report["seed"], report["duration_s"]) == ("calm", 3, 3.0)
    assert report["requests"] == report["answers"]["exact"] > 60
    assert report["healed_share"] == 1.0


def test_a_mistake_in_a_scenario_is_one_line_with_its_line_number(shell):
    path = shell.folder / "storm.yaml"
    path.write_text(
        "name: storm\nsources: [fred]\nfaults:\n  - {at_s: 1, for_s: 2, fault: earthquake}\n"
    )
    said = shell.refuses("drill", "--scenario", "storm.yaml")
    assert "storm.yaml:4: " in said
    assert "earthquake" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--scenario", "nonsense"), "first_light"),
        (("--scenario", "none.yaml"), "none.yaml"),
        (("--duration", "0"), "--duration"),
    ],
)
def test_a_drill_that_cannot_be_run_is_one_line_that_names_the_cure(shell, arguments, words):
    assert words in shell.refuses("drill", *arguments)
