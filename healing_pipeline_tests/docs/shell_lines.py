"""Shell as the documentation shows it, to the commands in it. No shell is started."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

PUNCTUATION = "();<>|&"
ENDS = {"|", "||", "&&", ";", "&", "(", ")", "|&"}
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
HERE = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a block.

    Attributes
    ----------
    line : int
        Within the block, from 0.
    words : tuple of str
        The program and its arguments, without quotes and redirections; the program's folder is
        left out. Empty where there are only assignments.
    sets : tuple of (str, str)
        Variables that are set for it, or for the shell.
    """

    line: int
    words: tuple[str, ...]
    sets: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        return self.words[0] if self.words else "="


def commands(text: str) -> Iterator[Command]:
    """Every command of a block, those in pipes, lists and `$(...)` too.

    Raises
    ------
    ValueError
        If it is not shell: a quotation without its end.
    """
    for line, logical in _logical_lines(text):
        for inner in SUBSTITUTION.findall(logical):
            yield from _commands_of(inner, line)
        yield from _commands_of(SUBSTITUTION.sub("$SUBSTITUTED", logical), line)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines joined where a backslash or an open quotation goes on; what `<<` gives is left out."""
    lines = iter(enumerate(text.splitlines()))
    for number, begun in lines:
        line = begun.removeprefix("$ ")
        while line.endswith("\\") or not _is_complete(line):
            try:
                _, more = next(lines)
            except StopIteration:
                raise ValueError(f"a quotation has no end: {begun}") from None
            line = line[:-1] + more if line.endswith("\\") else f"{line}\n{more}"
        yield number, line
        if found := HERE.search(line):
            for _, each in lines:
                if each.strip() == found[1]:
                    break


def _is_complete(line: str) -> bool:
    try:
        _words(_without_comment(line))
    except ValueError:
        return False
    return True


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=PUNCTUATION)
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _commands_of(line: str, number: int) -> Iterator[Command]:
    words: list[str] = []
    redirected = False
    for word in [*_words(_without_comment(line)), ";"]:
        if word in ENDS:
            if words:
                yield _command(words, number)
            words, redirected = [], False
        elif redirected:
            redirected = False
        elif set(word) <= set("<>&") and word:
            redirected = True
            if words and words[-1].isdigit():
                words.pop()
        else:
            words.append(word)


def _without_comment(line: str) -> str:
    """A comment may hold an apostrophe, which would be a quotation without its end."""
    quote = ""
    for place, each in enumerate(line):
        if quote:
            quote = "" if each == quote else quote
        elif each in "'\"":
            quote = each
        elif each == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place]
    return line


def _command(words: list[str], line: int) -> Command:
    sets = []
    while words and (found := ASSIGNMENT.fullmatch(words[0])):
        sets.append((found[1], found[2]))
        words.pop(0)
    if words and words[0] == "export":
        sets += [found.groups() for each in words[1:] if (found := ASSIGNMENT.fullmatch(each))]
    if words:
        words[0] = words[0].rsplit("/", 1)[-1] if "/bin/" in words[0] else words[0]
    return Command(line, tuple(words), tuple(sets))
