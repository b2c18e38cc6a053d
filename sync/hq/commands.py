"""The commands `forecourt hq ...`, by name: each is loaded from where it stands when it is called.

Whoever asks for a total need not wait for a web server's libraries.
"""

import importlib

import click

COMMANDS = {
    "accounts": ("sync.hq.account_commands", "accounts_command", "Show all prepaid accounts."),
    "allot": ("sync.hq.account_commands", "allot_command", "Set money of a prepaid account apart at a station."),
    "check-cards": ("sync.hq.cards.check_command", "check_cards", "Check what cards signed for against the sales."),
    "enrol": ("sync.hq.station_commands", "enrol", "Make a station known by its public key."),
    "exchange": ("sync.hq.exchange.commands", "exchange", "Other issuers of cards: stop lists, sales and netting."),
    "grants": ("sync.hq.account_commands", "grants_command", "Show what is promised to stations for deliveries."),
    "init": ("sync.hq.station_commands", "init", "Write a commented hq.toml."),
    "pay-in": ("sync.hq.account_commands", "pay_in_command", "Book money paid into a prepaid account."),
    "portal": ("sync.hq.portal.commands", "portal", "Who may look at sales reports in a browser."),
    "programme": ("sync.hq.programmes.commands", "programme_group", "The fuel programmes' ledgers."),
    "qr": ("sync.hq.code_commands", "qr", "Make a code that stands for a card, a plate or a phone once."),
    "release-grant": ("sync.hq.account_commands", "release_command", "Free a promise that nothing will come of."),
    "serve": ("sync.hq.serve_command", "serve_command", "Receive batches and answer requests until SIGTERM."),
    "totals": ("sync.hq.station_commands", "totals", "Print a station's totals as JSON."),
}
"""By name: module, attribute, and one line of help, so that `--help` loads none of them."""


class _Door(click.Group):
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


@click.group(cls=_Door)
def hq() -> None:
    """Headquarters: receives what the stations send."""
