"""Importing the client costs somebody else's program next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import healing_pipeline

HEAVY = ("dagster", "pandas", "numpy", "psycopg", "psycopg_pool", "aiohttp", "uvicorn", "starlette")


def test_importing_the_client_loads_neither_dagster_nor_pandas_nor_a_database_driver():
    program = (
        "import sys\n"
        "from healing_pipeline import Answer, AsyncHealingClient, HealingClient, HealingFailed\n"
        f"print([each for each in {HEAVY!r} if each in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_every_name_that_is_offered_is_there_and_no_other():
    for name in healing_pipeline.__all__:
        assert getattr(healing_pipeline, name) is not None
        assert name in dir(healing_pipeline)
    with pytest.raises(AttributeError, match="no attribute 'Healer'"):
        _ = healing_pipeline.Healer
