"""Pay-and-go: a sale that is charged to the credit cards which are linked to the card that was shown.

Headquarters charges when it hears of the sale. The sale stands at once, also where no credit card accepts: then it is a
debt. Here is only said whether a token may pay so, and above which amount its holder's code is asked for; headquarters
checks that code. Knows no till's lease and no receipt.
"""

from controller.deciding.decisions import refuse
from controller.domain.books import Unpaid
from controller.domain.desk import CommandResult, PayDelivery
from controller.domain.headquarters import Headquarters
from controller.domain.programme_records import ChargeIntended
from controller.domain.programmes.dates import LocalTime
from controller.domain.programmes.offline import offline_limit
from controller.domain.programmes.programme import RuleSet
from controller.domain.programmes.reasons import Reason as ProgrammeReason
from controller.domain.questions import Heard, PhoneAnswer, PhoneAsk
from controller.domain.quoted import token_reason
from controller.domain.reasons import Reason
from controller.domain.tokens import TokenRef
from controller.paying import pays_itself
from controller.site import Site
from controller.store.writer import JournalUnwritable
from controller.tills.programmes_desk import ProgrammesDesk, question_id, refused

CODE = "charge/"
NOT_LINKED = "No credit card is linked to what was shown: take another means of payment"
AWAY = "Headquarters does not answer, so no code can be checked: take another means of payment"
ONE_CODE = "The code was for the points: take another means of payment for the rest"
WRONG = "The code is wrong: let the customer tell it again, or have another one sent"


class Charging:
    """Of one station. Without headquarters nobody charges: then nothing is paid so."""

    def __init__(self, site: Site, desk: ProgrammesDesk, headquarters: Headquarters | None) -> None:
        self._site = site
        self._desk = desk
        self._headquarters = headquarters

    def pays_by_itself(self, unpaid: Unpaid) -> bool:
        """The card that the fuel was let out on pays at once, and no code is asked for."""
        token, now = unpaid.delivery.token, self._desk.token_for(unpaid)[0]
        if pays_itself(unpaid) or token is None or now != token:
            return False
        rules = self._rules(token, unpaid)
        return isinstance(rules, RuleSet) and not self._needs_code(rules, unpaid.delivery.amount_minor)

    async def refusal(self, command: PayDelivery, unpaid: Unpaid) -> CommandResult | None:
        """Why a till's payment cannot be charged; None if it can. Asks headquarters where a code is needed."""
        token = self._desk.token_for(unpaid)[0]
        rules = ProgrammeReason.NOT_OFFERED if token is None else self._rules(token, unpaid)
        if not isinstance(rules, RuleSet):
            answer = refused(command.command_id, rules)
            return _with_text(answer, NOT_LINKED) if rules is ProgrammeReason.NOT_OFFERED else answer
        if not self._needs_code(rules, command.given_minor):
            return None
        if not self._desk.connected or self._headquarters is None:
            return _with_text(refused(command.command_id, ProgrammeReason.NEEDS_HEADQUARTERS), AWAY)
        if command.points or not command.code.strip():
            answer = refused(command.command_id, ProgrammeReason.CODE_REQUIRED)
            return _with_text(answer, ONE_CODE) if command.points else answer
        assert token is not None  # it has rules
        ask = PhoneAsk(token.kind, token.key, command.code.strip())
        # Not by the till's command: a right code that no settlement followed stays right for this sale, said again.
        request_id = question_id(unpaid.name.text, f"{token.key.hex()}/{ask.code}", CODE)
        try:
            await self._site.write(ChargeIntended(unpaid.name, request_id, token, command.given_minor))
        except JournalUnwritable:
            return refuse(command.command_id, Reason.JOURNAL_FULL)
        outcome = await self._headquarters.ask(ask, request_id)
        if isinstance(outcome.answer, PhoneAnswer):
            wrong = _with_text(refused(command.command_id, ProgrammeReason.CODE_REQUIRED), WRONG)
            return None if outcome.answer.right else wrong
        if outcome.heard is Heard.REFUSED:
            return refused(command.command_id, outcome.reason or Reason.HEADQUARTERS_REFUSED, outcome.text)
        return refuse(command.command_id, Reason.HEADQUARTERS_SILENT)

    def _rules(self, token: TokenRef, unpaid: Unpaid) -> RuleSet | ProgrammeReason:
        """The rules by which it is charged, or why it cannot be."""
        buyer = self._desk.buyer(token)
        if (reason := token_reason(buyer)) is not None:
            return reason
        member = buyer.member
        programme = None if member is None else self._desk.programme(member.programme)
        if programme is None or member is None or self._headquarters is None:
            return ProgrammeReason.NOT_OFFERED
        rules = programme.on(LocalTime(programme.zone).day(unpaid.ended_ms))
        if rules.pay_and_go is None or not member.pay_and_go:
            return ProgrammeReason.NOT_OFFERED
        product, kind = self._desk.product(unpaid.delivery.grade), rules.product_sets.get(member.product_set)
        if product is None or (kind is not None and product not in kind.products):
            return ProgrammeReason.PRODUCT_NOT_ALLOWED
        if not member.contract_valid:
            return ProgrammeReason.CONTRACT_NOT_VALID
        return ProgrammeReason.INACTIVE_CANCELLED if member.cancelled else rules

    def _needs_code(self, rules: RuleSet, amount_minor: int) -> bool:
        """Whether it is more than goes without a code; while headquarters is away, that is a share of it only."""
        assert rules.pay_and_go is not None  # `_rules` has looked
        free_minor = rules.pay_and_go.without_code_minor
        if free_minor and not self._desk.connected:
            return amount_minor > offline_limit(rules.offline, free_minor, 0, self._site.contact_age_ms() or 0)
        return bool(free_minor) and amount_minor > free_minor


def _with_text(answer: CommandResult, text: str) -> CommandResult:
    return CommandResult(answer.command_id, done=False, reason=answer.reason, text=text)
