"""The audit of dependencies: red when something is known, loud when nothing was checked."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "audit_dependencies.py"
spec = importlib.util.spec_from_file_location("audit_dependencies", SCRIPT)
assert spec is not None
assert spec.loader is not None
audit = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = audit
spec.loader.exec_module(audit)

TODAY = date(2026, 3, 2)
BORNE = audit.Borne("CVE-2026-1", "its server only", date(2026, 3, 31))
LOCKED = "idna==3.10 --hash=sha256:" + "9" * 64 + "\n"


def report(*vulnerable: tuple[str, list[str]], **more: object) -> str:
    packages: list[dict[str, object]] = [{"name": "good", "version": "1", "vulns": []}]
    for name, ids in vulnerable:
        found = {"id": ids[0], "aliases": ids[1:], "fix_versions": ["2"], "description": "x"}
        packages.append({"name": name, "version": "1", "vulns": [found], **more})
    return json.dumps({"dependencies": packages, "fixes": []})


def judged(output: str, *borne: object, required: bool = False, error: str = ""):
    return audit.judged(output, error, borne, TODAY, required=required)


def test_nothing_known_is_green():
    verdict = judged(report())
    assert verdict.code == 0
    assert "1 packages" in verdict.lines[-1]


def test_anything_known_is_red_and_says_the_cure():
    verdict = judged(report(("bad", ["GHSA-1", "CVE-2026-1"])))
    assert verdict.code == 1
    assert any("VULNERABLE: bad 1: GHSA-1, CVE-2026-1; fixed in 2" in e for e in verdict.lines)


def test_an_exception_holds_by_any_of_the_names_and_until_its_day():
    found = report(("bad", ["GHSA-1", "CVE-2026-1"]))
    verdict = judged(found, BORNE)
    assert verdict.code == 0
    assert "its server only" in verdict.lines[0]
    late = audit.judged(found, "", [BORNE], date(2026, 4, 1), required=False)
    assert late.code == 1


def test_an_exception_excuses_nothing_else_and_is_not_kept_for_ever():
    verdict = judged(report(("bad", ["GHSA-2"])), BORNE)
    assert verdict.code == 1
    assert any("take it out: CVE-2026-1" in each for each in verdict.lines)


@pytest.mark.parametrize("output", ["", "Traceback", "[]", '{"dependencies": []}', "{}", "null"])
@pytest.mark.parametrize("required", [False, True])
def test_what_was_not_checked_is_never_passed_over_in_silence(output, required):
    verdict = judged(output, required=required, error="x\nConnectionError: no way")
    assert verdict.code == required
    assert any("NOTHING WAS CHECKED" in each for each in verdict.lines)


def test_a_package_that_was_skipped_was_not_checked():
    verdict = judged(report(("bad", ["GHSA-1"]), skip_reason="not found"), required=True)
    assert verdict.code == 1
    assert any("bad: not found" in each for each in verdict.lines)


def test_an_exception_without_reason_or_day_is_none():
    assert audit.read_exceptions(audit.EXCEPTIONS.read_text(encoding="utf-8")) is not None
    with pytest.raises(KeyError):
        audit.read_exceptions('[[exception]]\nid = "CVE-2026-1"\n')


class Service(BaseHTTPRequestHandler):
    """Speaks like api.osv.dev, and knows one vulnerability."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        affected = [{"package": asked["package"], "ranges": [], "versions": ["3.10"]}]
        found = {"id": "GHSA-1", "aliases": ["CVE-2026-1"], "summary": "x", "affected": affected}
        body = json.dumps({"vulns": [found]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_real_tool_is_understood_with_a_service_and_without(tmp_path, capsys):
    lock = tmp_path / "requirements.lock"
    lock.write_text(LOCKED, encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service = f"http://127.0.0.1:{server.server_port}/v1/query"
    try:
        asked = ["--lock", str(lock), "--service", service]
        assert audit.main(asked, {}) == 1
        assert "VULNERABLE: idna 3.10: CVE-2026-1, GHSA-1" in capsys.readouterr().err
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert audit.main(asked, {}) == 0
    assert "NOTHING WAS CHECKED" in capsys.readouterr().out
    assert audit.main(asked, {audit.VARIABLE: audit.REQUIRED}) == 1


def test_the_lock_file_is_one_that_can_be_audited_without_installing_it():
    text = audit.LOCK.read_text(encoding="utf-8")
    assert text.count("--hash=sha256:") > 100
