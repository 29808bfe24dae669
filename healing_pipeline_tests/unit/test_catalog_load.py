"""A configuration becomes the values it says, real or simulated; or one error with its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.settings import DEFAULT_WITNESSES, Settings, load_settings
from healing_pipeline.catalog.values import (
    Alternates,
    ApiKey,
    Catalog,
    Endpoint,
    Host,
    Quota,
    Upstreams,
)
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity

TEXT = """\
upstreams: real
simulator: {port: 9100}
sources:
  fred:
    hosts: {api: "https://api.stlouisfed.org", spare: "https://fred.example"}
    keys:
      primary: {env: FRED_API_KEY}
      second: {env: FRED_API_KEY_2}
      third: {env: FRED_API_KEY_3}
    quota: {per_minute: 120, per_day: 1000}
  mine:
    provider: fred
    hosts: {www: "https://data.example:8443"}
    probe_share: 0
endpoints:
  fred/dgs10:
    path: /fred/series/observations
    params: {series_id: DGS10, limit: 100, since: "{today-30d}", real: true}
    interval_s: 45.5
    deadline_s: 2
    accepts: [exact, proxy]
    max_age_s: 900
    alternates: {series: GS10, etf: XLK, endpoints: [mine/plain]}
    owner: desk@example.com
  mine/plain: {path: "/a/{today}"}
"""
ENVIRON = {"FRED_API_KEY": "one", "FRED_API_KEY_3": " three\n"}
HOSTS = {
    ("fred", "api"): "http://127.0.0.1:9100",
    ("fred", "spare"): "http://127.0.0.1:9101",
    ("mine", "www"): "http://127.0.0.1:9102",
}
KEYS = {
    ("fred", "primary"): "sim-1",
    ("fred", "second"): "sim-2",
    ("fred", "third"): "sim-3",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "healing_config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def loaded(path: Path, **environ: str) -> Catalog:
    return load(
        path,
        environ={**ENVIRON, **environ},
        providers={"fred"},
        simulated_hosts=HOSTS,
        simulated_keys=KEYS,
    )


def test_an_endpoint_is_what_its_line_says(config: Path) -> None:
    catalog = loaded(config)
    assert list(catalog.endpoints) == ["fred/dgs10", "mine/plain"]
    assert catalog.endpoints["fred/dgs10"] == Endpoint(
        id="fred/dgs10",
        source="fred",
        path="/fred/series/observations",
        params={"series_id": "DGS10", "limit": "100", "since": "{today-30d}", "real": "true"},
        interval_s=45.5,
        deadline_s=2.0,
        accepts=frozenset({Fidelity.EXACT, Fidelity.PROXY}),
        max_age_s=900.0,
        alternates=Alternates(series="GS10", etf="XLK", endpoints=("mine/plain",)),
        owner="desk@example.com",
    )


def test_what_is_left_out_has_its_default(config: Path) -> None:
    catalog = loaded(config)
    assert catalog.endpoints["mine/plain"] == Endpoint("mine/plain", "mine", "/a/{today}")
    assert catalog.endpoints["mine/plain"].accepts == DEFAULT_ACCEPTS
    assert catalog.sources["fred"].provider == "fred"
    assert catalog.sources["fred"].probe_share == 0.2
    assert catalog.sources["mine"].quota == Quota()
    assert catalog.sources["mine"].keys == ()
    assert catalog.sources["mine"].probe_share == 0


def with_calendars(config: Path, source: str, endpoint: str) -> Path:
    text = TEXT.replace("  mine:\n", f"  mine:\n    calendar: {source}\n")
    text += f"  mine/other: {{path: /b, calendar: {endpoint}}}\n"
    config.write_text(text, encoding="utf-8")
    return config


def test_an_endpoint_has_its_sources_calendar_or_its_own_or_none(config: Path) -> None:
    catalog = loaded(with_calendars(config, "XNYS", "fx"))
    assert catalog.sources["mine"].calendar is Calendar.XNYS
    assert catalog.endpoints["mine/plain"].calendar is Calendar.XNYS
    assert catalog.endpoints["mine/other"].calendar is Calendar.FX
    assert catalog.endpoints["fred/dgs10"].calendar is None
    assert loaded(with_calendars(config, "XNYS", "none")).endpoints["mine/other"].calendar is None


def test_witnesses_of_our_connection_are_three_operators_those_written_or_none(
    config: Path,
) -> None:
    assert loaded(config).witnesses == DEFAULT_WITNESSES
    assert len({each.partition(":")[0] for each in DEFAULT_WITNESSES}) == 3
    config.write_text(f'witnesses: ["gate.test:8443"]\n{TEXT}', encoding="utf-8")
    assert loaded(config).witnesses == ("gate.test:8443",)
    config.write_text(f"witnesses: []\n{TEXT}", encoding="utf-8")
    assert loaded(config).witnesses == ()


def test_the_status_page_is_for_everybody_only_where_the_file_says_so(config: Path) -> None:
    assert not load_settings(config, environ={}).public_status
    config.write_text(f"dashboard: {{public: true}}\n{TEXT}", encoding="utf-8")
    assert load_settings(config, environ={}).public_status
    config.write_text(f"dashboard: {{public: yes}}\n{TEXT}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r":1: `public`.*Write `public: true`"):
        load_settings(config, environ={})


def test_the_simulated_market_never_closes(config: Path) -> None:
    path = with_calendars(config, "XNYS", "none")
    catalog = loaded(path, HEALING_UPSTREAMS="simulated")
    assert catalog.sources["mine"].calendar is Calendar.ALWAYS
    assert catalog.endpoints["mine/plain"].calendar is Calendar.ALWAYS
    assert catalog.endpoints["mine/other"].calendar is None
    assert catalog.endpoints["fred/dgs10"].calendar is None


def test_real_upstreams_have_their_own_hosts_and_the_keys_that_are_set(config: Path) -> None:
    fred = loaded(config).sources["fred"]
    assert fred.hosts == (
        Host("api", "https://api.stlouisfed.org"),
        Host("spare", "https://fred.example"),
    )
    assert fred.keys == (
        ApiKey("primary", "FRED_API_KEY", "one"),
        ApiKey("third", "FRED_API_KEY_3", "three"),
    )
    assert fred.quota == Quota(per_minute=120, per_day=1000)


def test_simulated_upstreams_hold_no_real_address_and_no_real_secret(config: Path) -> None:
    catalog = loaded(config, HEALING_UPSTREAMS="simulated")
    assert catalog.upstreams is Upstreams.SIMULATED
    hosts = {(s.name, h.name): h.base_url for s in catalog.sources.values() for h in s.hosts}
    keys = {(s.name, k.name): k.secret for s in catalog.sources.values() for k in s.keys}
    assert hosts == HOSTS
    assert keys == KEYS


def test_the_environment_overrides_the_file_both_ways(config: Path) -> None:
    config.write_text(TEXT.replace("upstreams: real", "upstreams: simulated"), encoding="utf-8")
    assert loaded(config).upstreams is Upstreams.SIMULATED
    assert loaded(config, HEALING_UPSTREAMS="real").upstreams is Upstreams.REAL


def test_a_source_the_simulator_does_not_know_stops_a_simulated_load(config: Path) -> None:
    hosts = {where: url for where, url in HOSTS.items() if where[0] != "mine"}
    with pytest.raises(ConfigurationError, match="no host `www` for source `mine`") as caught:
        load(
            config,
            environ={"HEALING_UPSTREAMS": "simulated"},
            providers={"fred"},
            simulated_hosts=hosts,
            simulated_keys=KEYS,
        )
    assert caught.value.line == 13
    assert "upstreams: real" in caught.value.cure


def test_a_simulated_load_without_addresses_never_falls_back_to_real_ones(config: Path) -> None:
    with pytest.raises(ConfigurationError, match="were not given") as caught:
        load(config, environ={"HEALING_UPSTREAMS": "simulated"}, providers={"fred"})
    assert "simulated_hosts" in caught.value.cure


def test_the_values_cannot_be_changed_and_do_not_show_secrets(config: Path) -> None:
    catalog = loaded(config)
    with pytest.raises(TypeError):
        catalog.sources["x"] = catalog.sources["fred"]  # type: ignore[index]
    with pytest.raises(TypeError):
        catalog.endpoints["fred/dgs10"].params["limit"] = "1"  # type: ignore[index]
    assert "three" not in repr(catalog)


def test_the_first_error_is_raised_with_its_place_and_the_number_of_others(config: Path) -> None:
    text = TEXT.replace("45.5", "5").replace("deadline_s: 2", "deadline_s: 200")
    config.write_text(text.replace("proxy]", "prox]"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        loaded(config)
    assert (caught.value.path, caught.value.line) == (config, 19)
    assert str(caught.value).startswith(f"{config}:19: `interval_s`")
    assert str(caught.value).endswith(f"(2 more: run `healing check -c {config}`.)")


def test_a_missing_file_is_cured_by_init(tmp_path: Path) -> None:
    for read in (loaded, lambda path: load_settings(path, environ={})):
        with pytest.raises(ConfigurationError, match="healing init") as caught:
            read(tmp_path / "none.yaml")
        assert caught.value.path == tmp_path / "none.yaml"


def test_a_folder_and_a_file_of_another_encoding_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        loaded(tmp_path)
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"upstreams: real\n# caf\xe9\n")
    with pytest.raises(ConfigurationError, match="UTF-8") as caught:
        loaded(path)
    assert caught.value.line == 2


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(config: Path) -> None:
    config.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert list(loaded(config).endpoints) == ["fred/dgs10", "mine/plain"]
    config.write_bytes(TEXT.replace("\n", "\r\n").replace("45.5", "5").encode())
    with pytest.raises(ConfigurationError) as caught:
        loaded(config)
    assert caught.value.line == 19


def test_settings_are_read_before_and_without_the_sources(config: Path) -> None:
    broken = TEXT.replace("per_minute: 120", "per_minute: many")
    config.write_text(broken, encoding="utf-8")
    assert load_settings(config, environ={}) == Settings(Upstreams.REAL, 9100)
    assert load_settings(config, environ={"HEALING_UPSTREAMS": "simulated"}) == Settings(
        Upstreams.SIMULATED, 9100
    )


def test_settings_that_are_wrong_stop_with_their_line(config: Path) -> None:
    config.write_text(TEXT.replace("9100", "80"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="out of range") as caught:
        load_settings(config, environ={})
    assert caught.value.line == 2


def test_a_switch_for_all_lets_in_only_the_hosts_that_are_written_as_private(config: Path) -> None:
    text = TEXT.replace("https://data.example:8443", "http://[fd00::7]:8443")
    config.write_text(f"allow_private_hosts: true\n{text}", encoding="utf-8")
    catalog = loaded(config)
    assert catalog.private_hosts == {("fd00::7", 8443)}
