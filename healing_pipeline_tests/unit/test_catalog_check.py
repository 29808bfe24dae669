"""Each mistake in a configuration is found on its own line, with a cure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import check
from healing_pipeline.catalog.problems import Problem

PATH = Path("config/healing_config.yaml")
PROVIDERS = frozenset({"yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate"})
KEYS_SET = {
    f"{name}_API_KEY{spare}": "made-up"
    for name in ("FRED", "POLYGON", "ALPHA_VANTAGE", "EXCHANGE_RATE")
    for spare in ("", "_SPARE")
}
DEFAULT = default_config_text()
SECRET = "0123456789abcdef01234567"

# lines of the default document that the mistakes are made in
QUERY1 = "      query1: https://query1.finance.yahoo.com"
FRED_PRIMARY = "      primary: {env: FRED_API_KEY}"
FRED_SPARE = "      spare: {env: FRED_API_KEY_SPARE}"
QUOTA = "    quota: {per_minute: 5, per_day: 25}"
QQQ = "{path: /v8/finance/chart/QQQ, params: {interval: 1d, range: 3mo}, interval_s: 60}"
GDP = "  fred/gdp: {path: /fred/series/observations, "


@dataclass(frozen=True)
class Mistake:
    """`old` replaced by `new`; found on the line of `at`, or of `new` where that is empty."""

    name: str
    old: str
    new: str
    problem: str
    cure: str
    at: str = ""


def qqq(new: str, problem: str, cure: str, name: str, at: str = "") -> Mistake:
    return Mistake(name, QQQ, new, problem, cure, at or "yahoo/chart-qqq-1d: ")


def host(url: str, problem: str, cure: str, name: str) -> Mistake:
    return Mistake(f"url {name}", QUERY1, f"      query1: {url}", problem, cure)


def retention(old: str, new: str, problem: str, cure: str, at: str = "") -> Mistake:
    return Mistake(f"retention {new}", f"\n  {old}", f"\n  {new}", problem, cure, at or f"  {new}")


MISTAKES = [
    # retention
    retention("detail: 35", "detail: 3", "three days back", "4 days or more"),
    retention("detail: 35", "detail: 31", "quota of `exchange_rate`", "32 days or more, or leave"),
    retention("detail: 35", "detail: 500", "is 400, shorter", "500 days", "  incidents: 400"),
    retention("detail: 35", "detail: 0", "out of range", "from 1 to 3650"),
    retention("policies: 90", "policy: 90", "`policy`", "`policies`"),
    retention("decisions: 7", "decisions: 36", "longer than `detail` (35)", "35 days or fewer"),
    retention("alerts: 400", "alerts: 401", "longer than `incidents` (400)", "400 days or fewer"),
    # keys of mappings
    Mistake("unknown top key", "upstreams:", "upstream:", "Unknown key", "`upstreams`"),
    Mistake("unknown source key", QUOTA, "    qota: {}", "Unknown key `qota`", "`quota`"),
    Mistake("unknown quota", QUOTA, "    quota: {per_hour: 5}", "`per_hour`", "per_month"),
    Mistake(
        "missing top key",
        "endpoints:\n",
        "owner_of_all:\n",
        "`endpoints` is missing",
        "Add",
        "# What",
    ),
    Mistake(
        "missing hosts",
        "    hosts:\n      api:",
        "    x:\n      api:",
        "`hosts` is missing",
        "Add",
        "  fred:",
    ),
    Mistake(
        "no day to learn from",
        "{since: 2025-11-01}",
        "{since: 2025-11-31}",
        "`since` of `learning` is `2025-11-31`",
        "YYYY-MM-DD",
        "learning:",
    ),
    Mistake(
        "a witness without a port",
        '"dns.google:443"',
        '"dns.google"',
        "`dns.google` is no host and port",
        "witnesses: [one.one.one.one:443]",
        "witnesses:",
    ),
    Mistake(
        "a witness at no port",
        '"dns.google:443"',
        '"dns.google:70000"',
        "`dns.google:70000` is no host and port",
        "witnesses: [one.one.one.one:443]",
        "witnesses:",
    ),
    qqq("{interval_s: 60}", "`path` is missing", "Add `path:`", "missing path"),
    qqq("{path: /a, source: yahoo}", "Unknown key `source`", "the id says it", "source again"),
    qqq("{path: /a, interval: 60}", "Unknown key `interval`", "`interval_s`", "near key"),
    qqq("{path: ~}", "`path` is missing", "Add", "null path"),
    qqq('{path: ""}', "is empty", "Write a value", "empty path"),
    Mistake(
        "duplicate source",
        "  polygon:\n    provider",
        "  fred:\n    provider",
        "`fred` is a duplicate",
        "Remove one",
        "  fred:\n    provider: polygon",
    ),
    Mistake(
        "duplicate host",
        "      query2:",
        "      query1:",
        "duplicate",
        "another name",
        "      query1: https://query2",
    ),
    Mistake(
        "duplicate key",
        "      spare: {env: FRED",
        "      primary: {env: FRED",
        "duplicate",
        "another name",
        "      primary: {env: FRED_API_KEY_SPARE",
    ),
    Mistake(
        "duplicate id",
        GDP,
        GDP.replace("gdp", "gs10"),
        "`fred/gs10` is a duplicate",
        "Remove one",
        "GDP,",
    ),
    Mistake(
        "duplicate top key",
        "simulator: {port: 8900}",
        "upstreams: real",
        "line 7 already",
        "Remove",
    ),
    qqq("{path: /a, path: /b}", "`path` is a duplicate", "Remove", "duplicate path"),
    # types
    Mistake("bad upstreams", "upstreams: simulated", "upstreams: reel", "`reel`", "`real`"),
    Mistake("bad port", "{port: 8900}", "{port: 99999}", "out of range", "from 1024"),
    Mistake("text port", "{port: 8900}", '{port: "8900"}', "not a whole number", "without quotes"),
    Mistake("simulator a list", "{port: 8900}", "[8900]", "must be a mapping", "key: value"),
    Mistake("bad flag", "{public: false}", "{public: yes}", "true or false", "Write"),
    Mistake("private no list", "hosts: []", "hosts: yes", "must be a list", "one, two"),
    qqq("[a]", "must be a mapping", "key: value", "endpoint a list"),
    qqq("", "must be a mapping", "key: value", "endpoint nothing"),
    qqq("{path: [a]}", "must be a text", "one value", "path a list"),
    qqq("{path: /a, params: [b]}", "must be a mapping", "key: value", "params a list"),
    qqq("{path: /a, params: {b: [c]}}", "must be a text", "one value", "param a list"),
    qqq("{path: /a, params: {b: {today}}}", "must be a text", 'quotes: "{today}"', "unquoted mark"),
    qqq("{path: /a, accepts: exact}", "must be a list", "[one, two]", "accepts no list"),
    qqq("{path: /a, interval_s: fast}", "not a number", "Write a number", "interval a word"),
    qqq("{path: /a, interval_s: 1:30}", "not a number", "from 30 to 600", "sexagesimal"),
    qqq("{path: /a, interval_s: [60]}", "must be a number", "Write", "interval a list"),
    qqq("{path: /a, max_age_s: .nan}", "not a number", "of 1 or more", "nan"),
    # ranges
    qqq("{path: /a, interval_s: 29}", "out of range", "from 30 to 600", "interval short"),
    qqq("{path: /a, interval_s: 601}", "out of range", "from 30 to 600", "interval long"),
    qqq("{path: /a, deadline_s: 0.05}", "out of range", "from 0.1 to 30", "deadline short"),
    qqq("{path: /a, deadline_s: 31}", "out of range", "from 0.1 to 30", "deadline long"),
    qqq("{path: /a, calendar: xnys}", "`xnys`, which is not known", "`XNYS`", "calendar case"),
    qqq("{path: /a, calendar: [fx]}", "must be a text", "one value", "calendar a list"),
    Mistake("bad calendar", "calendar: XNYS", "calendar: none", "not known", "`us_business`"),
    qqq("{path: /a, max_age_s: 0}", "out of range", "1 or more", "age zero"),
    Mistake("quota zero", QUOTA, "    quota: {per_day: 0}", "out of range", "from 1"),
    Mistake("quota negative", QUOTA, "    quota: {per_day: -5}", "out of range", "from 1"),
    Mistake("quota fraction", QUOTA, "    quota: {per_day: 2.5}", "not a whole number", "from 1"),
    Mistake("share", "probe_share: 0.5", "probe_share: 1.5", "out of range", "from 0 to 1"),
    # references
    Mistake("provider", "provider: yahoo", "provider: yaho", "no provider `yaho`", "mean `yahoo`"),
    Mistake(
        "source of endpoint", GDP, GDP.replace("fred", "fret"), "no source `fret`", "mean `fred`"
    ),
    Mistake("id", "  fred/gdp:", "  FRED_GDP:", "not an endpoint's id", "a slash"),
    Mistake("id with a capital", "  fred/gdp:", "  fred/GDP:", "not an endpoint's id", "small"),
    Mistake("source name", "  fred:\n", "  Fred Data:\n", "cannot be called", "small letters"),
    Mistake("host name", "      query2:", "      Query 2:", "cannot be called", "small letters"),
    qqq(
        "{path: /a, alternates: {endpoints: [yahoo/chart-spi-1d]}}",
        "does not exist",
        "mean `yahoo/chart-spy-1d`",
        "alternate",
    ),
    qqq(
        "{path: /a, alternates: {endpoints: [yahoo/chart-qqq-1d]}}",
        "names itself",
        "another",
        "itself",
    ),
    qqq("{path: /a, alternates: {endpoints: [fred/gdp, fred/gdp]}}", "duplicate", "once", "twice"),
    qqq("{path: /a, alternates: {etv: XLK}}", "Unknown key `etv`", "`etf`", "unknown alternate"),
    qqq("{path: /a, accepts: [exact, stail]}", "not a fidelity", "mean `stale`", "fidelity"),
    qqq("{path: /a, accepts: [stale]}", "leaves out `exact`", "Add `exact`", "no exact"),
    qqq("{path: /a, accepts: []}", "leaves out `exact`", "Add `exact`", "nothing accepted"),
    # paths
    qqq("{path: v8/chart}", "must begin with one `/`", "Write `/v8/chart`", "no slash"),
    qqq("{path: //evil.example/x}", "must begin with one `/`", "`/evil", "two slashes"),
    qqq('{path: "/a?b=1"}', "holds a query", "`params`", "query in path"),
    qqq("{path: /a/../b}", "`..`", "documents", "dots"),
    qqq("{path: /a b}", "a space", "%20", "space"),
    qqq('{path: "/a/{tomorrow}"}', "a mark", "{today-30d}", "bad mark"),
    qqq('{path: "/a/{today-30}"}', "a mark", "{today-30d}", "mark without d"),
    qqq('{path: "/a/{today+1d}"}', "a mark", "{today-30d}", "future mark"),
    qqq('{path: "/a/{today"}', "a mark", "{today-30d}", "open mark"),
    qqq('{path: /a, params: {since: "{yesterday}"}}', "a mark", "{today}", "param mark"),
    # URLs
    host("ftp://a.example", "does not begin with", "https://", "scheme"),
    host("query1.finance.yahoo.com", "does not begin with", "https://", "no scheme"),
    host("https://", "no host", "https://api", "no host"),
    host("https://a.example/v8", "more than", "`https://a.example`", "path"),
    host("https://a.example/", "more than", "`https://a.example`", "slash"),
    host("https://a.example?x=1", "more than", "queries belong", "query"),
    host("https://me:pw@a.example", "credentials", "`env: NAME`", "credentials"),
    host('"https://a. example"', "a space", "Remove", "space"),
    host("https://a.example:99999", "not a URL", "https://", "port"),
    host("[https://a.example]", "must be a text", "one value", "list"),
    host(
        "http://127.0.0.1:8080",
        "private network",
        "allow_private_hosts: [127.0.0.1:8080]",
        "loopback",
    ),
    host("http://localhost", "private network", "public host", "localhost"),
    host("http://169.254.169.254", "private network", "public host", "metadata service"),
    host("http://2130706433", "bad host name", "usual form", "number"),
    Mistake(
        "no hosts",
        "    hosts:\n      www: https://www.alphavantage.co",
        "    hosts: {}",
        "has no host",
        "Add",
        "    hosts: {}",
    ),
    # keys and secrets
    Mistake(
        "secret",
        FRED_PRIMARY,
        f"      primary: {{secret: {SECRET}}}",
        "`secret`",
        "env: MY_API_KEY",
    ),
    Mistake(
        "value",
        FRED_PRIMARY,
        f"      primary: {{env: FRED_API_KEY, value: {SECRET}}}",
        "`value`",
        "env: MY",
    ),
    Mistake(
        "bare secret", FRED_PRIMARY, f"      primary: {SECRET}", "must be a mapping", "env: MY"
    ),
    Mistake(
        "secret as env",
        FRED_PRIMARY,
        f"      primary: {{env: {SECRET}}}",
        "is it the key itself",
        "env: MY",
    ),
    Mistake(
        "capital secret",
        FRED_PRIMARY,
        "      primary: {env: ABCD1234EFGH5678}",
        "key itself",
        "env: MY",
    ),
    Mistake("key name", FRED_SPARE, "      Spare: {env: FRED_API_KEY_SPARE}", "bad name", "small"),
    Mistake(
        "shared variable", FRED_SPARE, "      spare: {env: FRED_API_KEY}", "Two keys", "of its own"
    ),
    Mistake(
        "keys a list",
        FRED_PRIMARY + "\n" + FRED_SPARE,
        "      - FRED_API_KEY",
        "must be a mapping",
        "key: value",
    ),
    qqq(f"{{path: /v6/{SECRET}/latest}}", "looks like an API key", "environment", "key in path"),
    qqq("{path: /a&apikey=x}", "looks like an API key", "environment", "apikey in path"),
    qqq("{path: /a, params: {apikey: demo}}", "holds an API key", "environment", "apikey"),
    qqq("{path: /a, params: {api_key: demo}}", "holds an API key", "environment", "api_key"),
    qqq("{path: /a, params: {apiKey: demo}}", "holds an API key", "environment", "apiKey"),
    qqq(f"{{path: /a, params: {{x: {SECRET}}}}}", "looks like an API key", "environment", "param"),
    qqq("{path: /a, params: {x: api_key=1}}", "looks like an API key", "environment", "nested"),
]


def line_of(text: str, snippet: str) -> int:
    return text[: text.index(snippet)].count("\n") + 1


def problems_of(text: str, **environ: str) -> list[Problem]:
    everything = {"HEALING_UPSTREAMS": "real", **KEYS_SET, **environ}
    return check(text, path=PATH, environ=everything, providers=PROVIDERS)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: each.name)
def test_a_mistake_is_found_on_its_line_with_a_cure(mistake: Mistake) -> None:
    assert mistake.old in DEFAULT
    text = DEFAULT.replace(mistake.old, mistake.new, 1)
    line = line_of(text, mistake.at or mistake.new)
    found = problems_of(text)
    assert [
        each
        for each in found
        if each.line == line
        and mistake.problem in each.problem
        and mistake.cure in each.cure
        and each.severity == "error"
    ], (line, found)


@pytest.mark.parametrize(
    ("tail", "problem", "cure"),
    [
        ("\t- x: 1\n", "\\t", "not with tabs"),
        ("  yahoo/a: {path: /a\n  yahoo/b: {path: /b}\n", "not YAML", "bracket"),
        ("  yahoo/a: {path: '/a}\n", "not YAML", "quotation mark"),
        ("  yahoo/a: {path: /a/{today}/b}\n", "not YAML", "in quotes"),
        ("  yahoo/a: &here {path: /a}\n", "does not exist", ""),
        ("  yahoo/a: *there\n", "alias", "value itself"),
        ("  yahoo/a: !!python/object:os.system x\n", "tag", "Remove"),
        ("---\nupstreams: real\n", "second YAML document", "---"),
        ('  yahoo/a: {path: "\\UFFFFFFFF"}\n', "not YAML", "escapes"),
        ('  yahoo/a: {path: "/a\\u200b"}\n', "cannot be seen", "anew"),
        ("  yahoo/a: {path: /a\x07}\n", "does not allow", "Remove"),
        ("  yahoo/a: {[x]: 1}\n", "where a key must be", "key: value"),
        ("  yahoo/a: " + "[" * 5000 + "]" * 5000 + "\n", "levels deep", "brackets"),
    ],
)
def test_what_is_not_plain_yaml_is_found_on_its_line(tail: str, problem: str, cure: str) -> None:
    found = problems_of(DEFAULT + tail)
    if problem == "does not exist":  # an anchor alone does nothing
        assert found == []
        return
    assert [each.line for each in found] == [DEFAULT.count("\n") + 1]
    assert problem in found[0].problem
    assert cure in found[0].cure


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n", "not a mapping"),
        ("a", "not a"),
    ],
)
def test_a_document_without_a_mapping_says_so(text: str, problem: str) -> None:
    (only,) = problems_of(text)
    assert only.line == 1
    assert problem in only.problem
    assert "healing init" in only.cure


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file() -> None:
    text = DEFAULT.replace("probe_share: 0.5", "probe_share: 5")
    text = text.replace("upstreams: simulated", "upstreams: reel")
    text = text.replace("fred/gdp", "fret/gdp").replace("interval_s: 30,", "interval_s: 3,")
    found = problems_of(text)
    lines = [each.line for each in found]
    assert lines == sorted(lines)
    assert lines == [
        line_of(text, "upstreams: reel"),
        line_of(text, "probe_share: 5"),
        line_of(text, "yahoo/chart-aapl-5m: "),
        line_of(text, "yahoo/chart-spy-5m: "),
        line_of(text, "fret/gdp"),
    ]


@pytest.mark.parametrize(
    "new",
    [
        f"      primary: {SECRET}",
        f"      primary: {{env: {SECRET}}}",
        f"      primary: {{secret: {SECRET}}}",
        f"      primary: [{SECRET}]",
        f"      {SECRET.upper()}: x",
        f"    x: {{a: {SECRET}}}",
    ],
)
def test_a_secret_in_the_file_is_never_quoted_back(new: str) -> None:
    found = problems_of(DEFAULT.replace(FRED_PRIMARY, new))
    assert found
    assert SECRET.lower() not in repr(found).lower()


def test_a_password_in_a_url_is_never_quoted_back() -> None:
    found = problems_of(DEFAULT.replace(QUERY1, "      query1: https://me:hunter2@a.example"))
    assert found
    assert "hunter2" not in repr(found)


def test_the_first_key_has_to_be_set_and_a_spare_need_not_be() -> None:
    found = problems_of(DEFAULT, FRED_API_KEY="", FRED_API_KEY_SPARE=" ")
    assert [(each.line, each.severity) for each in found] == [
        (line_of(DEFAULT, FRED_PRIMARY), "error"),
        (line_of(DEFAULT, FRED_SPARE), "warning"),
    ]
    assert "`export FRED_API_KEY=...`" in found[0].cure
    assert "upstreams: simulated" in found[0].cure
    assert "`export FRED_API_KEY_SPARE=...`" in found[1].cure


def test_a_proxy_that_is_not_accepted_is_no_mistake_since_a_request_may_accept_it() -> None:
    assert problems_of(DEFAULT.replace(", coarser, proxy]", "]")) == []


def test_a_private_host_is_taken_when_the_user_allows_it() -> None:
    text = DEFAULT.replace(QUERY1, "      query1: http://10.0.0.7:8080")
    assert len(problems_of(text)) == 1
    for named in ("10.0.0.7", "10.0.0.7:8080"):
        assert problems_of(allowing(text, named)) == []
    assert problems_of(text, HEALING_UPSTREAMS="simulated") == []


def allowing(text: str, named: str) -> str:
    return text.replace("allow_private_hosts: []", f"allow_private_hosts: [{named}]")


def test_a_private_host_is_allowed_by_its_own_name_and_no_others() -> None:
    text = DEFAULT.replace(QUERY1, "      query1: http://10.0.0.7:8080")
    for named in ("10.0.0.8", "10.0.0.7:8081", "'[10.0.0.7]'", "yahoo", "query1"):
        found = problems_of(allowing(text, named))
        assert any("private network" in each.problem for each in found), named
        assert any("no host of a source" in each.problem for each in found), named
    (written,) = problems_of(text.replace("allow_private_hosts: []", "allow_private_hosts: true"))
    assert written.severity == "warning"
    assert "[localhost" in written.cure
    assert (
        len(problems_of(text.replace("allow_private_hosts: []", "allow_private_hosts: false"))) == 1
    )
    assert any("no host" in each.problem for each in problems_of(allowing(DEFAULT, "http://a")))


def test_a_private_witness_has_to_be_allowed_too() -> None:
    text = DEFAULT.replace("one.one.one.one:443", "192.168.1.1:53")
    assert "private network" in problems_of(text)[0].problem
    assert problems_of(allowing(text, "192.168.1.1:53")) == []


def test_a_line_break_inside_a_value_does_not_break_a_message() -> None:
    found = problems_of(DEFAULT.replace(QQQ, '{path: "v8\\nchart", params: {"a\\nb": "{x}"}}'))
    assert len(found) == 2
    assert all((each.problem + each.cure).isprintable() for each in found)


def test_a_word_that_yaml_takes_for_a_truth_value_stays_a_ticker() -> None:
    assert problems_of(DEFAULT.replace("{symbols: SPY}", "{symbols: ON}")) == []


def test_a_wrong_environment_variable_is_reported_where_the_file_says_it() -> None:
    (only,) = problems_of(DEFAULT, HEALING_UPSTREAMS="reel")
    assert only.line == line_of(DEFAULT, "upstreams: simulated")
    assert "unset HEALING_UPSTREAMS" in only.cure
