"""What an installation needs at a size: probes, rows, cores, connections, dollars.

    python benchmarks/arithmetic.py                              # the three sizes of the page
    python benchmarks/arithmetic.py --endpoints 2000 --interval 30 --reads 10
    python benchmarks/arithmetic.py --price vcpu=30 --price ssd_gb=0.12

What one probe, one read and one row cost is measured (``results/probing.json``,
``results/gateway.json``, ``results/row_sizes.json``). How often there are such, and what a core
costs, are assumptions: `Load` and `PRICES`, and every one of them can be given.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kept_results import kept

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "arithmetic.md"
BEGIN, END = "<!-- written by make claims: begin -->", "<!-- written by make claims: end -->"
SIZES = (50, 5_000, 500_000)

# Dollars a month, by the order of a large cloud's list prices on demand; assumptions, no offer.
PRICES_OF = "November 2026"
PRICES = {"vcpu": 25.0, "memory_gb": 3.5, "ssd_gb": 0.10, "database_factor": 2.0}

A_DAY_S = 86_400
# No process is planned for more of a core, no disk for more of its room.
FULLEST, FULLEST_DISK = 0.6, 0.7
# Tables that are pruned each night are so much larger than new ones (the trial of thirty days).
ROOM_OF_PRUNED = 1.35
# Endpoints of a sensor, `sharding: endpoints_per_sensor`; threads of a code server beside sensors.
PER_SENSOR, OTHER_THREADS = 500, 18
# A process of Dagster's keeps four connections to its tables, our pool eight at most.
OF_A_CODE_SERVER, OF_A_DAEMON, OF_A_PAGE, OF_A_RUN, OF_ALERTS = 14, 10, 4, 4, 6
# Two of the memory, one that listens, one that stores, two of limits, three of the pages.
OF_A_GATEWAY = 9
MOST_RUNS = 24
MEMORY_GB = {"gateway": 0.5, "code server": 1.0, "daemon": 0.5, "page": 0.5, "alerts": 0.3}
# From here on one PostgreSQL is not what we would trust: half of 16 cores, and 4 TB to restore.
MOST_SERVER_CORES, MOST_SERVER_TB = 8.0, 4.0


@dataclass(frozen=True, slots=True)
class Units:
    """What was measured."""

    probe_us: float
    probe_server_us: float
    read_us: float
    read_server_us: float
    probe_bytes: float
    read_bytes: float
    endpoint_bytes: float


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of an installation.

    Attributes
    ----------
    interval_s : float
        Between two probes of an endpoint.
    reads_per_minute : float
        Of one endpoint, all readers together.
    faults_per_day : float
        Incidents of one endpoint.
    kept_days : float
        `retention: detail`.
    """

    endpoints: int
    interval_s: float = 60.0
    reads_per_minute: float = 1.0
    faults_per_day: float = 0.5
    kept_days: float = 35.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What comes of it."""

    probes_per_s: float
    reads_per_s: float
    heals_per_hour: float
    events_per_day: float
    rows_per_day: float
    gb_per_day: float
    stored_gb: float
    probe_cores: float
    read_cores: float
    server_cores: float
    gateways: int
    sensors: int
    code_servers: int
    connections: int
    dollars: float
    fits_one_server: bool


def units() -> Units | None:
    """The measured figures; None while one is missing."""
    probing, gateway, rows = (kept(name) for name in ("probing", "gateway", "row_sizes"))
    if probing is None or gateway is None or rows is None:
        return None
    cpu, sizes = probing["figures"]["cpu"], rows["figures"]
    slowest = min(each["healing"]["per_cpu_s"] for each in gateway["figures"].values())
    return Units(
        probe_us=cpu["cpu_us_per_probe"],
        probe_server_us=cpu["postgresql_cpu_us_per_probe"],
        read_us=1e6 / slowest,
        read_server_us=sizes["reads"]["postgresql_cpu_us_per_read"],
        probe_bytes=sizes["probes"]["bytes_per_probe"],
        read_bytes=sizes["reads"]["bytes_per_read"],
        endpoint_bytes=sizes["probes"]["bytes_per_endpoint"],
    )


def needs(load: Load, unit: Units, prices: Mapping[str, float]) -> Needs:
    """What `load` needs.

    Notes
    -----
    Cores are of one kind: those that the units were measured on. Faults are taken to be spread over
    the day; a provider that fails takes its endpoints at once, and its heals queue.
    """
    probes_per_s = load.endpoints / load.interval_s
    reads_per_s = load.endpoints * load.reads_per_minute / 60.0
    faults_per_day = load.endpoints * load.faults_per_day
    # A probe is a row; a read is an attempt and an answer; a fault is four steps of an incident, a
    # diagnosis, a route and three attempts.
    rows_per_day = A_DAY_S * (probes_per_s + 2 * reads_per_s) + 9 * faults_per_day
    bytes_per_day = A_DAY_S * (
        probes_per_s * unit.probe_bytes + reads_per_s * unit.read_bytes
    ) + faults_per_day * 4 * (unit.probe_bytes + unit.read_bytes)
    stored = ROOM_OF_PRUNED * (
        bytes_per_day * load.kept_days + load.endpoints * unit.endpoint_bytes
    )
    probe_cores = probes_per_s * unit.probe_us / 1e6
    read_cores = reads_per_s * unit.read_us / 1e6
    server_cores = (probes_per_s * unit.probe_server_us + reads_per_s * unit.read_server_us) / 1e6
    gateways = max(2, math.ceil(read_cores / FULLEST))
    sensors = max(5, math.ceil(load.endpoints / PER_SENSOR))
    # Python uses one core of a process: that, or its threads, is what a code server ends at.
    code_servers = max(1, math.ceil(probe_cores / FULLEST), math.ceil(sensors / 200))
    connections = (
        gateways * OF_A_GATEWAY
        + code_servers * (OF_A_CODE_SERVER + OF_A_DAEMON)
        + OF_A_PAGE
        + OF_ALERTS
        + MOST_RUNS * OF_A_RUN
    )
    gb = stored / 1e9
    return Needs(
        probes_per_s=probes_per_s,
        reads_per_s=reads_per_s,
        heals_per_hour=faults_per_day / 24,
        events_per_day=4 * faults_per_day,
        rows_per_day=rows_per_day,
        gb_per_day=bytes_per_day / 1e9,
        stored_gb=gb,
        probe_cores=probe_cores,
        read_cores=read_cores,
        server_cores=server_cores,
        gateways=gateways,
        sensors=sensors,
        code_servers=code_servers,
        connections=connections,
        dollars=_dollars(gateways, code_servers, server_cores, gb, prices),
        fits_one_server=server_cores <= MOST_SERVER_CORES and gb / 1000 <= MOST_SERVER_TB,
    )


def _dollars(
    gateways: int, code_servers: int, server_cores: float, gb: float, prices: Mapping[str, float]
) -> float:
    processes = {
        "gateway": gateways,
        "code server": code_servers,
        "daemon": code_servers,
        "page": 1,
        "alerts": 1,
    }
    # A gateway and a code server are given a core each, the others a quarter; a run's pod is not
    # there for long enough to count.
    cores = gateways + code_servers + 0.25 * (code_servers + 2)
    memory = sum(count * MEMORY_GB[name] for name, count in processes.items())
    database_cores = max(2, math.ceil(server_cores / FULLEST))
    database = database_cores * prices["vcpu"] + 4 * database_cores * prices["memory_gb"]
    # A standby costs the same again: the factor.
    database += gb / FULLEST_DISK * prices["ssd_gb"]
    return (
        cores * prices["vcpu"] + memory * prices["memory_gb"] + prices["database_factor"] * database
    )


def shown(value: float) -> str:
    """A figure as fine as it means something."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.2g}"


ROWS: tuple[tuple[str, str], ...] = (
    ("probes per second", "probes_per_s"),
    ("reads per second", "reads_per_s"),
    ("heal runs per hour", "heals_per_hour"),
    ("incident events per day", "events_per_day"),
    ("rows per day", "rows_per_day"),
    ("GB per day", "gb_per_day"),
    ("GB kept", "stored_gb"),
    ("cores that probe", "probe_cores"),
    ("cores that serve reads", "read_cores"),
    ("cores of PostgreSQL, without replication and vacuum", "server_cores"),
    ("gateways", "gateways"),
    ("sensors", "sensors"),
    ("code servers, each with its daemon", "code_servers"),
    ("connections to PostgreSQL, at most", "connections"),
    ("dollars a month", "dollars"),
)


def table(loads: Sequence[Load], unit: Units, prices: Mapping[str, float]) -> list[str]:
    """A column for each load."""
    found = [needs(each, unit, prices) for each in loads]
    lines = [
        f"| endpoints | {' | '.join(f'{each.endpoints:,}' for each in loads)} |",
        f"| --- |{' ---: |' * len(loads)}",
    ]
    for said, name in ROWS:
        cells = []
        for each in found:
            value = getattr(each, name)
            cells.append(f"{value:,}" if isinstance(value, int) else shown(value))
        lines.append(f"| {said} | {' | '.join(cells)} |")
    fits = ["yes" if each.fits_one_server else "no" for each in found]
    lines.append(f"| one PostgreSQL bears it | {' | '.join(fits)} |")
    return lines


def most_endpoints(load: Load, unit: Units, prices: Mapping[str, float], fits: str) -> int:
    """The largest round number of endpoints at which something still holds."""
    low, high = 1, 100_000_000
    while high - low > max(1, low // 100):
        middle = (low + high) // 2
        found = needs(replace(load, endpoints=middle), unit, prices)
        holds = found.fits_one_server if fits == "server" else found.code_servers == 1
        low, high = (middle, high) if holds else (low, middle)
    return int(float(f"{low:.2g}"))


def written() -> str:
    """What stands between the marks of the page."""
    unit = units()
    if unit is None:
        return "Not measured yet: `make claims` does."
    load = Load(0)
    loads = [replace(load, endpoints=each) for each in SIZES]
    few_days = replace(load, kept_days=4.0)
    measured = (
        ("a probe, until it is stored", f"{unit.probe_us:,.0f} µs of CPU", "probing"),
        ("the same in PostgreSQL", f"{unit.probe_server_us:,.0f} µs of CPU", "probing"),
        ("a read through a gateway, the slowest kind", f"{unit.read_us:,.0f} µs of CPU", "gateway"),
        ("the same in PostgreSQL", f"{unit.read_server_us:,.0f} µs of CPU", "row_sizes"),
        ("a probe's row with its indexes", f"{unit.probe_bytes:,.0f} bytes", "row_sizes"),
        ("a read's rows with theirs", f"{unit.read_bytes:,.0f} bytes", "row_sizes"),
        ("an endpoint's stored answer", f"{unit.endpoint_bytes:,.0f} bytes", "row_sizes"),
    )
    one = most_endpoints(load, unit, PRICES, "server")
    one_of_few = most_endpoints(few_days, unit, PRICES, "server")
    code = most_endpoints(load, unit, PRICES, "code server")
    return "\n".join(
        [
            "## What was measured",
            "",
            "| | | `benchmarks/results/` |",
            "| --- | ---: | --- |",
            *(f"| {what} | {figure} | `{name}.json` |" for what, figure, name in measured),
            "",
            "## What is assumed",
            "",
            f"A probe of each endpoint every {load.interval_s:g} s, {load.reads_per_minute:g} read "
            f"a minute of each, {load.faults_per_day:g} incidents a day of each, spread over the "
            f"day, detail kept for {load.kept_days:g} days. Dollars a month as of {PRICES_OF}: "
            f"{PRICES['vcpu']:g} for a core, {PRICES['memory_gb']:g} for a GB of memory, "
            f"{PRICES['ssd_gb']:g} for a GB of disk, and PostgreSQL times "
            f"{PRICES['database_factor']:g}, for its standby. They are assumptions, not an offer; "
            "traffic, backups and the providers' own fees are not in them.",
            "",
            "## What comes of it",
            "",
            *table(loads, unit, PRICES),
            "",
            "## Where one of a kind ends",
            "",
            f"- **One code server** ends at about {code:,} endpoints: Python uses one core of a "
            f"process, and it is planned for {FULLEST:.0%} of it.",
            f"- **One PostgreSQL** ends at about {one:,} endpoints, by "
            f"{MOST_SERVER_TB:g} TB to keep and restore or {MOST_SERVER_CORES:g} busy cores; with "
            f"`retention: {{detail: 4}}` at about {one_of_few:,}.",
        ]
    )


def write(page: Path = PAGE) -> None:
    """Write the page anew, what people wrote around it excepted."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{written()}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Print the table of the sizes asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--endpoints", type=int, action="append", help="again for more columns")
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between probes")
    parser.add_argument("--reads", type=float, default=1.0, help="per endpoint and minute")
    parser.add_argument("--faults", type=float, default=0.5, help="per endpoint and day")
    parser.add_argument("--days", type=float, default=35.0, help="that detail is kept")
    parser.add_argument("--price", action="append", default=[], metavar="NAME=DOLLARS")
    asked = parser.parse_args()
    unit = units()
    if unit is None:
        parser.exit(1, "Not measured yet: make claims ONLY='probing gateway row_sizes'\n")
    prices: dict[str, Any] = dict(PRICES)
    for each in asked.price:
        name, _, value = each.partition("=")
        if name not in prices:
            parser.error(f"{name} is no price; there are {', '.join(prices)}")
        prices[name] = float(value)
    given = (asked.interval, asked.reads, asked.faults, asked.days)
    names = [each.name for each in fields(Load)][1:]
    load = Load(0, **dict(zip(names, given, strict=True)))
    loads = [replace(load, endpoints=each) for each in asked.endpoints or SIZES]
    print("\n".join(table(loads, unit, prices)))


if __name__ == "__main__":
    main()
