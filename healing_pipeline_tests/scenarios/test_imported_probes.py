"""What was imported asks as the other tool did, and says of the same answers the same."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from healing_pipeline.cli.app import app

SIGNED_IN = "Basic " + base64.b64encode(b"me:hunter2").decode()
# By path: what has to be sent for a good answer, as header and value.
WANTED = {
    "/bearer": ("Authorization", "Bearer t0p"),
    "/header": ("X-Api-Key", "k-1"),
    "/basic": ("Authorization", SIGNED_IN),
}


class TheirApi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        name, value = WANTED.get(path, ("", ""))
        status = 200
        if name and self.headers.get(name) != value:
            status = 401
        if path == "/param" and query != "limit=5&apikey=p-2":
            status = 401
        if path == "/gone":
            status = 404
        body = json.dumps({"status": "UP", "items": [1, 2], "count": "2"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def their_api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), TheirApi)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def probed(config: str) -> dict[str, str]:
    done = CliRunner().invoke(app, ["probe", "-c", config, "--json"])
    return {
        each["endpoint"].split("/")[1]: each["failure_class"] for each in json.loads(done.output)
    }


def test_gatus_endpoints_send_their_keys_and_hold_to_their_conditions(
    their_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good = ["[STATUS] == 200", "[BODY].status == UP", "[BODY].count == 2"]
    bearer, key = {"Authorization": "Bearer ${TOKEN}"}, {"X-Api-Key": "${KEY}"}
    endpoints = [
        {"name": "bearer", "url": "/bearer", "headers": bearer, "conditions": good},
        {"name": "header", "url": "/header", "headers": key, "conditions": good},
        {"name": "param", "url": "/param?limit=5&apikey=${PARAM_KEY}", "conditions": good},
        {"name": "gone", "url": "/gone", "conditions": ["[STATUS] == 404"]},
        {"name": "down", "url": "/", "conditions": ["[STATUS] == 200", "[BODY].status == DOWN"]},
        {"name": "few", "url": "/", "conditions": ["[STATUS] < 300", "len([BODY].items) > 2"]},
    ]
    whole = [{**each, "url": f"{their_api}{each['url']}"} for each in endpoints]
    Path("gatus.yaml").write_text(yaml.safe_dump({"endpoints": whole}))
    assert CliRunner().invoke(app, ["init", "--from", "gatus.yaml", "-c", "c.yaml"]).exit_code == 0
    for name, value in (("TOKEN", "t0p"), ("KEY", "k-1"), ("PARAM_KEY", "p-2")):
        monkeypatch.setenv(name, value)
    assert probed("c.yaml") == {
        "bearer": "ok",
        "header": "ok",
        "param": "ok",
        "gone": "ok",
        "down": "invalid_data",
        "few": "invalid_data",
    }
    monkeypatch.setenv("TOKEN", "another")
    assert probed("c.yaml")["bearer"] == "auth_error"


def test_monitors_of_kuma_sign_in_and_look_for_their_keywords(
    their_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    usual = {"type": "http", "interval": 60, "active": True, "accepted_statuscodes": ["200-299"]}
    signed = {"authMethod": "basic", "basic_auth_user": "me", "basic_auth_pass": "hunter2"}
    word = {"type": "keyword"}
    monitors = [
        {**usual, "name": "basic", "url": f"{their_api}/basic", **signed},
        {**usual, "name": "there", "url": f"{their_api}/", **word, "keyword": "UP"},
        {**usual, "name": "not-there", "url": f"{their_api}/", **word, "keyword": "WELL"},
    ]
    Path("kuma.json").write_text(json.dumps({"monitorList": monitors}))
    made = CliRunner().invoke(app, ["init", "--from", "kuma.json", "-c", "c.yaml", "--json"])
    (variable,) = [each["name"] for each in json.loads(made.output)["variables"]]
    monkeypatch.setenv(variable, SIGNED_IN)
    assert probed("c.yaml") == {"basic": "ok", "there": "ok", "not-there": "invalid_data"}
