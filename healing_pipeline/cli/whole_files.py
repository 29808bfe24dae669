"""Documents in and out: read whole or not at all, written whole or not at all."""

from __future__ import annotations

import codecs
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from healing_pipeline.cli.console import err
from healing_pipeline.errors import ConfigurationError, HealingPipelineError

STANDARD = Path("-")
# From about this size on something takes longer than two seconds.
MANY_BYTES = 1_000_000


class NotTextError(HealingPipelineError):
    """What was to be read is no text in UTF-8."""


def read_text(path: Path) -> str:
    """A file, or what is piped in.

    Raises
    ------
    ConfigurationError
        If there is nothing to read.
    NotTextError
        If it is no UTF-8.
    """
    if path == STANDARD:
        if sys.stdin.isatty():
            raise ConfigurationError("There is nothing to read.", "Name a file, or pipe one in.")
        found = sys.stdin.buffer.read()
    else:
        try:
            found = path.read_bytes()
        except OSError as error:
            cure = "Name a file that can be read, or - to read what is piped in."
            raise ConfigurationError(f"{path}: {error.strerror}.", cure) from None
    if found.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise NotTextError("This is UTF-16. Save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE.")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        raise NotTextError(f"Line {line}: this is no UTF-8. Save it as UTF-8.") from None


def write_text(text: str, path: Path | None) -> None:
    """Into a file, which has all of it or stays as it was; to standard output without one.

    Raises
    ------
    ConfigurationError
        If the file cannot be written.
    """
    ended = text if text.endswith("\n") else f"{text}\n"
    if path is None or path == STANDARD:
        sys.stdout.flush()
        sys.stdout.buffer.write(ended.encode("utf-8"))
        sys.stdout.buffer.flush()
        return
    try:
        if path.exists() and not path.is_file():  # a pipe, a terminal
            path.write_bytes(ended.encode("utf-8"))
            return
        _replace(path, ended.encode("utf-8"))
    except OSError as error:
        cure = "Name another --output file."
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.", cure) from None


@contextmanager
def printed_into(path: Path | None) -> Iterator[None]:
    """What is printed within goes into a file once all of it is there; nowhere else without one."""
    if path is None or path == STANDARD:
        yield
        return
    kept = io.StringIO()
    with redirect_stdout(kept):
        yield
    write_text(kept.getvalue(), path)


@contextmanager
def told(what: str, size: int) -> Iterator[None]:
    """Say on standard error what takes its time, where it will."""
    if size < MANY_BYTES:
        yield
        return
    if not err.is_terminal:
        err.print(f"{what} ...")
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        progress.add_task(what, total=None)
        yield


def _replace(path: Path, content: bytes) -> None:
    folder = path.resolve().parent
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path.resolve())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
