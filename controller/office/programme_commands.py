"""The commands `forecourt programme ...`: the shipped programmes, a look at a file, and the laboratory.

The only place where programmes meet files: texts and lines go into `controller.domain.programmes` from here.
"""

import contextlib
import gc
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NoReturn

import click
import msgspec

from controller.domain.programmes.lab import LabError, Laboratory
from controller.domain.programmes.programme import Programme, ProgrammeError, parse
from controller.programme_files import SHIPPED, shipped_text

WRONG_INPUT = 2
FLUSH_BYTES = 1 << 16
"""Answers are written in pieces of this size: a year of sales is a million lines."""
GC_OBJECTS = 200_000
"""Between two looks for cycles: the books hold millions of objects and make no cycles."""


@click.group()
def programme() -> None:
    """Fuel programmes: points, rebates, prepaid accounts; and the laboratory that tries their rules."""


@programme.command("list")
def list_programmes() -> None:
    """The programmes that come with this software."""
    for name in SHIPPED:
        table = shipped(name).file.programme
        click.echo(f"{name:<18}{table.country}  {table.title} ({table.operator})")


@programme.command("show")
@click.argument("name", metavar="PROGRAMME")
def show(name: str) -> None:
    """The TOML of a programme: a shipped name, or a file. Save it, change it, try it in the laboratory."""
    text, where = _text_of(name)
    _parse(text, where)
    _put([text.removesuffix("\n").encode()], sys.stdout.buffer)


@programme.command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check(file: Path) -> None:
    """Check a programme's TOML file: exit code 2, file, key and what was expected, if it is wrong."""
    found = _parse(_read(file), str(file))
    rules = sum(len(getattr(found.file, field.name)) for field in msgspec.structs.fields(found.file)[1:])
    click.echo(f"{file}: {found.name} is a good programme, with {rules} rules")


@programme.command("lab")
@click.argument("name", metavar="PROGRAMME")
@click.argument("events", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--summary", is_flag=True, help="After the answers, all balances, and that each commodity sums to zero.")
def lab(name: str, events: Path, summary: bool) -> None:
    """Replay recorded events (a file of JSON lines, or - for standard input): one answer a line.

    PROGRAMME is a shipped name or a TOML file. At the first wrong line it stops, with exit code 2.
    """
    text, where = _text_of(name)
    laboratory = Laboratory(_parse(text, where))
    gc.set_threshold(GC_OBJECTS)
    out = sys.stdout.buffer
    try:
        if str(events) == "-":
            _write(laboratory.answers(sys.stdin.buffer, "standard input"), out)
        else:
            with _open(events) as lines:
                _write(laboratory.answers(lines, str(events)), out)
        if summary:
            _write((line.encode() for line in laboratory.summary()), out)
    except LabError as error:
        _fail(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        _cannot_read(events, error)


def shipped(name: str) -> Programme:
    """A programme that comes with this software."""
    return parse(shipped_text(name), f"{name}.toml")


def _text_of(name: str) -> tuple[str, str]:
    """A programme's TOML, by shipped name or file, and what to call it in messages."""
    if name in SHIPPED:
        return shipped_text(name), f"{name}.toml"
    return _read(Path(name)), name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        _fail(f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8")
    except OSError as error:
        names = ", ".join(SHIPPED)
        _fail(f"{path} cannot be read ({error.strerror}): expected a TOML file, or one of {names}")


def _parse(text: str, where: str) -> Programme:
    try:
        return parse(text, where)
    except ProgrammeError as error:
        _fail(str(error))


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        _cannot_read(path, error)


def _cannot_read(events: Path, error: OSError) -> NoReturn:
    _fail(f"{events} cannot be read ({error.strerror}): expected a file of events, one JSON object a line")


def _write(lines: Iterable[bytes], out: IO[bytes]) -> None:
    """Print lines in large pieces; what was answered is printed also where the next line stops the run."""
    waiting: list[bytes] = []
    size = 0
    try:
        for line in lines:
            waiting.append(line)
            size += len(line)
            if size >= FLUSH_BYTES:
                _put(waiting, out)
                waiting.clear()
                size = 0
    except LabError:
        _put(waiting, out)
        raise
    _put(waiting, out)


def _put(lines: list[bytes], out: IO[bytes]) -> None:
    """Whoever closes a pipe has seen enough (click ends the command without a word); a full disk is told."""
    try:
        out.writelines(_ended(lines))
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with contextlib.suppress(OSError):
            out.close()  # or Python would try it again at its end, and complain in its own words
        _fail(f"the answers cannot be written ({error.strerror}): make room, or write them elsewhere")


def _ended(lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield line
        yield b"\n"


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(WRONG_INPUT)
