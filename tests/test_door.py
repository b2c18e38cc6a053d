"""Commands that are loaded when they are called: each stands where its door says."""

import click
import pytest

from controller.door import Door
from forecourt import main
from sim.door import sim
from sync.hq.commands import hq


@pytest.mark.parametrize("door", [main, hq, sim], ids=lambda door: str(door.name))
def test_each_command_of_a_door_is_where_the_door_says(door: click.Command) -> None:
    assert isinstance(door, Door)
    with click.Context(door) as context:
        names = door.list_commands(context)
        assert names == sorted(names)
        for name in names:
            command = door.get_command(context, name)
            assert command is not None
            assert command.help
        assert door.get_command(context, "no-such-command") is None
