"""`gateway` of the configuration: generous by default, and every mistake has its line and cure."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.gateway_section import GatewaySettings
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.errors import ConfigurationError


def read(tmp_path: Path, section: str) -> GatewaySettings:
    path = tmp_path / "healing_config.yaml"
    path.write_text(f"upstreams: simulated\n{section}\n", encoding="utf-8")
    return load_settings(path, environ={}).gateway


def test_a_newcomers_file_says_the_defaults(tmp_path):
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text(), encoding="utf-8")
    assert load_settings(path, environ={}).gateway == GatewaySettings()
    assert read(tmp_path, "") == GatewaySettings()


def test_what_is_written_counts(tmp_path):
    text = "gateway: {requests_per_s: 2.5, burst: 10, proxies: [10.0.0.7, 'fd00::/8']}"
    proxies = tuple(ipaddress.ip_network(each) for each in ("10.0.0.7", "fd00::/8"))
    assert read(tmp_path, text) == GatewaySettings(2.5, 10, proxies)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("gateway: {requests_per_s: 0}", "out of range"),
        ("gateway: {burst: 0}", "out of range"),
        ("gateway: {burst: many}", "a whole number"),
        ("gateway: {proxies: nginx}", "must be a list"),
        ("gateway: {proxies: [nginx]}", "no address and no network"),
        ("gateway: {proxies: [10.0.0.7/8]}", "no address and no network"),
        ("gateway: {rate: 5}", "Unknown key `rate`"),
        ("gateway: 500", "must be a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, section, said):
    with pytest.raises(ConfigurationError, match=said) as raised:
        read(tmp_path, section)
    assert raised.value.line == 2
