"""Rows of the eight structures as a week of trouble would leave them, by seed.

Endpoints, hosts, keys, paths, intervals and labels are the default catalogue's; past its 54
endpoints the same questions are asked about more instruments. Evidence is what the classifier makes
of recorded answers of the real providers, in full length. Numbers are as finely told as the
database's own rows are. Nothing is repeated on purpose, nothing is made longer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog, Endpoint, Source
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.incidents.cause import ROOT_CAUSES
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.providers.registry import provider_names
from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.tables import Table, table_of
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
# Once each, so that a long table is about as many instruments as it says.
INSTRUMENTS = (
    "adbe amd amgn avgo axp ba bac blk brk c cat cmcsa coin cost crm csco cvx dia dis eem gild gld "
    "goog gs hd hon iwm intc isrg ko lin lly lmt low ma mcd mdt mmm mrk ms mu nflx nke now orcl "
    "pep pfe pg pld pltr pypl qcom rtx sbux slv spgi t tgt tlt tmo txn unh unp ups usb v vti vz "
    "wfc wmt"
)
MORE_SOURCES = (
    "coingecko ecb nasdaq_data_link tiingo twelve_data finnhub iex eodhd marketstack open_exchange "
    "world_bank imf binance kraken treasury_direct stooq"
)
TEAMS = ("data-platform", "quant-desk", "web")

# By failure class and source (None: any), what was seen; `{s}` is a time limit.
EVIDENCE: Mapping[str, tuple[tuple[str | None, str], ...]] = {
    "timeout": ((None, "no answer, timeout: no complete answer within {s} s"),),
    "slow": ((None, "answered after {s} s; the deadline is 3 s"),),
    "network_error": (
        (None, "no answer, connection refused"),
        (None, "no answer, connection reset after 512 bytes"),
    ),
    "rate_limit": (
        ("yahoo", "HTTP 429, Yahoo: says 'Edge: Too Many Requests'"),
        ("fred", "HTTP 429, FRED: error 429 'Too Many Requests. Exceeded Rate Limit'"),
        (
            "polygon",
            "HTTP 429, Polygon: status ERROR: \"You've exceeded the maximum requests per minute, "
            'please wait or upgrade your subscription to continue. https://massive.com/pricing"',
        ),
        (
            "alpha_vantage",
            "HTTP 200, Alpha Vantage: Note: 'Thank you for using Alpha Vantage! Our standard API "
            "call frequency is 5 calls per minute and 500 calls per day. Please visit "
            "https://www.alphavantage.co/premium/ if...",
        ),
    ),
    "quota_exhausted": (
        (
            "alpha_vantage",
            "HTTP 200, Alpha Vantage: Information: 'We have detected your API key as [redacted] "
            "and our standard API rate limit is 25 requests per day. Please subscribe to any of "
            "the premium plans at https://ww...",
        ),
    ),
    "auth_error": (
        ("yahoo", "HTTP 401, Yahoo: finance error 'Unauthorized Invalid Crumb'"),
        ("polygon", "HTTP 401, Polygon: status ERROR: 'Unknown API Key'"),
        (
            "fred",
            "HTTP 400, FRED: error 400 'Bad Request. Variable api_key is not set. Read "
            "https://fred.stlouisfed.org/docs/api/api_key.html for more information.'",
        ),
    ),
    "server_error": (
        ("fred", "HTTP 500, FRED: error 500 'Internal Server Error'"),
        ("polygon", "HTTP 504, Polygon: HTML page '504 Gateway Time-out'"),
        ("yahoo", "HTTP 500, Yahoo: HTML page 'Yahoo! - Error report / HTTP Status 500'"),
    ),
    "bot_block": (
        (
            "yahoo",
            "HTTP 999, Yahoo: HTML page 'Yahoo! - 999 Unable to process request at this time -- "
            "error 999'",
        ),
    ),
    "plan_limit": (
        (
            "polygon",
            "HTTP 403, Polygon: status NOT_AUTHORIZED: 'You are not entitled to this data. Please "
            "upgrade your plan at https://massive.com/pricing'",
        ),
    ),
    "not_found": (
        ("yahoo", "HTTP 404, Yahoo: chart error 'Not Found No data found, symbol may be delisted'"),
        ("exchange_rate", "HTTP 422, exchange rates: says 'invalid currency: ZZZ'"),
    ),
    "empty": (
        ("yahoo", "HTTP 200, Yahoo: quoteResponse with an empty result and no error"),
        ("fred", "HTTP 200, FRED: observations without an entry"),
        ("polygon", "HTTP 200, Polygon: results without an entry"),
    ),
    "invalid_data": (
        (
            "yahoo",
            "HTTP 200, Yahoo: HTML page 'Yahoo is part of the Yahoo family of brands' instead of "
            "data",
        ),
    ),
    "stale_data": ((None, "the newest number is of 2026-03-02, two sessions ago"),),
}
# How often each is met, about; the commonest first.
OFTEN = ("timeout", "rate_limit", "timeout", "rate_limit", "server_error", "network_error", "slow")
STATUS_OF = {"rate_limit": 429, "auth_error": 401, "server_error": 500, "not_found": 404}
HEALERS = ("alternate_host", "use_cached_data", "exponential_backoff_retry", "fallback_provider")

Row = Mapping[str, Any]


@dataclass
class World:
    """What rows are made of."""

    catalog: Catalog
    endpoints: list[Endpoint]
    chance: Random

    def some(self, count: int) -> Iterator[Endpoint]:
        """Different endpoints, as long as there are any."""
        order = self.chance.sample(self.endpoints, len(self.endpoints))
        return islice(cycle(order), count)

    def source_of(self, endpoint: Endpoint) -> Source:
        """Whose it is."""
        return self.catalog.sources[endpoint.source]

    def ago(self, most: timedelta) -> datetime:
        """A moment, to the microsecond as the database has it."""
        return NOW - timedelta(microseconds=self.chance.randrange(int(most.total_seconds() * 1e6)))

    def seconds(self, middle: float) -> float:
        """A time that something took: mostly short, sometimes long."""
        return round(self.chance.lognormvariate(0, 0.7) * middle, 3)

    def failure(self, source: str) -> tuple[str, str]:
        """A failure class that this source has, and its evidence."""
        classes = [*OFTEN, *EVIDENCE]
        while True:
            kind = self.chance.choice(classes)
            fitting = [text for whose, text in EVIDENCE[kind] if whose in (None, source)]
            if fitting:
                limit = self.chance.choice(("0.60", "1.00", "1.75", "2.90"))
                return kind, self.chance.choice(fitting).format(s=limit)


def world(seed: int) -> World:
    """The default catalogue, and the same questions about more instruments."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "healing_config.yaml"
        path.write_text(default_config_text(), encoding="utf-8")
        catalog = load(
            path,
            environ={"HEALING_UPSTREAMS": "simulated"},
            providers=provider_names(),
            simulated_hosts=addresses(8900),
            simulated_keys=default_keys(),
        )
    endpoints = list(catalog.endpoints.values())
    forms = [each for each in endpoints if "aapl" in each.id]
    more = [
        Endpoint(
            **{
                **{name: getattr(form, name) for name in form.__slots__},
                "id": form.id.replace("aapl", name),
                "path": form.path.replace("AAPL", name.upper()),
            }
        )
        for name in INSTRUMENTS.split()
        for form in forms
    ]
    return World(catalog, endpoints + Random(seed).sample(more, 250), Random(seed))


def sample(name: str, count: int, seed: int) -> Table:
    """A table of one of the eight structures with `count` rows, the same for the same seed."""
    structure = STRUCTURES[name]
    rows = list(islice(MAKERS[name](world(seed), count), count))
    lacking = {each.name for each in structure.columns} ^ set(rows[0])
    assert not lacking, f"{name}: the rows and the declared columns differ in {sorted(lacking)}"
    assert len({str(row) for row in rows}) == count, f"{name}: rows are repeated"
    return table_of(name, structure.columns, rows)


def _error_events(of: World, count: int) -> Iterator[Row]:
    moments = sorted((of.ago(timedelta(hours=24)) for _ in range(count)), reverse=True)
    for at in moments:
        endpoint = of.chance.choice(of.endpoints)
        source = of.source_of(endpoint)
        kind, evidence = of.failure(endpoint.source)
        silent = kind in {"timeout", "slow", "network_error"}
        seen_by = of.chance.choices(("reader", "probe", "heal"), (6, 3, 1))[0]
        yield {
            "at": at,
            "source": endpoint.source,
            "endpoint": endpoint.id,
            "failure_class": kind,
            "seen_by": seen_by,
            "host": source.hosts[0].name,
            "key": source.keys[0].name if source.keys else None,
            "status": None if silent else STATUS_OF.get(kind, 200),
            "seconds": of.seconds(0.9 if silent else 0.2),
            "healed_by": of.chance.choice(HEALERS)
            if seen_by == "reader" and of.chance.random() < 0.95
            else None,
            "evidence": evidence,
        }


def _endpoint_health(of: World, count: int) -> Iterator[Row]:
    for endpoint in of.some(count):
        probes, requests = of.chance.randint(140, 2880), of.chance.randint(0, 9000)
        failures = min(probes, int(of.chance.expovariate(0.08)))
        met = min(requests, int(of.chance.expovariate(0.02)))
        errors = min(met, int(of.chance.expovariate(1.5)))
        is_ill = of.chance.random() < 0.12
        p50 = of.seconds(0.12)
        yield {
            "source": endpoint.source,
            "endpoint": endpoint.id,
            "state": of.chance.choice(("healed", "healing", "open")) if is_ill else "healthy",
            "uptime": round(1 - failures / probes, 4),
            "error_rate": round(errors / requests, 4) if requests else None,
            "healing_rate": round((met - errors) / met, 4) if met else None,
            "probes": probes,
            "failures": failures,
            "requests": requests,
            "met_fault": met,
            "healed_requests": met - errors,
            "reader_errors": errors,
            "incidents": of.chance.randint(1, 9) if failures else 0,
            "p50_s": p50 if requests or probes else None,
            "p95_s": round(p50 * of.chance.uniform(2, 12), 3),
            "active_strategy": of.chance.choice(HEALERS) if is_ill else None,
            "fidelity_now": of.chance.choice(("exact", "stale")) if is_ill else "exact",
        }


def _healing_strategies(of: World, count: int) -> Iterator[Row]:
    classes = [str(each) for each in FailureClass if str(each) in EVIDENCE]
    sources = [*of.catalog.sources, *MORE_SOURCES.split()]
    pairs = [(source, each.name) for source in sources for each in STRATEGIES]
    of.chance.shuffle(pairs)
    for source, strategy in pairs[:count]:
        tries = int(of.chance.lognormvariate(4, 1.4)) + 1
        healed = round(tries * of.chance.betavariate(4, 1.5))
        against = of.chance.sample(classes, of.chance.randint(1, 4))
        yield {
            "source": source,
            "strategy": strategy,
            "against": "|".join(sorted(against)),
            "tries": tries,
            "healed": healed,
            "success_rate": round(healed / tries, 4),
            "exact": round(healed * of.chance.random()),
            "mean_s": of.seconds(0.4),
            "last_at": of.ago(timedelta(hours=24)),
        }


def _active_alerts(of: World, count: int) -> Iterator[Row]:
    for number in range(count):
        first = of.chance.choice(of.endpoints)
        alike = [each.id for each in of.endpoints if each.source == first.source][:30]
        told = sorted(
            {first.id, *of.chance.sample(alike, of.chance.choice((0, 0, 0, 1, 2, 4)))},
        )
        kind, _ = of.failure(first.source)
        cause = str(ROOT_CAUSES[FailureClass(kind)])
        level = of.chance.choices(("critical", "error", "warning"), (1, 4, 3))[0]
        many = f"{len(told)} endpoints" if len(told) > 1 else told[0]
        yield {
            "id": 1041 + number,
            "level": level,
            "source": first.source,
            "root_cause": cause,
            "title": f"{first.source}: {cause}, {many} not healed",
            "began_at": of.ago(timedelta(hours=30)),
            "recovered_at": of.ago(timedelta(minutes=10)) if of.chance.random() < 0.2 else None,
            "acknowledged_by": of.chance.choice(("mira", "jon")) if level != "warning" else None,
            "incidents": len(told),
            "endpoints": "|".join(told),
            "owners": "|".join(sorted(of.chance.sample(TEAMS, of.chance.randint(1, 2)))),
        }


def _fallback_chains(of: World, count: int) -> Iterator[Row]:
    made = 0
    for endpoint in of.some(count):
        source = of.source_of(endpoint)
        hosts = [each.name for each in source.hosts]
        keys = [each.name for each in source.keys]
        ways = [("plain", hosts[0], source.name, "exact")]
        ways += [("alternate_host", each, source.name, "exact") for each in hosts[1:]]
        ways += [("rotate_api_key", each, source.name, "exact") for each in keys[1:]]
        ways += [
            ("fallback_provider", each, each.split("/")[0], "exact")
            for each in endpoint.alternates.endpoints
        ]
        if endpoint.alternates.series:
            ways.append(("alternate_series", endpoint.alternates.series, source.name, "proxy"))
        if endpoint.alternates.etf:
            ways.append(("etf_proxy", endpoint.alternates.etf, source.name, "proxy"))
        ways.append(("use_cached_data", "store", source.name, "stale"))
        in_use = of.chance.randrange(len(ways)) if of.chance.random() < 0.15 else 0
        for level, (strategy, target, whose, fidelity) in enumerate(ways):
            yield {
                "endpoint": endpoint.id,
                "level": level,
                "strategy": strategy,
                "target": target,
                "source": whose,
                "fidelity": fidelity,
                "accepted": Fidelity(fidelity) in endpoint.accepts,
                "in_use": level == in_use,
            }
            made += 1
            if made == count:
                return


def _knowledge_base(of: World, count: int) -> Iterator[Row]:
    sources: list[str | None] = [None, *of.catalog.sources]
    keys = [
        (source, kind, each.name)
        for source in sources
        for kind in EVIDENCE
        for each in STRATEGIES
        if of.chance.random() < 0.5
    ]
    of.chance.shuffle(keys)
    for source, kind, strategy in keys[:count]:
        tries = int(of.chance.lognormvariate(3 if source else 5, 1.3)) + 1
        healed = round(tries * of.chance.betavariate(3, 1.5))
        yield {
            "level": "inner" if source else "outer",
            "source": source,
            "failure_class": kind,
            "strategy": strategy,
            "tries": tries,
            "healed": healed,
            "success_rate": round(healed / tries, 4),
            "mean_s": of.seconds(0.5),
            "chance": round(min(0.999, healed / tries * of.chance.uniform(0.9, 1.05)), 4),
        }


def _monitoring_targets(of: World, count: int) -> Iterator[Row]:
    for endpoint in of.some(count):
        kind, _ = of.failure(endpoint.source)
        last = of.ago(timedelta(seconds=endpoint.interval_s))
        yield {
            "source": endpoint.source,
            "endpoint": endpoint.id,
            "host": of.source_of(endpoint).hosts[0].name,
            "path": endpoint.path,
            "interval_s": float(endpoint.interval_s),
            "deadline_s": float(endpoint.deadline_s),
            "accepts": "|".join(sorted(endpoint.accepts)),
            "max_age_s": endpoint.max_age_s,
            "owner": of.chance.choice(TEAMS) if of.chance.random() < 0.5 else None,
            "last_probe_at": last,
            "last_seen": kind if of.chance.random() < 0.1 else "ok",
            "next_probe_at": last + timedelta(seconds=endpoint.interval_s),
        }


def _realtime_metrics(of: World, count: int) -> Iterator[Row]:
    sources = list(of.catalog.sources)
    for number in range(count):
        minute = NOW - timedelta(minutes=1 + number // len(sources))
        requests = of.chance.randint(0, 900)
        met = min(requests, int(of.chance.expovariate(0.15)))
        errors = min(met, int(of.chance.expovariate(2.5)))
        probes = of.chance.randint(1, 24)
        mean = of.seconds(0.1)
        yield {
            "minute": minute,
            "source": sources[number % len(sources)],
            "requests": requests,
            "reader_errors": errors,
            "met_fault": met,
            "healed_requests": met - errors,
            "mean_s": mean if requests else None,
            "p95_s": round(mean * of.chance.uniform(2, 9), 3) if requests else None,
            "probes": probes,
            "failures": min(probes, int(of.chance.expovariate(1))),
            "upstream_calls": requests + probes + met,
        }


MAKERS: Mapping[str, Callable[[World, int], Iterator[Row]]] = {
    "error_events": _error_events,
    "endpoint_health": _endpoint_health,
    "healing_strategies": _healing_strategies,
    "active_alerts": _active_alerts,
    "fallback_chains": _fallback_chains,
    "knowledge_base": _knowledge_base,
    "monitoring_targets": _monitoring_targets,
    "realtime_metrics": _realtime_metrics,
}
