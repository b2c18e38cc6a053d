"""The commands `forecourt hq ...`, by name."""

import click

from controller.door import Door, Entry

ENTRIES = {
    "accounts": Entry("sync.hq.account_commands", "accounts_command", "Show all prepaid accounts."),
    "allot": Entry("sync.hq.account_commands", "allot_command", "Set money of a prepaid account apart at a station."),
    "check-cards": Entry(
        "sync.hq.cards.check_command", "check_cards", "Check what cards signed for against the sales."
    ),
    "enrol": Entry("sync.hq.station_commands", "enrol", "Make a station known by its public key."),
    "exchange": Entry(
        "sync.hq.exchange.commands", "exchange", "Other issuers of cards: stop lists, sales and netting."
    ),
    "grants": Entry("sync.hq.account_commands", "grants_command", "Show what is promised to stations for deliveries."),
    "init": Entry("sync.hq.station_commands", "init", "Write a commented hq.toml."),
    "pay-in": Entry("sync.hq.account_commands", "pay_in_command", "Book money paid into a prepaid account."),
    "portal": Entry("sync.hq.portal.commands", "portal", "Who may look at sales reports in a browser."),
    "programme": Entry("sync.hq.programmes.commands", "programme_group", "The fuel programmes' ledgers."),
    "qr": Entry("sync.hq.code_commands", "qr", "Make a code that stands for a card, a plate or a phone once."),
    "release-grant": Entry("sync.hq.account_commands", "release_command", "Free a promise that nothing will come of."),
    "serve": Entry("sync.hq.serve_command", "serve_command", "Receive batches and answer requests until SIGTERM."),
    "totals": Entry("sync.hq.station_commands", "totals", "Print a station's totals as JSON."),
}


@click.group(cls=Door, entries=ENTRIES)
def hq() -> None:
    """Headquarters: receives what the stations send."""
