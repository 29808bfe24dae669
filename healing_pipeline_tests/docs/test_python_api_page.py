"""The page of the Python API names all that is public, and all that it names is documented."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import pytest
from page_blocks import text_of

PAGE = "docs/reference/python_api.md"
NAMED = re.findall(
    r"^\.\. auto(?:class|function|exception):: ([\w.]+)", text_of(PAGE), re.MULTILINE
)
PUBLIC = ("healing_pipeline", "healing_pipeline.hooks", "healing_pipeline.learning")


def found(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_on_the_page(module):
    public = {f"{module}.{each}" for each in import_module(module).__all__ if each[0] != "_"}
    told = {*NAMED, *re.findall(r"`([\w.]+)`", text_of(PAGE))}
    assert not public - told


@pytest.mark.parametrize("name", NAMED)
def test_what_the_page_names_is_there_and_says_what_it_is(name):
    documented = found(name)
    told = inspect.getdoc(documented) or ""
    assert told
    assert not told.startswith(f"{name.rpartition('.')[2]}("), "a dataclass without a docstring"


def test_no_page_shows_the_environment_of_who_built_it():
    """A default of ``os.environ`` is a text with all its secrets, unless its source is shown."""
    assert "autodoc_preserve_defaults = True" in text_of("docs/conf.py")
