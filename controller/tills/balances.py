"""What headquarters says of an account, asked at a till by a card number or a plate. Knows no points and no sale."""

import msgspec

from controller.deciding.decisions import refuse
from controller.domain.desk import AskBalance, CommandResult
from controller.domain.headquarters import Headquarters
from controller.domain.quantities import money_text
from controller.domain.questions import Heard
from controller.domain.reasons import Reason
from controller.site import Site


class Balances:
    """Of one station."""

    def __init__(self, site: Site, headquarters: Headquarters | None) -> None:
        self._site = site
        self._headquarters = headquarters

    async def ask(self, command: AskBalance, question: str) -> CommandResult:
        """The account's balance. `question`: its name at headquarters."""
        try:
            token = self._site.card(command.card) if command.card else self._site.plate(command.plate)
        except ValueError as error:
            return CommandResult(command.command_id, done=False, reason=Reason.CARD_UNKNOWN, text=str(error))
        found = self._site.lists.look_up(token.key)
        if found.row is None:
            return refuse(command.command_id, Reason.CARD_UNKNOWN if command.card else Reason.PLATE_UNKNOWN)
        if self._headquarters is None:
            return refuse(command.command_id, Reason.HEADQUARTERS_SILENT)
        balance = await self._headquarters.balance(found.row.account, question)
        if balance.heard is Heard.ANSWERED:
            text = f"{token.shown}: {money_text(balance.amount_minor, self._site.currency)}"
            return CommandResult(command.command_id, done=True, text=text)
        if balance.heard is Heard.REFUSED:
            refusal = refuse(command.command_id, Reason.HEADQUARTERS_REFUSED)
            return msgspec.structs.replace(refusal, text=balance.text or refusal.text)
        return refuse(command.command_id, Reason.HEADQUARTERS_SILENT)
