"""What people and models write, fuzzed: configurations, scenarios, histories, tables, advice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from healing_pipeline_tests.chaos.fuzz.installed import scratch
from healing_pipeline_tests.chaos.fuzz.target import CANARY, Check, Target

NAMED = Path("given.yaml")
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def text_of(data: bytes) -> str:
    """Bytes as a program has them once a file was read: half a surrogate pair is no UTF-8."""
    return data.decode("utf-8", "replace")


def _is_told(error: Any, text: str, *, with_line: bool) -> None:
    """A mistake is told in a printable line, with a cure and, where it has one, a line that is."""
    last = text.count("\n") + text.count("\r") + len(text.splitlines()) + 2
    assert error.problem, "a mistake that is not said"
    assert error.cure, "a mistake without a cure"
    for said in (error.problem, error.cure):
        assert all(each.isprintable() or each == "\n" for each in said), f"unprintable: {said!r}"
        assert len(said) < 4_000, "a message as long as the file"
    if with_line:
        assert error.line is not None, f"no line: {error.problem}"
    assert error.line is None or 1 <= error.line <= last, f"line {error.line} of {last}"


def _open_configuration() -> Check:
    from healing_pipeline.catalog.load import check as find
    from healing_pipeline.catalog.load import load
    from healing_pipeline.catalog.settings import load_settings
    from healing_pipeline.errors import ConfigurationError
    from healing_pipeline.providers.registry import provider_names
    from healing_pipeline.simulator.hosts import addresses
    from healing_pipeline.simulator.keys import default_keys

    folder = scratch()
    path = folder / "healing_config.yaml"
    given = {
        "environ": {"FRED_API_KEY": CANARY, "HEALING_UPSTREAMS": ""},
        "providers": provider_names(),
        "simulated_hosts": addresses(8900),
        "simulated_keys": default_keys(),
    }

    def check(data: bytes) -> None:
        path.write_bytes(data)
        loading = partial(load, path, **given)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            _is_refused(loading)
            return
        found = find(text, path=path, **given)
        last = len(text.splitlines()) + 1
        for each in found:
            assert 1 <= each.line <= last, f"line {each.line} of {last}"
            assert each.problem.isprintable(), "a problem that cannot be printed"
            assert each.cure.isprintable()
            assert each.cure
            assert CANARY not in each.problem + each.cure, "a key in a problem"
        errors = [each for each in found if each.severity == "error"]
        if not errors:
            assert loading().endpoints
            load_settings(path, environ=given["environ"])
            return
        caught = _is_refused(loading)
        assert (caught.line, caught.problem) == (errors[0].line, errors[0].problem)

    def _is_refused(loading: Any) -> ConfigurationError:
        try:
            loading()
        except ConfigurationError as error:
            return error
        raise AssertionError("it is wrong, and it was loaded")

    return check


def configuration_seeds() -> list[bytes]:
    """The default, and files of every section with what YAML has to hurt."""
    from healing_pipeline.catalog.default import default_config_text

    default = default_config_text()
    small = (
        "upstreams: simulated\nsimulator: {port: 8900}\nsources:\n"
        "  fred:\n    provider: fred\n    hosts: {api: https://api.stlouisfed.org}\n"
        "    keys: {primary: {env: FRED_API_KEY}}\n    quota: {per_minute: 120}\n"
        "    calendar: us_equities\n"
        "endpoints:\n  fred/dgs10: {path: /fred/series/observations, params: {series_id: DGS10},"
        " interval_s: 60, deadline_s: 3, accepts: [exact, stale], max_age_s: 900}\n"
    )
    alerts = (
        "alerts:\n  url: http://localhost:8888\n  channels:\n"
        "    mail: {env: ALERTS_MAIL_URL, levels: [error, critical], sources: [fred]}\n"
        "  failure-threshold: 2\n  minimum-reminder-interval: 1h\n  objective: 0.99\n"
        "second_opinion:\n  service: openai\n  base_url: http://localhost:11434/v1\n"
        "  model: qwen3:8b\n  daily_budget_usd: 1\n  timeout_s: 8\n  ask: always\n"
        "  price_per_million_tokens: {input: 0, output: 0}\n"
        "learning: {since: 2025-11-01}\ndashboard: {public: true}\n"
        'witnesses: ["one.one.one.one:443", "dns.google:443"]\nallow_private_hosts: false\n'
    )
    laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{two}: &{two} [{', '.join([f'*{one}'] * 9)}]\n"
        for one, two in zip("abcdefgh", "bcdefghi", strict=True)
    )
    return [
        small.encode(),
        (small + alerts).encode(),
        (small + laughs).encode(),
        b"\xef\xbb\xbf" + small.encode(),
        small.replace("\n", "\r\n").encode(),
        small.replace("  ", "\t").encode(),
        ("sources: " + "[" * 300 + "]" * 300).encode(),
        (small + "interval: " + "9" * 3_000).encode(),
        (small + "simulator: {port: 1}\n").encode(),
        b"<<: &a {<<: *a}\n",
        b"? [a, {b: c}]\n: !!python/object/apply:os.system [ls]\n",
        b"%YAML 1.1\n---\n- !!binary aGVsbG8=\n...\n---\n2\n",
        default[-6_000:].encode(),
        default[:8_000].encode(),
    ]


def _open_scenario() -> Check:
    from healing_pipeline.errors import ConfigurationError
    from healing_pipeline.simulator.scenario import fault_to_json, parse_scenario

    def check(data: bytes) -> None:
        text = text_of(data)
        try:
            scenario = parse_scenario(text, NAMED)
        except ConfigurationError as error:
            _is_told(error, text, with_line=False)
            return
        assert scenario.duration_s > 0
        assert scenario.traffic.readers >= 1
        for each in scenario.faults:
            json.dumps(fault_to_json(each), allow_nan=False)

    return check


def scenario_seeds() -> list[bytes]:
    """The scenarios that come with the package, and the one of the design."""
    import healing_pipeline.simulator

    folder = Path(healing_pipeline.simulator.__file__).parent / "scenarios"
    shipped = [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]
    return [
        *(each for each in shipped if len(each) < 8_000),
        b"name: a\nsources: [yahoo]\ntraffic: {readers: .inf, requests_per_s: 1e400}\nquotas: real",
        b"name: a\nsources: [yahoo]\nduration_s: 1e308\nfaults:\n"
        b"  - {at_s: 1e308, for_s: .inf, match: {share: 0.5, rows_over: 3}, fault: slow}\n",
        b"name: a\nsources: [fred]\nfaults: [{at_s: 5, for_s: 2, fault: stale_data, age_s: 1e300,"
        b" retry_after_s: 3}]\naccepts: [exact]\n",
    ]


def _open_history() -> Check:
    from healing_pipeline.errors import ConfigurationError
    from healing_pipeline.simulator.history import parse_history
    from healing_pipeline.simulator.replay import replay_of

    def check(data: bytes) -> None:
        text = text_of(data)
        try:
            outages = parse_history(text, NAMED)
            scenario = replay_of(outages, NAMED)
        except ConfigurationError as error:
            _is_told(error, text, with_line=False)
            return
        assert all(each.begins < each.ends for each in outages)
        assert scenario.faults
        assert 0 < scenario.duration_s < 10_000
        assert all(each.at_s >= 0 and each.for_s > 0 for each in scenario.faults)

    return check


def history_seeds() -> list[bytes]:
    """Both forms of a history."""
    head = b"checked_at,endpoint,status,http_code,response_ms\n"
    rows = (
        (0, "a", "up", 200), (5, "a", "down", 503), (9, "a", "up", 200), (7, "b", "down", 0),
        (30, "b", "up", 200), (40, "b", "degraded", 200), (50, "b", "up", 200),
    )  # fmt: skip
    table = "".join(
        f"2024-01-05T12:{minute:02d}:00Z,{name},{status},{code},120\n"
        for minute, name, status, code in rows
    )
    series = "".join(
        f"2024-01-05 12:{minute:02d}:00,{90 if minute == 9 else 1.5}\n" for minute in range(30)
    )
    return [
        head + table.encode(),
        b"timestamp,value\n" + series.encode(),
        head + table.replace("2024", "0001").encode(),
        head + table.replace("2024", "9999").replace("01-05", "12-31").encode(),
        b'"timestamp","value"\r\n"2024-01-05T12:00:00+14:00",1e308\r\n',
        b"\xef\xbb\xbf" + head + table.encode(),
    ]


def _open_index() -> Check:
    from healing_pipeline.errors import ConfigurationError
    from healing_pipeline.probing.recorded import classify_recorded
    from healing_pipeline.providers.registry import PROVIDERS

    folder = scratch()
    index = folder / "index.jsonl"
    (index.parent / "a.json").write_bytes(b'{"price": 1.5}')
    judges = {name: provider.classify for name, provider in PROVIDERS.items()}

    def check(data: bytes) -> None:
        index.write_bytes(data)
        try:
            for each in classify_recorded(index, judges):
                assert set(each) == {"body_file", "source", "failure_class", "evidence"}
                assert each["evidence"].isprintable()
                json.dumps(each).encode()
        except ConfigurationError as error:
            _is_told(error, data.decode("utf-8", "replace"), with_line=True)

    return check


def index_seeds() -> list[bytes]:
    """Lines of an index."""
    entry = {
        "source": "yahoo", "endpoint": "GET /v8/finance/chart/AAPL?interval=1d", "host": "query1",
        "status": 200, "headers": {"Content-Type": "application/json"}, "body_file": "a.json",
    }  # fmt: skip
    lines = [json.dumps({**entry, "source": each}) for each in ("yahoo", "fred", "other")]
    return [
        "\n".join(lines).encode(),
        json.dumps({**entry, "status": None, "headers": None}).encode(),
        json.dumps({**entry, "body_file": "../../../../etc/hostname"}).encode(),
        json.dumps({**entry, "endpoint": "?" + "&".join(["a=b"] * 50)}).encode(),
    ]


def _open_tables() -> Check:
    from healing_pipeline.reporting.cells import UnreadableError
    from healing_pipeline.reporting.structures import STRUCTURES
    from healing_pipeline.reporting.table_reading import read_csv, read_json
    from healing_pipeline.reporting.tables import as_csv, as_json
    from healing_pipeline.reporting.toon import as_toon
    from healing_pipeline.reporting.toon_reading import detect, read_toon

    def check(data: bytes) -> None:
        text = text_of(data)
        try:
            tables = read_toon(text)
        except UnreadableError as error:
            _is_unreadable(error)
        else:
            assert detect(text)
            again = read_toon(as_toon(*tables))
            assert [each.rows for each in again] == [each.rows for each in tables]
        for read, write in ((read_csv, as_csv), (read_json, as_json)):
            try:
                found = read(text)
            except UnreadableError as error:
                _is_unreadable(error)
                continue
            for each in found if isinstance(found, tuple | list) else (found,):
                written = write(each)
                said = written if isinstance(written, str) else written.decode()
                back = read(said, {each.name: STRUCTURES[each.name]})
                (one,) = back if isinstance(back, tuple | list) else (back,)
                # CSV holds neither NUL nor a text that is empty beside none.
                if "\0" not in text:
                    assert one.rows == each.rows

    return check


def _is_unreadable(error: Any) -> None:
    said = str(error)
    assert said
    assert len(said) < 2_000, "a message as long as the document"
    said.encode()


def _open_conversion() -> Check:
    from healing_pipeline.reporting.cells import UnreadableError
    from healing_pipeline.reporting.conversion import READERS, convert

    targets = ("toon", "json", "csv", "md", None)

    def check(data: bytes) -> None:
        to = targets[data[0] % len(targets)] if data else None
        text = text_of(data[1:])
        for read_as in (None, *READERS):
            try:
                made = convert(text, to=to, read_as=read_as)
            except UnreadableError as error:
                _is_unreadable(error)
                continue
            made.text.encode()
            if made.notes or made.structures or made.read_as == "csv" or to in ("csv", "md"):
                continue
            form = to or ("json" if made.read_as == "toon" else "toon")
            assert _value(made.text, form) == _value(text, made.read_as), "changed in silence"

    def _value(text: str, form: str) -> object:
        return READERS[form](text).value

    return check


def table_seeds() -> list[bytes]:
    """Each of our structures as TOON, CSV and JSON, with nothing and with a row in it."""
    from healing_pipeline.reporting.structures import STRUCTURES
    from healing_pipeline.reporting.tables import as_csv, as_json, table_of
    from healing_pipeline.reporting.toon import as_toon

    cells = {"string": "a, b: [1]{x}", "int": 7, "float": 0.25, "bool": True, "timestamp": AT}
    found = []
    for each in STRUCTURES.values():
        row = {column.name: cells[column.type] for column in each.columns}
        for rows in ([], [row, row]):
            table = table_of(each.name, each.columns, rows)
            found += [as_toon(table).encode(), as_csv(table).encode(), as_json(table)]
    return found


def conversion_seeds() -> list[bytes]:
    """The tables, and documents of other people."""
    values = [
        b'[{"a": 1, "b": "x"}, {"a": 2.5, "b": null}]', b'{"a": {"b": [1, [2, {"c": "d: e"}]]}}',
        b"a: 1\nb[2]{x,y}:\n  1,2\n  3,\"4\"\n", b"x,y\n1,2\n'=1,\n", b'{"a": 1}\n{"a": 2}\n',
        b"```json\n[1, 2]\n```\n", b"[3]: 1,2,\"3\"\n",
        b'"a": 1e5\nb: -0.0\nc: 12345678901234567890',
        b"a,a\n1,2\n", b"key: [\n", b'{"a": 1.00000000000000000001, "b": 1e999}', b"[" * 200,
    ]  # fmt: skip
    return [bytes((at % 5,)) + each for at, each in enumerate([*values * 5, *table_seeds()])]


def _open_advice() -> Check:
    from healing_pipeline.second_opinion.advice import Advice, read_advice

    choices = ("alternate_host", "use_cached_data", "fallback_provider")

    def check(data: bytes) -> None:
        found = read_advice(text_of(data), choices)
        if isinstance(found, Advice):
            assert set(found.order) <= set(choices)
            assert len(set(found.order)) == len(found.order)
            assert 0 <= found.confidence <= 1
            said = found.because
            json.dumps(found.written(), allow_nan=False).encode()
        else:
            said = found.reason
            assert said
        assert said.isprintable()
        assert CANARY not in said, "a key in what a model said"
        assert len(said) < 1_000

    return check


def advice_seeds() -> list[bytes]:
    """Answers of a model."""
    good = {
        "root_cause": "provider_down", "order": ["use_cached_data", "alternate_host"],
        "confidence": 0.7, "because": f"the key api_key={CANARY} was refused",
    }  # fmt: skip
    return [
        json.dumps(good).encode(),
        json.dumps({**good, "order": [], "because": "nothing helps"}).encode(),
        json.dumps({**good, "order": ["rm -rf", CANARY]}).encode(),
        b"Sure! Here is the JSON:\n```json\n" + json.dumps(good).encode() + b"\n```",
        b"<think>token " + CANARY.encode() + b"</think>{}",
    ]


TARGETS = (
    Target(
        "configuration",
        "YAML of a configuration: every mistake a problem with its line, no key in any",
        _open_configuration,
        configuration_seeds,
        share=30,
    ),
    Target("scenario", "YAML of a drill scenario", _open_scenario, scenario_seeds, share=50),
    Target("history", "CSV of outages, and its replay", _open_history, history_seeds, share=50),
    Target("index", "an index of recorded responses", _open_index, index_seeds, share=50),
    Target(
        "tables",
        "TOON, CSV and JSON of our structures; what is read is written and read again",
        _open_tables,
        table_seeds,
        share=80,
    ),
    Target(
        "conversion",
        "any TOON, JSON or CSV into any other; nothing changes in silence",
        _open_conversion,
        conversion_seeds,
        share=80,
    ),
    Target("model_answers", "what a model answers", _open_advice, advice_seeds, share=50),
)
