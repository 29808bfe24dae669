from __future__ import annotations

from datetime import date

import pytest

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.settings import DEFAULT_LEARNING_SINCE, load_settings


@pytest.mark.parametrize(
    ("line", "since"),
    [
        ("learning: {since: 2026-02-03}", date(2026, 2, 3)),
        ('learning: {since: "2026-02-03"}', date(2026, 2, 3)),
        ("", DEFAULT_LEARNING_SINCE),
    ],
)
def test_learning_goes_back_to_the_day_that_the_configuration_says(tmp_path, line, since):
    path = tmp_path / "healing_config.yaml"
    path.write_text(default_config_text().replace("learning: {since: 2025-11-01}", line))
    assert load_settings(path, environ={}).learning_since == since
