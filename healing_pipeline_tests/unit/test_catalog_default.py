"""The default configuration is complete, checks clean in both modes, and is what the file holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from healing_pipeline.catalog.default import default_config_text, write_default
from healing_pipeline.catalog.load import check, load
from healing_pipeline.catalog.market_hours import Calendar
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.catalog.values import Catalog, Quota, Upstreams
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import Fidelity

IN_REPOSITORY = Path(__file__).parents[2] / "config" / "healing_config.yaml"
HOSTS_OF = {
    "yahoo": ("query1", "query2"),
    "fred": ("api",),
    "polygon": ("polygon", "massive"),
    "alpha_vantage": ("www",),
    "exchange_rate": ("v6", "open"),
}
WITH_KEYS = tuple(name for name in HOSTS_OF if name != "yahoo")
SIMULATED_HOSTS = {
    (source, host): f"http://127.0.0.1:1/{source}/{host}"
    for source, hosts in HOSTS_OF.items()
    for host in hosts
}
SIMULATED_KEYS = {
    (source, key): f"{source}-{key}" for source in WITH_KEYS for key in ("primary", "spare")
}
KEYS_SET = {
    f"{source.upper()}_API_KEY{spare}": "made-up"
    for source in WITH_KEYS
    for spare in ("", "_SPARE")
}
REAL = {"HEALING_UPSTREAMS": "real", **KEYS_SET}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    path = tmp_path_factory.mktemp("default") / "healing_config.yaml"
    write_default(path)
    return load(path, environ=REAL, providers=HOSTS_OF)


def test_shares_currencies_and_rates_have_the_calendar_of_their_market(real: Catalog) -> None:
    named = {each: endpoint.calendar for each, endpoint in real.endpoints.items()}
    assert named["yahoo/quote-aapl"] is Calendar.XNYS
    assert named["polygon/aggs-spy-5m"] is Calendar.XNYS
    assert named["alpha_vantage/daily-ibm"] is Calendar.XNYS
    assert named["fred/dgs10"] is Calendar.US_BUSINESS
    assert named["fred/gdp"] is None
    assert named["exchange_rate/latest-usd"] is Calendar.ALWAYS
    currencies = {each for each, calendar in named.items() if calendar is Calendar.FX}
    assert currencies == {
        "yahoo/chart-eurusd-1d",
        "alpha_vantage/fx-daily-eurusd",
        "alpha_vantage/rate-usd-eur",
        "alpha_vantage/rate-gbp-usd",
    }


def test_the_repository_holds_exactly_the_default() -> None:
    assert IN_REPOSITORY.read_text(encoding="utf-8") == default_config_text()


@pytest.mark.parametrize("environ", [{}, REAL], ids=["simulated", "real"])
def test_the_default_checks_clean_in_both_modes(environ: dict[str, str]) -> None:
    found = check(
        default_config_text(),
        path=IN_REPOSITORY,
        environ=environ,
        providers=HOSTS_OF,
        simulated_hosts=SIMULATED_HOSTS,
        simulated_keys=SIMULATED_KEYS,
    )
    assert found == []


def test_a_newcomer_without_keys_can_load_it() -> None:
    catalog = load(
        IN_REPOSITORY,
        environ={},
        providers=HOSTS_OF,
        simulated_hosts=SIMULATED_HOSTS,
        simulated_keys=SIMULATED_KEYS,
    )
    assert catalog.upstreams is Upstreams.SIMULATED
    assert load_settings(IN_REPOSITORY, environ={}).simulator_port == 8900
    assert all(
        host.base_url.startswith("http://127.0.0.1:1/")
        for source in catalog.sources.values()
        for host in source.hosts
    )


def test_it_watches_over_fifty_endpoints_of_five_sources(real: Catalog) -> None:
    assert {name: tuple(h.name for h in s.hosts) for name, s in real.sources.items()} == HOSTS_OF
    counts = Counter(each.source for each in real.endpoints.values())
    assert counts.total() >= 52
    least = {"yahoo": 20, "fred": 12, "polygon": 9, "alpha_vantage": 6, "exchange_rate": 6}
    assert all(counts[source] >= number for source, number in least.items())


def test_quotas_are_the_free_plans(real: Catalog) -> None:
    assert {name: each.quota for name, each in real.sources.items()} == {
        "yahoo": Quota(per_minute=60),
        "fred": Quota(per_minute=120),
        "polygon": Quota(per_minute=5),
        "alpha_vantage": Quota(per_minute=5, per_day=25),
        "exchange_rate": Quota(per_month=1500),
    }


@pytest.mark.parametrize("source", ["yahoo", "fred", "polygon"])
def test_the_probes_of_a_source_fit_its_share_of_the_quota(real: Catalog, source: str) -> None:
    # the other two have quotas too small for any interval up to 600 s
    per_minute = sum(60 / each.interval_s for each in real.endpoints_of(source))
    quota = real.sources[source].quota.per_minute
    assert quota is not None
    pool = max(1, len(real.sources[source].keys))
    assert per_minute <= quota * pool * real.sources[source].probe_share


def test_every_reference_leads_to_something(real: Catalog) -> None:
    for endpoint in real.endpoints.values():
        assert endpoint.source in real.sources
        assert endpoint.id.startswith(f"{endpoint.source}/")
        assert set(endpoint.alternates.endpoints) <= set(real.endpoints) - {endpoint.id}


def test_a_proxy_is_named_exactly_where_one_is_accepted(real: Catalog) -> None:
    for endpoint in real.endpoints.values():
        has_proxy = bool(endpoint.alternates.etf or endpoint.alternates.series)
        assert has_proxy == (Fidelity.PROXY in endpoint.accepts)


def test_the_designs_own_examples_are_in_it(real: Catalog) -> None:
    assert real.endpoints["yahoo/chart-aapl-1d"].alternates.etf == "XLK"
    assert real.endpoints["fred/dgs10"].alternates.series == "GS10"
    polygon = real.endpoints["polygon/aggs-aapl-1d"]
    assert polygon.path == "/v2/aggs/ticker/AAPL/range/1/day/{today-90d}/{today}"
    assert polygon.alternates.endpoints == ("yahoo/chart-aapl-1d",)
    ibm = real.endpoints["alpha_vantage/daily-ibm"]
    assert ibm.alternates.endpoints == ("yahoo/chart-ibm-1d",)
    assert real.endpoints["yahoo/chart-gspc-1d"].path == "/v8/finance/chart/^GSPC"
    assert real.endpoints["yahoo/quote-tech"].params == {"symbols": "AAPL,MSFT,GOOGL,AMZN,NVDA"}


def test_it_is_written_with_its_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "healing_config.yaml"
    write_default(path)
    assert path.read_bytes().decode() == default_config_text()
    assert list(path.parent.iterdir()) == [path]


def test_a_users_file_is_overwritten_by_force_only(tmp_path: Path) -> None:
    path = tmp_path / "healing_config.yaml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="--force") as caught:
        write_default(path)
    assert caught.value.path == path
    assert path.read_text(encoding="utf-8") == "mine"
    write_default(path, force=True)
    assert path.read_text(encoding="utf-8") == default_config_text()


def test_a_write_that_fails_halfway_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "healing_config.yaml"
    path.write_text("mine", encoding="utf-8")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(ConfigurationError, match="No space left"):
        write_default(path, force=True)
    assert path.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_default(tmp_path / "file" / "healing_config.yaml")
    with pytest.raises(ConfigurationError, match="folder"):
        write_default(tmp_path, force=True)
