"""What the documentation names is there: variables, files, modules, strategies, failure classes."""

from __future__ import annotations

import re
from functools import cache

from page_blocks import ROOT, Inline, inline_code, pages, text_of
from shown_commands import healing_command

PACKAGE = ROOT / "healing_pipeline"
# Where the names of entry points' groups stand, which look like modules.
GROUPS = (PACKAGE / "healing/strategies/registry.py", PACKAGE / "providers/registry.py")
VARIABLE = re.compile(r"(?<![A-Z_])HEALING_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_]|\*)")
A_FILE = re.compile(r"[\w-]+(?:/[\w.*-]+)+\.(?:py|sql|yaml|toml|json|html|css|js)")
A_MODULE = re.compile(r"healing_pipeline(?:_tests)?(?:\.\w+)+")


@cache
def variables() -> frozenset[str]:
    """Every variable of ours that the code names, tests and deployment included."""
    places = ("healing_pipeline", "healing_pipeline_tests", "benchmarks", "scripts", "deploy")
    return frozenset(
        name
        for place in places
        for path in (ROOT / place).rglob("*")
        if path.suffix in {".py", ".yaml", ".yml", ".sh", ""} and path.is_file()
        for name in VARIABLE.findall(path.read_text(encoding="utf-8", errors="replace"))
    )


def test_every_variable_that_a_page_names_is_one():
    wrong = [
        f"{page}: {name}"
        for page in pages()
        for name in sorted(set(VARIABLE.findall(text_of(page))) - variables())
    ]
    assert not wrong


def test_every_file_that_a_page_names_is_there():
    wrong = [
        f"{each.place}: {each.text}"
        for each in inline_code()
        if A_FILE.fullmatch(each.text) and is_ours(each) and not is_file(each)
    ]
    assert not wrong


def is_ours(named: Inline) -> bool:
    """Whether its first folder is one of the repository; a reader has files of their own."""
    first = named.text.split("/")[0]
    return any((start / first).exists() for start in places_of(named.page))


def is_file(named: Inline) -> bool:
    """Whether there is such a file, or one of such a pattern."""
    return any(next(start.glob(named.text), None) for start in places_of(named.page))


def places_of(page: str):
    """Where the path of a file may begin."""
    return ROOT, PACKAGE, ROOT / "healing_pipeline_tests", (ROOT / page).parent


def test_every_module_that_a_page_names_is_there():
    wrong = [
        f"{each.place}: {each.text}"
        for each in inline_code()
        if A_MODULE.fullmatch(each.text) and not (is_there(each.text) or is_group(each.text))
    ]
    assert not wrong


def is_there(name: str) -> bool:
    """Whether a dotted name leads to a module, or to what a module has in its source."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:length])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.exists():
                rest = parts[length : length + 1]
                text = file.read_text(encoding="utf-8")
                return not rest or re.search(rf"\b{rest[0]}\b", text) is not None
        if path.is_dir():
            return length == len(parts)
    return False


def is_group(name: str) -> bool:
    return any(f'"{name}"' in each.read_text(encoding="utf-8") for each in GROUPS)


def test_the_readme_has_every_command_of_ours():
    readme = text_of("README.md")
    missing = [each for each in healing_command().commands if f"| `healing {each}" not in readme]
    assert not missing
