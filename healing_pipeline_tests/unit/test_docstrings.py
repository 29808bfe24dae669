"""Docstrings name what is there: parameters of the signature, attributes of the class.

ruff holds the form (rules D); what it does not see is a name that was changed in the code alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "healing_pipeline"
SECTION = re.compile(r"^(?P<name>[A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
NAMES = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : .*)?$", re.MULTILINE)


def sections(docstring: str) -> dict[str, str]:
    """The sections of a numpy docstring, by their names."""
    found = list(SECTION.finditer(docstring))
    starts = [*(each.start() for each in found), len(docstring)]
    return {
        each["name"]: docstring[each.end() : end]
        for each, end in zip(found, starts[1:], strict=True)
    }


def names_in(section: str) -> list[str]:
    return [
        name.strip("* ") for match in NAMES.finditer(section) for name in match["names"].split(",")
    ]


def parameters_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return {each.arg for each in every} | {
        each.arg for each in (given.vararg, given.kwarg) if each is not None
    }


def members_of(tree: ast.ClassDef) -> set[str]:
    """What a class's own body gives an instance: fields, properties, what methods assign."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def stale(tree: ast.Module) -> Iterator[str]:
    """Names that docstrings of a module have and its code has not."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        told = sections(ast.get_docstring(node) or "")
        if isinstance(node, ast.ClassDef):
            members = members_of(node)
            constructors = [
                each
                for each in node.body
                if isinstance(each, ast.FunctionDef) and each.name == "__init__"
            ]
            known = {name for each in constructors for name in parameters_of(each)} or members
            wrong = [each for each in names_in(told.get("Attributes", "")) if each not in members]
        else:
            known, wrong = parameters_of(node), []
        wrong += [each for each in names_in(told.get("Parameters", "")) if each not in known]
        yield from (f"{node.lineno}: {node.name} has no {each}" for each in wrong)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_docstrings_name_parameters_and_attributes_that_are_there():
    wrong = [
        f"{path.relative_to(ROOT)}:{each}"
        for path in modules()
        for each in stale(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong


RIGHT = """
def f(a, *b, c=1, **d):
    '''X.

    Parameters
    ----------
    a, c : int
        Y: z.
    *b
    '''
"""
NO_PARAMETER = RIGHT.replace("(a,", "(renamed,")
NO_ATTRIBUTE = """
class C:
    '''X.

    Attributes
    ----------
    a, gone : int
    '''

    a: int
"""


@pytest.mark.parametrize(
    ("source", "told"),
    [(RIGHT, []), (NO_PARAMETER, ["2: f has no a"]), (NO_ATTRIBUTE, ["2: C has no gone"])],
)
def test_a_name_that_is_gone_is_found(source, told):
    assert list(stale(ast.parse(source))) == told
