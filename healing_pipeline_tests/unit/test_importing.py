"""What Gatus and Uptime Kuma watch becomes a configuration, and nothing of it is lost silently."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from imported import HERE, PROVIDERS, Imported, imported

from healing_pipeline.catalog.json_rules import KeyPlace, steps_of
from healing_pipeline.catalog.load import load
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.importing.durations import seconds_in
from healing_pipeline.importing.gatus_conditions import read_conditions
from healing_pipeline.importing.plain_yaml import MOST_NODES, parse
from healing_pipeline.importing.reading import LONGEST_FILE, read
from healing_pipeline.providers.json_api.conditions import broken

SECRET = "k3yk3yk3yk3yk3yk3yk3yk3y"


@pytest.fixture
def gatus(tmp_path: Path) -> Imported:
    return imported((HERE / "gatus.yaml").read_text(), tmp_path)


@pytest.fixture
def kuma(tmp_path: Path) -> Imported:
    return imported((HERE / "kuma.json").read_text(), tmp_path)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


# Gatus


def test_conditions_become_what_is_expected(gatus: Imported) -> None:
    assert gatus.catalog is not None
    expect = gatus.catalog.endpoints[gatus.of("shop/prices")].expect
    assert expect is not None
    assert (expect.status, expect.within_s) == ({200}, 0.3)
    good = {"status": "UP", "items": [{"id": 4}]}
    assert broken(good, expect.body) is None
    for worse in (
        good | {"status": "DOWN"},
        good | {"items": [{"id": 3}]},
        good | {"items": []},
        good | {"error": "none"},
    ):
        assert broken(worse, expect.body) is not None
    others = gatus.catalog.endpoints[gatus.of("shop/stock")].expect
    assert others is not None
    assert others.status == {200, 429}
    assert broken({"kind": "partial", "name": "shop 1"}, others.body) is None
    assert broken({"kind": "none", "name": "shop 1"}, others.body) is not None
    front = gatus.catalog.endpoints[gatus.of("front page")].expect
    assert front is not None
    assert (front.text, front.status) == ("Welcome", set(range(200, 300)))


def test_variables_keep_their_names_and_go_where_the_key_was(gatus: Imported) -> None:
    assert gatus.catalog is not None
    shop, other = gatus.catalog.sources["api_shop_example"], gatus.catalog.sources["fred"]
    assert [each.env for each in shop.keys] == ["SHOP_KEY"]
    assert shop.key_in is not None
    assert (shop.key_in.place, shop.key_in.name) == (KeyPlace.PARAM, "apikey")
    bearer = gatus.catalog.sources["api_shop_example_2"]
    assert [each.env for each in bearer.keys] == ["SHOP_TOKEN"]
    assert bearer.key_in is not None
    assert bearer.key_in.place is KeyPlace.BEARER
    assert [each.env for each in other.keys] == ["FRED_API_KEY"]


def test_a_known_origin_becomes_the_source_of_its_provider(gatus: Imported) -> None:
    assert gatus.catalog is not None
    endpoint = gatus.catalog.endpoints["fred/ten-years"]
    assert gatus.catalog.sources["fred"].provider == "fred"
    assert dict(endpoint.params) == {"series_id": "DGS10", "file_type": "json"}
    assert endpoint.interval_s == 120


def test_what_cannot_be_carried_over_is_listed_with_its_reason(gatus: Imported) -> None:
    assert {each.name: each.why.split(";")[0] for each in gatus.placed.left_out} == {
        "database": "opens a TCP connection",
        "router": "pings a host (ICMP)",
        "names": "asks a name server",
        "order": "asks by POST",
        "old": "it is switched off there",
        "jobs/nightly backup": (
            "its status is told to Gatus by another program, and nothing is asked"
        ),
    }
    comments = " ".join(each.strip(" #") for each in gatus.text.splitlines() if "#" in each)
    for left_out in gatus.placed.left_out:
        assert f"- {left_out.name}: {left_out.why}" in comments
    assert "CERTIFICATE_EXPIRATION" in gatus.notes("shop/prices")
    assert "every 30 s instead of every 20 s" in gatus.notes("shop/prices")
    assert "every 600 s instead of every 900 s" in gatus.notes("shop/stock")
    assert "alerting" in " ".join(gatus.placed.notes)


def test_a_host_in_ones_own_network_is_named_for_the_guard(gatus: Imported) -> None:
    assert gatus.placed.private_hosts == ("192.168.7.20:8080",)
    assert gatus.catalog is not None
    assert ("192.168.7.20", 8080) in gatus.catalog.private_hosts


@pytest.mark.parametrize("condition", ["[DOMAIN_EXPIRATION] > 720h", "[BODY] != error"])
def test_an_endpoint_of_which_nothing_is_left_is_not_made_another(condition: str) -> None:
    why = read_conditions([condition]).why_not
    assert why is not None
    assert condition in why
    assert read_conditions([condition, "[STATUS] == 200"]).why_not is None
    assert read_conditions([]).why_not is None


# Uptime Kuma


def test_monitors_of_kuma_become_endpoints(kuma: Imported) -> None:
    assert kuma.catalog is not None
    prices = kuma.catalog.endpoints[kuma.of("Prices")]
    assert prices.expect is not None
    assert broken({"data": {"items": [{"status": 1}]}}, prices.expect.body) is None
    assert broken({"data": {"items": [{"status": 2}]}}, prices.expect.body) is not None
    front = kuma.catalog.endpoints[kuma.of("Front page")].expect
    assert front is not None
    assert (front.text, front.status) == ("Welcome", {*range(200, 300), 404})
    assert "certificate" in kuma.notes("Front page")
    assert "absent" in kuma.notes("No errors")
    assert "upside down" in kuma.why_not("Must be down")
    assert "paused" in kuma.why_not("Paused")
    assert "ICMP" in kuma.why_not("Router")
    variables = dict(kuma.placed.variables)
    assert "base64" in variables["ADMIN_SHOP_EXAMPLE_KEY"]


def test_a_variable_of_the_file_never_holds_another_key(tmp_path: Path) -> None:
    """Its own key gets a new variable; one that a later monitor reads is not that."""
    text = f"""
endpoints:
- {{name: a, url: "https://a.example/?apikey={SECRET}"}}
- {{name: b, url: "https://b.example/?apikey=${{A_EXAMPLE_KEY}}"}}
"""
    catalog = imported(text, tmp_path).catalog
    assert catalog is not None
    assert {name: each.keys[0].env for name, each in catalog.sources.items()} == {
        "a_example": "A_EXAMPLE_KEY_2",
        "b_example": "A_EXAMPLE_KEY",
    }


def test_a_list_or_a_mapping_of_monitors_is_taken_as_well() -> None:
    monitors = json.loads((HERE / "kuma.json").read_text())["monitorList"]
    of_list = read(json.dumps(monitors))
    of_mapping = read(json.dumps({str(each["id"]): each for each in monitors}))
    assert of_list == of_mapping
    assert len(of_list.checks) == 4


# Both


def test_no_secret_of_the_file_is_in_what_is_written(gatus: Imported, kuma: Imported) -> None:
    for secret in ("k3yk3y", "hunter2", "abcdefabcdef", "secretsecret"):
        for each in (gatus, kuma):
            assert secret not in each.text
            assert secret not in repr(each.placed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("a: [1", "not YAML"),
        ("just words", "no tool"),
        ("scrape_configs: []", "no tool"),
        ("upstreams: real\nsources: {}\n", "already"),
        ('{"monitorList": [', "not YAML"),
        ('{"monitorList": []}', "no monitor"),
        ("endpoints: [1, 2]", "no list of mappings"),
        ("endpoints:\n- &a [*a]", "alias"),
        ("endpoints: []\n---\nendpoints: []", "second"),
        ("a: 1\na: 2", "twice"),
        ("[" * 50 + "]" * 50, "levels deep"),
        ("#" * (LONGEST_FILE + 1), "too long"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_cure(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(text)
    assert said in raised.value.problem
    assert raised.value.cure


def test_aliases_of_aliases_are_refused_before_they_are_counted_out() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    with pytest.raises(ConfigurationError, match=str(MOST_NODES)):
        parse(f"l0: &l0 [x]\n{levels}")
    merges = "\n".join(
        f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 12)
    )
    with pytest.raises(ConfigurationError, match=str(MOST_NODES)):
        parse(f"m0: &m0 {{x: y}}\n{merges}")


def test_anchors_and_merge_keys_are_read_as_gatus_reads_them() -> None:
    text = "u: &u {interval: 5m, name: no}\ne:\n- <<: *u\n  name: mine\n- *u\n"
    assert parse(text) == {
        "u": {"interval": "5m", "name": "no"},
        "e": [{"name": "mine", "interval": "5m"}, {"interval": "5m", "name": "no"}],
    }


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["h", "m", "s", "ms"])), min_size=1))
def test_spans_of_time_are_the_sum_of_their_parts(parts: list[tuple[int, str]]) -> None:
    seconds = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    text = "".join(f"{count}{unit}" for count, unit in parts)
    assert seconds_in(text) == pytest.approx(sum(n * seconds[unit] for n, unit in parts))


statuses = st.integers(200, 599)
comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


@given(st.lists(st.tuples(comparisons, statuses), min_size=1, max_size=3))
def test_a_status_is_expected_exactly_where_gatus_takes_it(asked: list[tuple[str, int]]) -> None:
    read_ = read_conditions(f"[STATUS] {comparison} {status}" for comparison, status in asked)
    taken = {
        each
        for each in (*range(200, 300), *range(400, 600))
        if all(eval(f"{each} {comparison} {status}") for comparison, status in asked)
    }
    assert set(read_.expect.status) == taken
    assert (read_.why_not is None) == bool(taken)


values = st.one_of(
    st.integers(-(10**6), 10**6), st.booleans(), st.sampled_from(["UP", "1", "true", "a b", "0"])
)


def as_gatus_says(value: object) -> str:
    """How a value of JSON is written where Gatus compares it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(found=values, asked=st.lists(values, min_size=1, max_size=3))
def test_a_value_holds_exactly_where_gatus_says_so(
    found: object, asked: list[object], folder: Path
) -> None:
    texts = [as_gatus_says(each) for each in asked]
    written = texts[0] if len(texts) == 1 else f"any({', '.join(texts)})"
    condition = f"[BODY].v == {written}"
    file = {"endpoints": [{"name": "a", "url": "https://a.example/x", "conditions": [condition]}]}
    catalog = imported(yaml.safe_dump(file), folder).catalog
    assert catalog is not None
    expect = next(iter(catalog.endpoints.values())).expect
    assert expect is not None
    assert expect.body[0].steps == steps_of("v")
    holds = broken({"v": found}, expect.body) is None
    assert holds == (as_gatus_says(found) in texts)


def mostly(usual: st.SearchStrategy[object], odd: st.SearchStrategy[object]) -> object:
    """Odd in one of six: a monitor with one odd thing in it says more than one of nothing else."""
    return st.integers(0, 5).flatmap(lambda chance: odd if chance == 5 else usual)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.text("abcXYZ01", min_size=1, max_size=8)
odd_hosts = st.sampled_from(["10.0.0.1", "u:p@b.example", "${H}", "[::1]:80", "x y", "ä.de", ""])
secrets = st.sampled_from([SECRET, "${TOKEN}", "$LOW", "Bearer ${T}", f"Basic {SECRET}", "a$$b"])
pairs = st.tuples(
    st.sampled_from(["q", "apikey", "Key", "a b", "é"]), mostly(plain, st.one_of(words, secrets))
)
urls = st.builds(
    lambda scheme, host, path, query: (
        f"{scheme}://{host}/{path}"
        + ("?" + "&".join(f"{k}={v}" for k, v in query) if query else "")
    ),
    mostly(st.sampled_from(["https", "http"]), st.sampled_from(["tcp", "icmp", "", "HTTPS"])),
    mostly(st.sampled_from(["a.example", "B.example:8443"]), odd_hosts),
    mostly(
        plain,
        st.one_of(words, st.sampled_from(["a/../b", "%2Fx", f"k/{SECRET}", "{today}", "a b/ä"])),
    ),
    st.lists(pairs, max_size=2),
)
looked_at = st.sampled_from(
    ["[STATUS]", "[RESPONSE_TIME]", "[BODY]", "[BODY].a[0].b", "len([BODY].x)", "has([BODY].e)"]
)
held_against = st.sampled_from(
    ["true", "200", "500", "UP", "5m", "pat(*ok*)", "any(1, b)", "12.5", "a b"]
)
odd_sides = st.one_of(
    words,
    st.builds("[BODY].{}".format, words),
    st.builds("pat({})".format, words),
    st.builds("any({},{})".format, words, words),
    st.sampled_from(["[CONNECTED]", "[IP]", "[STATUS]", SECRET, "1e5", "0x1", "5"]),
)
conditions = mostly(
    st.builds(
        "{} {} {}".format,
        mostly(looked_at, odd_sides),
        comparisons,
        mostly(held_against, odd_sides),
    ),
    words,
)
endpoints = st.fixed_dictionaries(
    {"url": mostly(urls, words)},
    optional={
        "name": words,
        "group": words,
        "method": mostly(st.just("GET"), st.sampled_from(["get", "POST", ""])),
        "interval": st.sampled_from(["1s", "5m", "3h", "never", ""]),
        "headers": mostly(
            st.dictionaries(st.sampled_from(["Accept", "X-Api-Key"]), secrets, max_size=1),
            st.dictionaries(st.sampled_from(["Accept", "X-Api-Key", "Host", "é"]), secrets),
        ),
        "conditions": st.lists(conditions, max_size=4),
        "client": mostly(
            st.just({"timeout": "5s"}),
            st.dictionaries(st.sampled_from(["timeout", "insecure", "oauth2"]), words),
        ),
        "enabled": mostly(st.just(True), st.just(False)),
        "ui": st.just({"hide-url": True}),
    },
)


@given(generated=st.lists(endpoints, min_size=1, max_size=5))
@example(generated=[{"url": "https://a.example/"}] * 3)
@example(generated=[{"url": "https://a.example/?q="}, {"url": "https://a.example/{b}"}])
@example(generated=[{"url": "https://a.example/?day={today}&x={b}"}])
def test_every_endpoint_is_carried_over_or_named_and_what_is_written_is_a_configuration(
    generated: list[dict[str, object]], folder: Path
) -> None:
    text = yaml.safe_dump({"endpoints": generated}, allow_unicode=True)
    try:
        read(text)
    except ConfigurationError:
        return  # refused whole: PyYAML writes what it cannot read
    assert_all_accounted_for(imported(text, folder), len(generated))


anything = st.one_of(
    words, st.none(), st.booleans(), st.integers(-5, 700), st.floats(), st.just([])
)
codes = mostly(st.sampled_from(["200-299", "404"]), st.sampled_from(["300-399", "299-200", 7]))
monitors = st.fixed_dictionaries(
    {
        "type": mostly(st.sampled_from(["http", "keyword", "json-query"]), anything),
        "url": mostly(urls, anything),
    },
    optional={
        "name": anything,
        "active": mostly(st.just(True), anything),
        "method": mostly(st.just("GET"), st.sampled_from(["POST", None, 3])),
        "interval": mostly(st.integers(1, 4000), anything),
        "timeout": mostly(st.integers(1, 60), anything),
        "accepted_statuscodes": st.lists(codes, max_size=3),
        "headers": mostly(st.just(f'{{"X-Api-Key": "{SECRET}"}}'), st.one_of(words, anything)),
        "keyword": mostly(st.one_of(plain, st.just(SECRET)), anything),
        "invertKeyword": st.booleans(),
        "jsonPath": mostly(st.sampled_from(["$", "$.a[0].b", "a.b"]), anything),
        "jsonPathOperator": st.sampled_from(["==", "!=", ">", "contains", "~"]),
        "expectedValue": mostly(st.sampled_from(["1", "UP", "true", 2, SECRET]), anything),
        "basic_auth_user": st.one_of(st.just("me"), anything),
        "basic_auth_pass": st.just(SECRET),
        "authMethod": mostly(st.sampled_from([None, "basic"]), st.sampled_from(["ntlm", ""])),
        "notificationIDList": st.just({"1": True}),
    },
)


@given(generated=st.lists(monitors, min_size=1, max_size=5))
@example(generated=[{"type": "http", "url": "https://a.example/", "interval": float("nan")}])
@example(
    generated=[
        {
            "type": "json-query",
            "url": "https://a.example/",
            "jsonPath": "$.a",
            "expectedValue": SECRET,
        },
        {"type": "keyword", "url": "https://a.example/", "keyword": SECRET},
    ]
)
def test_every_monitor_is_carried_over_or_named_and_what_is_written_is_a_configuration(
    generated: list[dict[str, object]], folder: Path
) -> None:
    text = json.dumps({"monitorList": generated})
    assert_all_accounted_for(imported(text, folder), len(generated))


def assert_all_accounted_for(found: Imported, count: int) -> None:
    placed = found.placed
    assert len(placed.endpoints) + len(placed.left_out) == count
    ids = [each.id for each in placed.endpoints]
    assert found.catalog is None if not ids else list(found.catalog.endpoints) == ids
    assert SECRET not in found.text
    assert SECRET not in repr(placed)


def test_the_alerts_that_stand_in_comments_are_a_configuration(folder: Path) -> None:
    written = imported('endpoints: [{url: "https://a.example/"}]', folder).text
    begin = written.index("# alerts:")
    end = written.index("\n\n", begin)
    alerts = "\n".join(each.removeprefix("# ") for each in written[begin:end].splitlines())
    path = folder / "with_alerts.yaml"
    path.write_text(written[:begin] + alerts + written[end:])
    catalog = load(path, environ={"ALERTS_CHAT_URL": "json://a.example"}, providers=PROVIDERS)
    assert [each.name for each in catalog.alerts.channels] == ["chat"]
