"""What the page on adding a source shows reads the answer that it shows, and names every key."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from healing_pipeline.catalog.json_rules import Comparison, MomentForm
from healing_pipeline.catalog.json_schema import configuration_schema
from healing_pipeline.catalog.load import load
from healing_pipeline.probing.reading import Point
from healing_pipeline.probing.response import Response
from healing_pipeline.providers.registry import provider_names, provider_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how_to" / "add_a_source.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_answer_shown_is_read_as_the_configuration_shown_says(tmp_path):
    path = tmp_path / "healing_config.yaml"
    path.write_text(f"upstreams: real\n{blocks('yaml')[0]}")
    catalog = load(path, environ={"SHOP_KEY": "made-up"}, providers=provider_names())
    source, endpoint = catalog.sources["shop"], catalog.endpoints["shop/prices"]
    provider = provider_of(source, endpoint)
    request = provider.request(endpoint, source.hosts[0], source.keys[0], datetime.now(UTC))
    assert request.url == "https://api.shop.example/prices?days=30"
    assert request.headers["X-Api-Key"] == "made-up"
    (shown,) = blocks("json")
    _, reading = provider.examine(Response(200, {}, shown.encode()), request.line)
    march = [datetime(2026, 3, day, tzinfo=UTC) for day in (3, 4)]
    assert reading.points == (Point(march[0], "close", 9.5), Point(march[1], "close", 9.4))
    without = shown.encode().replace(b'"close": 9.5', b'"x": 1')
    verdict, _ = provider.examine(Response(200, {}, without), request.line)
    (said,) = re.findall(r"`(data\.prices\[0\]\.close is missing)`", PAGE)
    assert verdict.evidence.endswith(said)
    assert json.loads(shown)


def test_the_page_names_every_key_and_every_comparison():
    endpoint = configuration_schema()["properties"]["endpoints"]["additionalProperties"]
    for section in ("read", "expect"):
        for key in endpoint["properties"][section]["properties"]:
            assert f"`{key}`" in PAGE, f"{section}.{key}"
    assert all(str(each) in PAGE for each in [*Comparison, *MomentForm, "length:"])


def test_the_entry_point_shown_is_the_examples():
    (shown,) = blocks("toml")
    assert shown in (ROOT / "examples" / "acme_healing" / "pyproject.toml").read_text()
