"""A command made of commands, each loaded from where it stands when it is called: who asks for a total need not wait
for a web server's libraries, and `--help` loads none of them. Knows no command.
"""

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class Entry(NamedTuple):
    """Where a command stands, and one line of help."""

    module: str
    attribute: str
    help: str


class Door(click.Group):
    """A group of the commands of `entries`, by name: `@click.group(cls=Door, entries=...)`."""

    def __init__(self, *, entries: Mapping[str, Entry], **of_click: Any) -> None:
        super().__init__(**of_click)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._entries:
            return None
        entry = self._entries[cmd_name]
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._entries[name].help) for name in sorted(self._entries)])
