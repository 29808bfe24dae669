"""Reading an index of recorded responses: what is read, and how faults of the index are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.recorded import classify_recorded, request_line
from healing_pipeline.probing.response import RequestLine, Response, Verdict

ENTRY = {
    "source": "known",
    "endpoint": "GET /query?function=SMA&symbol=X",
    "host": "www.example.com",
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body_file": "bodies/a.json",
    "kind": "a label that nobody needs",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bodies").mkdir()
    (tmp_path / "bodies" / "a.json").write_bytes(b'{"price": 1.5}')
    return tmp_path


def write(folder: Path, *lines: object) -> Path:
    index = folder / "index.jsonl"
    index.write_text("".join(x if isinstance(x, str) else json.dumps(x) + "\n" for x in lines))
    return index


class Recorder:
    """A classify function that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[Response, RequestLine]] = []

    def __call__(self, response: Response, line: RequestLine) -> Verdict:
        self.seen.append((response, line))
        return Verdict(FailureClass.EMPTY, "as asked")


def test_each_line_reaches_its_sources_function_as_recorded(folder):
    classify = Recorder()
    index = write(folder, ENTRY, "\n", ENTRY | {"status": None})
    answers = list(classify_recorded(index, {"known": classify}))
    assert (
        answers
        == [
            {
                "body_file": "bodies/a.json",
                "source": "known",
                "failure_class": "empty",
                "evidence": "as asked",
            }
        ]
        * 2
    )
    (first, line), (second, _) = classify.seen
    assert (first.status, first.body, second.status) == (200, b'{"price": 1.5}', None)
    assert first.headers == {"content-type": "application/json"}
    assert line == RequestLine("/query", {"function": "SMA", "symbol": "X"}, "www.example.com")


def test_an_unknown_source_is_judged_generally(folder):
    index = write(folder, ENTRY | {"source": "nobody"}, ENTRY | {"source": "x", "status": 503})
    classes = [each["failure_class"] for each in classify_recorded(index, {"known": Recorder()})]
    assert classes == ["ok", "server_error"]


def test_a_line_needs_no_more_than_a_source_and_a_body(folder):
    index = write(folder, {"source": "nobody", "body_file": "bodies/a.json"})
    assert [each["failure_class"] for each in classify_recorded(index, {})] == ["ok"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("{broken\n", "not JSON"),
        ("[" * 100_000 + "\n", "not JSON"),
        ('["a list"]\n', "no object"),
        ({"body_file": "bodies/a.json"}, "`source`"),
        ({"source": "known"}, "`body_file`"),
        (ENTRY | {"status": "200"}, "`status`"),
        (ENTRY | {"status": True}, "`status`"),
        (ENTRY | {"headers": ["a"]}, "`headers`"),
        (ENTRY | {"endpoint": 5}, "`endpoint`"),
        (ENTRY | {"body_file": "bodies/gone.json"}, "gone.json"),
        (ENTRY | {"body_file": "bodies"}, "bodies"),
        (ENTRY | {"body_file": "nul\x00byte"}, "cannot be read"),
    ],
)
def test_a_faulty_line_is_named_with_its_cure(folder, line, names):
    index = write(folder, ENTRY, line)
    answers = classify_recorded(index, {})
    next(answers)
    with pytest.raises(ConfigurationError) as caught:
        next(answers)
    assert f"{index}:2:" in str(caught.value)
    assert names in caught.value.problem
    assert caught.value.cure


def test_an_index_that_is_not_there_is_named_with_its_cure(tmp_path):
    with pytest.raises(ConfigurationError, match="index"):
        list(classify_recorded(tmp_path / "index.jsonl", {}))


@pytest.mark.parametrize(
    ("endpoint", "path", "params"),
    [
        ("GET /v8/finance/chart/AAPL", "/v8/finance/chart/AAPL", {}),
        ("/latest?base=EUR", "/latest", {"base": "EUR"}),
        ("POST /x?a=&b=1%202", "/x", {"a": "", "b": "1 2"}),
        ("GET /<unspecified>", "/<unspecified>", {}),
        ("", "", {}),
        ("GET", "GET", {}),
    ],
)
def test_an_endpoint_is_read_as_path_and_parameters(endpoint, path, params):
    assert request_line(endpoint) == RequestLine(path, params, "")
