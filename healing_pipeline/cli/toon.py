"""`healing toon`: a document from TOON to JSON, CSV or Markdown, and back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from healing_pipeline.cli.console import err
from healing_pipeline.cli.whole_files import read_text, told, write_text
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.reporting.cells import UnreadableError
from healing_pipeline.reporting.conversion import (
    NO_STRUCTURE,
    READERS,
    WRITERS,
    convert,
    form_of,
)


def toon(
    file: Path,
    *,
    to: str | None,
    read_as: str | None,
    structure: str | None,
    output: Path | None,
) -> int:
    """Convert and print; 0 when all of it was converted."""
    _require(read_as, "--from", tuple(READERS))
    _require(to, "--to", tuple(WRITERS))
    text = read_text(file)
    form = read_as or form_of(text)
    try:
        with told(f"Converting {len(text):,} characters of {form.upper()}", len(text)):
            made = convert(text, to=to, read_as=form, structure=structure)
    except UnreadableError as error:
        raise _with_way_out(error, structure, text, form) from None
    write_text(made.text, output)
    for note in made.notes:
        err.print(f"Note: {note}", markup=False)
    return 0


def _require(given: str | None, option: str, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise ConfigurationError(
            f"{option} is {given[:40]!r}, which is none of the formats.",
            f"Write {option} {', '.join(known[:-1])} or {known[-1]}.",
        )


def _with_way_out(
    error: UnreadableError, structure: str | None, text: str, form: str
) -> UnreadableError:
    """The same error; where only our columns are in the way, with how to do without them."""
    if structure is not None:
        return error
    try:
        READERS[form](text)
    except UnreadableError:
        return error
    with suppress(UnreadableError):
        convert(text, to="json", read_as=form)
        return error  # it can be read, so that its columns are not what is wrong
    cure = f"{error.cure} Or convert it as it is: --structure {NO_STRUCTURE}."
    return UnreadableError(error.problem, cure, error.line)
