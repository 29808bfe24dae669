"""Whatever the text, the catalog answers with problems, and raises nothing but its own error."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import check, load
from healing_pipeline.catalog.urls import is_private, url_mistake
from healing_pipeline.errors import ConfigurationError

PROVIDERS = frozenset({"yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate"})
DEFAULT = default_config_text()
KEYS = [
    "upstreams", "simulator", "port", "sources", "endpoints", "provider", "hosts", "keys", "env",
    "quota", "per_day", "probe_share", "yahoo", "fred", "yahoo/a", "fred/b", "path", "params",
    "interval_s", "deadline_s", "accepts", "max_age_s", "calendar", "alternates", "series", "owner",
    "allow_private_hosts", "learning", "since",
]  # fmt: skip

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
)
trees = st.recursive(
    scalars | st.sampled_from(["real", "/a", "https://a.example", "yahoo/a", "exact", "{today}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)
noise = st.text(max_size=6) | st.sampled_from([*"{}[],:*&!|>'\"%@`#\t\n- ", "<<: ", "---\n", "\r"])


@st.composite
def mutated_defaults(draw: st.DrawFn) -> str:
    """The default document with a few spans cut out, overwritten or swapped."""
    text = DEFAULT
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 40))
        text = text[:begin] + draw(noise) + text[begin + length :]
    return text


def assert_judged(text: str, mode: str) -> None:
    """`check` lists what is wrong on lines that exist, and `load` raises exactly for its errors."""
    environ = {"HEALING_UPSTREAMS": mode, "FRED_API_KEY": "made-up"}
    hosts, keys = {("yahoo", "query1"): "http://127.0.0.1:1"}, {("fred", "primary"): "made-up"}
    found = check(
        text,
        path=Path("healing_config.yaml"),
        environ=environ,
        providers=PROVIDERS,
        simulated_hosts=hosts,
        simulated_keys=keys,
    )
    last = len(text.splitlines()) + 1
    for each in found:
        assert 1 <= each.line <= last
        assert each.problem.isprintable()
        assert each.cure
        assert each.cure.isprintable()
    errors = [each for each in found if each.severity == "error"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healing_config.yaml"
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except UnicodeEncodeError:
            return  # a lone surrogate is no file
        loading = partial(
            load,
            path,
            environ=environ,
            providers=PROVIDERS,
            simulated_hosts=hosts,
            simulated_keys=keys,
        )
        if not errors:
            assert loading().endpoints
            return
        with pytest.raises(ConfigurationError) as caught:
            loading()
        assert (caught.value.line, caught.value.problem) == (errors[0].line, errors[0].problem)
        assert caught.value.cure


@given(text=st.text(max_size=200), mode=st.sampled_from(["real", "simulated", ""]))
def test_any_text_is_judged(text: str, mode: str) -> None:
    assert_judged(text, mode)


@given(tree=trees, mode=st.sampled_from(["real", "simulated", ""]), flow=st.booleans())
def test_any_tree_is_judged(tree: object, mode: str, flow: bool) -> None:
    assert_judged(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True), mode)


@settings(max_examples=60, deadline=None)
@given(text=mutated_defaults(), mode=st.sampled_from(["real", "simulated"]))
def test_any_mutation_of_the_default_is_judged(text: str, mode: str) -> None:
    assert_judged(text, mode)


@given(value=st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_an_interval_is_taken_exactly_when_it_is_within_its_range(value: float) -> None:
    text = DEFAULT.replace("interval_s: 30,", f"interval_s: {value},", 1)
    found = check(text, path=Path("x"), environ={}, providers=PROVIDERS)
    assert (found == []) == (30 <= value <= 600 and "e" not in str(value))


@given(address=st.ip_addresses())
def test_an_address_is_private_exactly_when_it_does_not_lead_out(address: object) -> None:
    url = f"http://[{address}]" if ":" in str(address) else f"http://{address}"
    assert url_mistake(url) is None
    if not address.is_global:  # type: ignore[attr-defined]
        assert is_private(url)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST.", "db.internal", "printer.local", "intranet", "a.localhost",
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[ff02::1]", "[fd00:ec2::254]",
        "[64:ff9b:1::a00:1]", "[::7f00:1]", "[fec0::1]", "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]", "[2001:0:7f00:1::]", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_a_way_into_our_own_network_is_private(host: str) -> None:
    assert url_mistake(f"https://{host}") is None
    assert is_private(f"https://{host}")


@pytest.mark.parametrize(
    "host",
    [
        "api.stlouisfed.org",
        "8.8.8.8",
        "[2606:4700::1111]",
        "[::ffff:8.8.8.8]",
        "a.example:8443",
        "xn--bcher.ch",
    ],
)
def test_a_public_host_is_not_private(host: str) -> None:
    assert url_mistake(f"https://{host}") is None
    assert not is_private(f"https://{host}")


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127\u30020\u30020\u30021",
        "a..b",
        "-a.b",
        "a:0",
        "[a]",
    ],
)
def test_a_host_that_resolvers_read_in_their_own_way_is_refused(host: str) -> None:
    assert url_mistake(f"http://{host}") is not None
