"""`forecourt sim`: its commands by name, each loaded from where it stands when it is called.

A card in a reader and a hand at a pump are asked for often, and need neither headquarters' database nor the world.
"""

from __future__ import annotations

import importlib

import click

_LIGHT = {
    "card": "sim.cards.commands",
    **dict.fromkeys(("pumps", "lift", "squeeze", "hang-up", "insert-card", "remove-card"), "sim.hands"),
}
"""Where these stand; all others are known to `sim.commands`, as these are."""


class _Door(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._all().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LIGHT:
            return self._all().get_command(ctx, cmd_name)
        command = getattr(importlib.import_module(_LIGHT[cmd_name]), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def _all(self) -> click.Group:
        group = importlib.import_module("sim.commands").sim
        assert isinstance(group, click.Group)
        return group


@click.group(cls=_Door)
def sim() -> None:
    """The simulator: devices on real ports, and whole days in virtual time."""
