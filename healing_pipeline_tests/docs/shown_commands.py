"""Whether a command that the documentation shows exists, with its subcommands and options.

`healing`, `dagster`, `dg` and the others are parsed by their own parsers, which raise what they
would say to a person. What a command then does is tested where that command is.
"""

from __future__ import annotations

import ast
import io
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib import import_module
from typing import Any

from page_blocks import ROOT
from shell_lines import Command

# Programs that are not ours and take what stands there as anybody knows it: why none is asked.
TAKEN_AS_SHOWN = {
    "=": "only sets variables",
    "export": "only sets variables",
    "cat": "a shell's own",
    "cd": "a shell's own",
    "cp": "a shell's own",
    "echo": "a shell's own",
    "kill": "a shell's own",
    "mkdir": "a shell's own",
    "git": "clones our repository, which no test may",
    "openssl": "makes a token",
    "psql": "needs a server of the reader's",
}
A_FILE_OF_THE_READERS = re.compile(r"(Path|File|Directory) '[^']+' does not exist")
PLACEHOLDER = re.compile(r"[<\[]?[A-Z][A-Z_]*[>\]]?|\.\.\.|…")


def judged(command: Command) -> str | None:
    """What is wrong with a command; None where nothing is.

    ``curl`` is not judged here: it is answered by a gateway.
    """
    if command.program in TAKEN_AS_SHOWN or command.program == "curl":
        return None
    judge = JUDGES.get(command.program)
    if judge is None:
        if "/" in command.program:
            return _files(command.words)
        return f"no test knows the program {command.program}"
    return judge([each.strip("[]") for each in command.words[1:]])


def _healing(arguments: Sequence[str]) -> str | None:
    return parsed(healing_command(), arguments)


@cache
def healing_command() -> Any:
    """Our own command line, as click has it."""
    from typer.main import get_command

    from healing_pipeline.cli.app import app

    return get_command(app)


def parsed(command: Any, arguments: Sequence[str], parent: Any = None) -> str | None:
    """What click's parser says against `arguments`, subcommand by subcommand; nothing is run."""
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            context = command.make_context(command.name, list(arguments), parent=parent)
            if not hasattr(command, "resolve_command"):
                return None
            rest = [*context._protected_args, *context.args]
            if not rest:
                return None if command.invoke_without_command else "a subcommand is missing"
            _, inner, rest = command.resolve_command(context, rest)
        return parsed(inner, rest, context)
    except Exception as error:
        if type(error).__name__ in {"Exit", "NoArgsIsHelpError"}:
            return None
        said_of_it = getattr(error, "format_message", error.__str__)()
        return None if A_FILE_OF_THE_READERS.search(said_of_it) else said_of_it


def mentioned(arguments: Sequence[str]) -> str | None:
    """Whether a `healing` command that prose names exists, with the options that it names.

    Arguments may be left out there, and options stand without their values.
    """
    return _mentioned(healing_command(), [each.strip("[]") for each in arguments])


def _mentioned(command: Any, arguments: Sequence[str]) -> str | None:
    subcommands = getattr(command, "commands", {})
    if arguments and arguments[0] in subcommands:
        return _mentioned(subcommands[arguments[0]], arguments[1:])
    if subcommands and arguments and not arguments[0].startswith("-"):
        if PLACEHOLDER.fullmatch(arguments[0]):
            return None
        return f"{command.name} has no command {arguments[0]}"
    known = options_of(command)
    unknown = [each for each in arguments if each.startswith("--") and each not in known]
    return f"{command.name} has no option {', '.join(unknown)}" if unknown else None


def options_of(command: Any) -> set[str]:
    """How the options of a click command may be written."""
    return {"--help"} | {
        option for each in command.params for option in [*each.opts, *each.secondary_opts]
    }


def targets() -> set[str]:
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def _make(arguments: Sequence[str]) -> str | None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for each in arguments:
        name, is_variable, _ = each.partition("=")
        if is_variable and f"$({name})" not in text:
            return f"the Makefile has no variable {name}"
        if not is_variable and name not in targets():
            return f"the Makefile has no target {name}"
    return None


def _pip(arguments: Sequence[str]) -> str | None:
    if not arguments or arguments[0] != "install":
        return "pip is shown to install something"
    for each in arguments[1:]:
        if each.startswith("-"):
            continue
        name, _, extras = each.rstrip("]").partition("[")
        missing = set(filter(None, extras.split(","))) - _extras()
        if name in {".", "healing-pipeline"}:
            if missing:
                return f"there is no extra {', '.join(sorted(missing))}"
        elif name.startswith(("./", "examples/")):
            if not (ROOT / name / "pyproject.toml").exists():
                return f"{name} is no project"
        elif name not in _asked_for():
            return f"{name} is no library that the project names"
    return None


@cache
def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _extras() -> set[str]:
    return set(_project()["optional-dependencies"])


def _asked_for() -> set[str]:
    every = [
        *_project()["dependencies"],
        *(each for extra in _project()["optional-dependencies"].values() for each in extra),
    ]
    return {re.split(r"[\[<>=; ]", each)[0] for each in every}


def _python(arguments: Sequence[str]) -> str | None:
    """A script or a module of the repository, and the options that its source adds."""
    if arguments[:2] == ["-m", "venv"]:
        return None
    if arguments[:2] == ["-m", "pip"]:
        return _pip(arguments[2:])
    if arguments[:2] == ["-m", "pytest"]:
        missing = [each for each in arguments[2:] if not (ROOT / each.split("::")[0]).exists()]
        return f"there is no {', '.join(missing)}" if missing else None
    module = arguments[0] == "-m"
    name, rest = (arguments[1], arguments[2:]) if module else (arguments[0], arguments[1:])
    path = ROOT / (name.replace(".", "/") if module else name)
    path = next(
        (each for each in (path, path / "__main__.py", path.with_suffix(".py")) if each.is_file()),
        path,
    )
    if not path.is_file():
        return f"there is no {name}"
    if name == "healing_pipeline":
        return _healing(rest)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = set(_first_words(tree))
    for each in rest:
        option = each.split("=")[0]
        if option.startswith("-") and option not in known:
            return f"{name} has no option {option}"
    subcommands = set(_first_words(tree, "add_parser"))
    if subcommands and rest and rest[0] not in subcommands:
        return f"{name} has no command {rest[0]}"
    if name == "healing_pipeline_tests.chaos":
        return _trials(rest)
    return None


def _first_words(tree: ast.Module, function: str | None = None) -> Iterator[str]:
    """Texts that are given to calls, all or those of one function: names that a parser knows."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        called = call.func.attr if isinstance(call.func, ast.Attribute) else None
        if function in {None, called}:
            yield from (
                each.value
                for each in call.args
                if isinstance(each, ast.Constant) and isinstance(each.value, str)
            )


def _trials(arguments: Sequence[str]) -> str | None:
    trials = {each.stem for each in (ROOT / "healing_pipeline_tests/chaos/trials").glob("*.py")}
    named = _positional(arguments)
    unknown = [each for each in named if each not in trials and not PLACEHOLDER.fullmatch(each)]
    return f"there is no trial {', '.join(unknown)}" if unknown else None


def _positional(arguments: Sequence[str]) -> Iterator[str]:
    words = iter(arguments)
    for each in words:
        if each.startswith("-"):
            next(words, None)
        else:
            yield each


def _click(module: str, name: str) -> Callable[[Sequence[str]], str | None]:
    def judge(arguments: Sequence[str]) -> str | None:
        found = getattr(import_module(module), name)
        return parsed(found if hasattr(found, "make_context") else found(), arguments)

    return judge


def _files(arguments: Sequence[str]) -> str | None:
    """Whether the repository has the files that a command of others is given of it."""
    for each in arguments:
        path = re.sub(r"^-[\w-]*[= ]?|^\./", "", each)
        if "/" in path and (ROOT / path.split("/")[0]).is_dir() and not (ROOT / path).exists():
            return f"there is no {path}"
    return None


def _celery(arguments: Sequence[str]) -> str | None:
    # Its parser loads the application that -A names; only the options' names are looked up.
    from celery.bin.celery import celery

    name = next((each for each in arguments if each in celery.commands), None)
    if name is None:
        return "celery has no such command"
    known = options_of(celery) | options_of(celery.commands[name])
    unknown = [
        each for each in arguments if each.startswith("-") and each.split("=")[0] not in known
    ]
    return f"celery {name} has no option {', '.join(unknown)}" if unknown else None


def _dg(arguments: Sequence[str]) -> str | None:
    # What can be scaffolded depends on the project one stands in; the examples' test does it.
    if arguments[:2] == ["scaffold", "defs"]:
        arguments = arguments[:2]
    return _click("dagster_dg_cli.cli", "create_dg_cli")(arguments)


JUDGES: dict[str, Callable[[Sequence[str]], str | None]] = {
    "healing": _healing,
    "make": _make,
    "pip": _pip,
    "python": _python,
    "dagster": _click("dagster._cli", "create_dagster_cli"),
    "dagster-celery": _click("dagster_celery.cli", "main"),
    "dg": _dg,
    "celery": _celery,
    # They do what they do elsewhere; healing_pipeline_tests/deploy holds the files to them.
    **dict.fromkeys(("bash", "docker", "helm", "kubectl", "sh"), _files),
}
