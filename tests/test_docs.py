"""The documents say what is true: commands, options, keys, columns, reasons, links and pictures are held against the
program.
"""

import re
import runpy
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec
import pytest

from controller.config import StationFile
from controller.domain.reasons import CATALOGUE
from controller.domain.records import Record
from controller.store.whitelist_columns import COLUMNS
from forecourt import main
from sim.bench_file import BenchFile
from sync.hq.config import Config

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))
MACHINE_PATHS = ("/root/", "/home/", "/Users/")
_COMMAND = re.compile(r"(?:^|[\s`/(])forecourt ((?:[a-z]+|--[a-z]+)(?: [^`|\n]*)?)(?=`|\n|\|)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_KEY_ROW = re.compile(r"^\| `([a-z_.]+)` \|", re.MULTILINE)
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def all_text() -> str:
    return "\n".join(map(text_of, PAGES))


def commands_in(text: str) -> Iterator[list[str]]:
    """The words behind each `forecourt ...`, without comments and what is not of the shell."""
    for found in _COMMAND.finditer(text):
        words = shlex.split(found.group(1).split("  ")[0].split(" (")[0])
        yield [word.rstrip(").,:;") for word in words]


def walk(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below this one, with its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from walk(below, *path, name)


ALL_COMMANDS = dict(walk(main))


def section_keys(page: Path, heading: str) -> set[str]:
    """The keys in the first column of the tables under a heading."""
    _, _, rest = text_of(page).partition(heading)
    return set(_KEY_ROW.findall(re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]))


def keys_of(kind: type[msgspec.Struct], *, tables: Callable[[object], type[msgspec.Struct] | None]) -> set[str]:
    """The keys of a file, each as table.key, however often the table may stand there; a table in a table counts too."""
    keys: set[str] = set()
    for field in msgspec.structs.fields(kind):
        if table := tables(field.type):
            for key in msgspec.structs.fields(table):
                inner = tables(key.type)
                name = f"{field.encode_name}.{key.encode_name}"
                keys |= {name, *(f"{name}.{below.encode_name}" for below in msgspec.structs.fields(inner or _Plain))}
        else:
            keys.add(field.encode_name)
    return keys


class _Plain(msgspec.Struct):
    """No table: no keys below."""


def table_in(annotation: object) -> type[msgspec.Struct] | None:
    """The Struct in `Table`, `Table | None` or `tuple[Table, ...]`."""
    for kind in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


def test_the_commands_are_found_at_all() -> None:
    assert len(list(commands_in(all_text()))) > 30


@by_page
def test_every_command_in_the_documents_exists_with_its_options(page: Path) -> None:
    for words in commands_in(text_of(page)):
        command: click.Command = main
        while words and isinstance(command, click.Group) and not words[0].startswith("-"):
            below = command.get_command(click.Context(command), words[0])
            assert below is not None, f"{page.name}: there is no command {words[0]!r} (in {words})"
            command = below
            words.pop(0)
        known = {name for option in command.get_params(click.Context(command)) for name in option.opts}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, f"{page.name}: {command.name} has no option {word}"


@pytest.mark.parametrize("path", ALL_COMMANDS, ids=" ".join)
def test_every_command_has_help_and_stands_in_the_documents_with_its_options(path: tuple[str, ...]) -> None:
    command = ALL_COMMANDS[path]
    assert command.help, f"forecourt {' '.join(path)} has no help"
    text = all_text()
    assert f"forecourt {' '.join(path)}" in text
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in text, f"{option.opts[0]} of forecourt {' '.join(path)} stands nowhere"


def test_every_key_of_station_toml_is_documented_and_no_other() -> None:
    documented = section_keys(DOCS / "station.md", "## station.toml, key by key")
    assert documented == keys_of(StationFile, tables=table_in)


def test_every_key_of_bench_toml_is_documented_and_no_other() -> None:
    assert section_keys(DOCS / "simulator.md", "## The bench") == keys_of(BenchFile, tables=table_in)


def test_every_key_of_hq_toml_is_documented_and_no_other() -> None:
    assert section_keys(DOCS / "headquarters.md", "## Set it up") == keys_of(Config, tables=table_in)


def test_every_column_of_the_whitelist_is_documented_and_no_other() -> None:
    assert section_keys(DOCS / "whitelist.md", "## Columns") == set(COLUMNS)


def test_every_kind_of_row_is_documented_and_no_other() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in Record.__args__}
    assert section_keys(DOCS / "recovery.md", "## Look into the journal") == kinds


def test_the_page_of_reasons_is_the_catalogue() -> None:
    script = runpy.run_path(str(ROOT / "tools" / "reasons.py"))
    assert text_of(DOCS / "reasons.md") == script["page"](), "run .venv/bin/python tools/reasons.py"
    for reason in CATALOGUE:
        assert f"`{reason}`" in text_of(DOCS / "reasons.md")


@by_page
def test_every_link_points_to_a_file(page: Path) -> None:
    for target in _LINK.findall(text_of(page)):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).is_file(), f"{page.name} points to {target}"


@by_page
def test_no_page_names_a_path_of_somebodys_machine(page: Path) -> None:
    for path in MACHINE_PATHS:
        assert path not in text_of(page)


def test_every_page_is_reached_from_the_readme() -> None:
    linked = set(_LINK.findall(text_of(ROOT / "README.md")))
    assert {f"docs/{page.name}" for page in DOCS.glob("*")} <= linked


def test_the_files_that_the_tour_names_are_there() -> None:
    for name in re.findall(r"`((?:controller|terminal|card_io|sync|sim|tools)/[\w/]*(?:\.py)?)`", all_text()):
        assert (ROOT / name).exists(), name


def test_the_readme_begins_with_the_two_commands() -> None:
    indented = [line.strip() for line in text_of(ROOT / "README.md").splitlines() if line.startswith("    ")]
    assert indented[:2] == ["make demo", "make test"]


def test_the_picture_of_the_terminal_says_simulation() -> None:
    assert "SIMULATION" in text_of(DOCS / "terminal.svg")
