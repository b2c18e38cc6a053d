"""The front door: one command. Each subcommand is loaded from its package when it is called, and the halves that
must not know each other (the controller and the sync) are put together here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from controller.config import StationConfig
    from controller.domain.headquarters import Headquarters
    from controller.domain.seams import Clock, Randomness
    from controller.store.writer import JournalWriter
    from sync.hq.cards.office import CardSlot

COMMANDS = {
    "card": ("sync.hq.cards.commands", "card", "Headquarters' card office: issue, read, load and renew fuel cards."),
    "demo": ("sim.demo", "demo", "A whole simulated station in one command, with its terminal."),
    "hq": ("sync.hq.commands", "hq", "Headquarters: receives what the stations send."),
    "journal": (
        "controller.office.journal_commands",
        "journal",
        "The journal: show, verify, export and erase.",
    ),
    "keys": ("sync.hq.cards.key_commands", "keys", "The network's card keys, and what a station gets of them."),
    "programme": (
        "controller.office.programme_commands",
        "programme",
        "Fuel programmes, and a laboratory for their rules.",
    ),
    "pump": ("controller.office.pump_commands", "pump", "Orders to a running station's pumps, as a till gives them."),
    "sim": ("sim.door", "sim", "Simulated pumps, readers and printers, and whole simulated days."),
    "station": ("controller.commands", "station", "The station: set it up, run it."),
    "terminal": ("terminal.commands", "terminal", "The attendant's terminal."),
    "wire": ("controller.wire.commands", "wire", "What passes on a pump line: decode, record, show and replay it."),
    "whitelist": ("controller.office.whitelist_commands", "whitelist", "The list of cards, plates and phones."),
}
"""By name: module, attribute, and one line of help, so that `--help` loads none of them."""


def make_link(
    config: StationConfig, writer: JournalWriter, key: Ed25519PrivateKey, clock: Clock, randomness: Randomness
) -> Headquarters | None:
    """The station's link to headquarters, if station.toml names one."""
    table = config.file.headquarters
    if table is None:
        return None
    from sync.link import StationLink
    from sync.transport import HttpTransport

    return StationLink(
        station=config.file.station.id,
        key=key,
        outbox=writer,
        transport=HttpTransport(table.url),
        clock=clock,
        randomness=randomness,
    )


def simulated_cards(path: Path) -> CardSlot:
    """A simulated card, or a folder of them, where the card office's reader would be."""
    from sim.cards.slot import SimulatedSlot

    return SimulatedSlot(path)


class _FrontDoor(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in sorted(COMMANDS)])


@click.group(cls=_FrontDoor)
@click.version_option("0.1.0", prog_name="forecourt")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Forecourt runs a fuel station: pumps, cards, offline decisions, receipts, headquarters, and a simulator of it."""
    ctx.obj = make_link
    ctx.meta["forecourt.simulated_cards"] = simulated_cards


if __name__ == "__main__":
    main()
