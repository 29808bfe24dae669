"""One project for all tests of a process: a code server takes seconds to start."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from warm_project import Home, Project, project


@pytest.fixture(scope="session")
def warm_project(pg_server: Any) -> Iterator[Project]:
    name = f"warm_{uuid4().hex}"
    pg_server.create(name)
    url = pg_server.url(name).replace("postgresql://", "postgresql+psycopg2://", 1)
    # Short: a socket's path is limited.
    with tempfile.TemporaryDirectory(prefix="w") as folder, project(Path(folder), url) as made:
        yield made
    pg_server.drop(name)


@pytest.fixture
def home(warm_project: Project) -> Iterator[Home]:
    """An instance of the test's own."""
    with warm_project.home(uuid4().hex[:6]) as home:
        yield home


@pytest.fixture(scope="session")
def steady(warm_project: Project) -> Iterator[Home]:
    """One for tests that leave it working."""
    with warm_project.home("steady") as home:
        yield home
