"""The front door: one command. Each subcommand is loaded from its package when it is called, and the halves that
must not know each other (the controller and the sync) are put together here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.door import Door, Entry

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from controller.config import StationConfig
    from controller.domain.headquarters import Headquarters
    from controller.domain.seams import Clock, Randomness
    from controller.store.writer import JournalWriter
    from sync.hq.cards.office import CardSlot

ENTRIES = {
    "card": Entry(
        "sync.hq.cards.commands", "card", "Headquarters' card office: issue, read, load and renew fuel cards."
    ),
    "demo": Entry("sim.demo", "demo", "A whole simulated station in one command, with its terminal."),
    "hq": Entry("sync.hq.commands", "hq", "Headquarters: receives what the stations send."),
    "journal": Entry(
        "controller.office.journal_commands",
        "journal",
        "The journal: show, verify, export and erase.",
    ),
    "keys": Entry("sync.hq.cards.key_commands", "keys", "The network's card keys, and what a station gets of them."),
    "programme": Entry(
        "controller.office.programme_commands",
        "programme",
        "Fuel programmes, and a laboratory for their rules.",
    ),
    "pump": Entry(
        "controller.office.pump_commands", "pump", "Orders to a running station's pumps, as a till gives them."
    ),
    "sim": Entry("sim.door", "sim", "Simulated pumps, readers and printers, and whole simulated days."),
    "station": Entry("controller.commands", "station", "The station: set it up, run it."),
    "terminal": Entry("terminal.commands", "terminal", "The attendant's terminal."),
    "wire": Entry(
        "controller.wire.commands", "wire", "What passes on a pump line: decode, record, show and replay it."
    ),
    "whitelist": Entry("controller.office.whitelist_commands", "whitelist", "The list of cards, plates and phones."),
}


def make_link(
    config: StationConfig, writer: JournalWriter, key: Ed25519PrivateKey, clock: Clock, randomness: Randomness
) -> Headquarters | None:
    """The station's link to headquarters, if station.toml names one."""
    table = config.file.headquarters
    if table is None:
        return None
    from sync.link import StationLink
    from sync.list_files import ListFiles
    from sync.transport import HttpTransport

    return StationLink(
        station=config.file.station.id,
        key=key,
        outbox=writer,
        transport=HttpTransport(table.url),
        clock=clock,
        randomness=randomness,
        lists=ListFiles(config),
    )


def simulated_cards(path: Path) -> CardSlot:
    """A simulated card, or a folder of them, where the card office's reader would be."""
    from sim.cards.slot import SimulatedSlot

    return SimulatedSlot(path)


@click.group(cls=Door, entries=ENTRIES)
@click.version_option("0.1.0", prog_name="forecourt")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Forecourt runs a fuel station: pumps, cards, offline decisions, receipts, headquarters, and a simulator of it."""
    ctx.obj = make_link
    ctx.meta["forecourt.simulated_cards"] = simulated_cards


if __name__ == "__main__":
    main()
