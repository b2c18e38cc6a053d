"""The tills' side of a station: commands with ids, sales leased to one till, payments.

A command may be repeated, also after a restart: the second time gets the first answer. Knows no HTTP.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from controller.deciding.decisions import refuse
from controller.deciding.reservations import Reservations
from controller.domain.books import Books, Sale, Unpaid
from controller.domain.desk import (
    Allot,
    AnswerNeed,
    AskBalance,
    AskPoints,
    AuthorisePoint,
    CardCommand,
    ChangePrice,
    CloseAsTest,
    Command,
    CommandResult,
    ExpectCard,
    ExpectShown,
    IdentifyPump,
    LeaseDelivery,
    ManagerCommand,
    PayDelivery,
    PointState,
    PresentAfter,
    ReadPumpTotals,
    ReleaseDelivery,
    ReleasePurse,
    ResetOdometer,
    ResumePoint,
    SeePlate,
    SendCode,
    StopAll,
    StopPoint,
    SuspendPoint,
    UnlockPin,
    Unreserve,
)
from controller.domain.reasons import CATALOGUE, Reason
from controller.domain.records import Record, RowName, Settlement, Tender, TenderKind, TestMeasure, parse_row_name
from controller.domain.tokens import TokenRef
from controller.paying import paid_answer, pays_itself, tenders_of, was_paid_by
from controller.points.devices import Devices
from controller.points.point import FuellingPoint
from controller.points.pricing import Pricing
from controller.site import Site
from controller.store.writer import JournalUnwritable
from controller.tills.charging import Charging
from controller.tills.leases import Leases
from controller.tills.manager import Manager
from controller.tills.programmes_desk import ProgrammesDesk, question_id
from controller.tills.redeeming import Redeeming, Taken

REMEMBERED_ANSWERS = 2_000


class TillCards(Protocol):
    """The readers of tills."""

    async def command(self, command: CardCommand, till: str) -> CommandResult: ...

    def sale_over(self, delivery: RowName, till: str = "") -> None: ...

    def sale_open(self, delivery: RowName, till: str) -> None: ...


@dataclass(slots=True)
class _Answer:
    fingerprint: bytes
    task: asyncio.Task[CommandResult]


class Tills:
    """Carries out what tills ask for."""

    def __init__(
        self,
        site: Site,
        points: Mapping[int, FuellingPoint],
        *,
        pricing: Pricing,
        stop_all: Callable[[], None],
        on_sale: Callable[[Sale], str],
        ask_balance: Callable[[AskBalance, str], Awaitable[CommandResult]],
        programmes: ProgrammesDesk,
        redeeming: Redeeming,
        charging: Charging,
        cards: TillCards,
        managers: frozenset[str] = frozenset(),
        devices: Devices,
    ) -> None:
        """`managers`: the tills that may say what only a manager says; where there are none, all may.

        `on_sale` hears of each new sale, on disk already, and gives its readable receipt.

        `ask_balance` gets a name for the question as well: command ids are each till's own, and headquarters' are not.
        """
        self._site = site
        self._points = points
        self._pricing = pricing
        self._manager = Manager(site)
        self._managers = managers
        self._devices = devices
        self._reservations = Reservations(site, self._is_offline)
        self._stop_all = stop_all
        self._on_sale = on_sale
        self._ask_balance = ask_balance
        self._programmes = programmes
        self._redeeming = redeeming
        self._charging = charging
        self._points_asked: set[RowName] = set()
        """Deliveries that headquarters is asked for, of points or a code: nobody settles them otherwise meanwhile."""
        self._cards = cards
        self._leases = Leases(site)
        self._answers: OrderedDict[tuple[str, str], _Answer] = OrderedDict()
        self._settling = asyncio.Lock()

    @property
    def _books(self) -> Books:
        return self._site.books

    async def carry_out(self, till: str, command: Command) -> CommandResult:
        """The command's answer; for one that was given before, the answer of then."""
        fingerprint = hashlib.sha256(msgspec.msgpack.encode(command)).digest()
        key = (till, command.command_id)
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = _Answer(fingerprint, asyncio.ensure_future(self._begin(till, command)))
            known.task.add_done_callback(lambda task: self._ended(key, task))
            if len(self._answers) > REMEMBERED_ANSWERS:
                self._answers.popitem(last=False)
        elif known.fingerprint != fingerprint:
            return refuse(command.command_id, Reason.COMMAND_REUSED)
        # A till that goes away in the middle takes nothing back: what is on disk must come into the books.
        await asyncio.wait({known.task})
        if known.task.cancelled():
            return refuse(command.command_id, Reason.STATION_STOPPING)
        return known.task.result()

    async def close(self) -> None:
        """The station ends: what is still under way ends too."""
        tasks = [answer.task for answer in self._answers.values() if not answer.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def leased_to(self, delivery: RowName) -> str:
        """The till that has this delivery open, or empty."""
        return self._leases.holder(delivery)

    async def settle_by_itself(self, unpaid: Unpaid, tenders: tuple[Tender, ...]) -> None:
        """Settle it, if no till ended it meanwhile, and print its receipt. JournalUnwritable if the disk refuses."""
        async with self._settling:
            if unpaid.name in self._books.unpaid:
                await self._settle_locked(unpaid, tenders, "", "")

    async def _begin(self, till: str, command: Command) -> CommandResult:
        if not self._devices.may_say(till, command):
            return refuse(command.command_id, Reason.DEVICE_ONLY)
        if isinstance(command, ManagerCommand) and self._managers and till not in self._managers:
            return refuse(command.command_id, Reason.MANAGER_ONLY)
        return self._answer_of_before(till, command) or await self._do(till, command)

    def _ended(self, key: tuple[str, str], task: asyncio.Task[CommandResult]) -> None:
        known = self._answers.get(key)
        failed = task.cancelled() or task.exception() is not None
        if failed and known is not None and known.task is task:
            # Nothing is known of how it ended: the next try must find out, not be told this.
            del self._answers[key]

    def _answer_of_before(self, till: str, command: Command) -> CommandResult | None:
        """What the journal knows of this command from before a restart."""
        name = self._books.commands.get((till, command.command_id))
        if name is None:
            if isinstance(command, PayDelivery) and command.points:
                return self._redeeming.answer_of_before(command, till)
            return None
        match command:
            case PayDelivery():
                for sale in reversed(self._books.settled.values()):
                    redeemed = self._books.members.redeemed.get(sale.name.text)
                    if sale.settlement_name == name and was_paid_by(sale, command, redeemed):
                        return paid_answer(command.command_id, sale, "")
            case PresentAfter() | ExpectShown():
                if answer := self._programmes.answer_of_before(command, name):
                    return answer
            case CloseAsTest():
                tested = {delivery.text: row for delivery, row in self._books.tested.items()}
                if tested.get(command.delivery_id) == name:
                    return CommandResult(command.command_id, done=True)
            case ChangePrice():
                if answer := self._pricing.answer_of_before(command, name):
                    return answer
            case Allot() | UnlockPin() | ReleasePurse() | Unreserve() | ResetOdometer():
                if answer := self._manager.answer_of_before(command, name):
                    return answer
            case AuthorisePoint() | AnswerNeed() if self._authorised_at(name) in {command.point, None}:
                return CommandResult(command.command_id, done=True)
        return refuse(command.command_id, Reason.COMMAND_REUSED)

    def _authorised_at(self, name: RowName) -> int | None:
        """Where this row allowed a delivery; 0 if it is of another kind, None if it is not remembered."""
        books = self._books
        if name in books.price_changes or name in books.desk_words or name in books.tested.values():
            return 0
        for point, (allowed, _) in books.open.items():
            if allowed == name:
                return point
        for unpaid in books.unpaid.values():
            if unpaid.delivery.authorised == name:
                return unpaid.delivery.point
        for sale in reversed(books.settled.values()):
            if name in {sale.delivery.authorised, sale.settlement_name}:
                return sale.delivery.point if name == sale.delivery.authorised else 0
        return None

    async def _do(self, till: str, command: Command) -> CommandResult:
        match command:
            case AuthorisePoint() | AnswerNeed():
                point = self._points.get(command.point)
                if point is None:
                    return refuse(command.command_id, Reason.POINT_UNKNOWN)
                return await point.command(command, till)
            case SeePlate():
                return self._devices.see(till, command)
            case StopPoint():
                point = self._points.get(command.point)
                if point is None:
                    return refuse(command.command_id, Reason.POINT_UNKNOWN)
                point.stop()
                return CommandResult(command.command_id, done=True)
            case SuspendPoint() | ResumePoint() | ReadPumpTotals() | IdentifyPump():
                point = self._points.get(command.point)
                if point is None:
                    return refuse(command.command_id, Reason.POINT_UNKNOWN)
                return await point.errand(command)
            case ChangePrice():
                return await self._pricing.change(command, till)
            case Allot():
                return await self._manager.allot(command, till)
            case UnlockPin():
                return await self._manager.unlock(command, till)
            case ResetOdometer():
                return await self._manager.reset_odometer(command, till)
            case Unreserve():
                return await self._reservations.end(command, till)
            case ExpectShown() if isinstance(found := self._shown_for(command), Reason):
                return refuse(command.command_id, found)
            case ExpectCard() | ExpectShown() | ReleasePurse():
                return await self._cards.command(command, till)
            case StopAll():
                self._stop_all()
                return CommandResult(command.command_id, done=True)
            case LeaseDelivery():
                return self._lease(till, command)
            case ReleaseDelivery():
                return self._release(till, command)
            case PayDelivery():
                return await self._pay(till, command)
            case CloseAsTest():
                return await self._close_as_test(till, command)
            case PresentAfter():
                return await self._present(till, command)
            case AskPoints():
                return await self._programmes.points(command, question_id(till, command.command_id))
            case SendCode():
                return await self._programmes.send_code(command, question_id(till, command.command_id))
            case AskBalance():
                return await self._ask_balance(command, question_id(till, command.command_id))

    def _is_offline(self, number: int) -> bool:
        point = self._points.get(number)
        return point is None or point.display.state is PointState.OFFLINE

    def _find(self, delivery_id: str) -> Unpaid | Reason:
        try:
            name = parse_row_name(delivery_id)
        except ValueError:
            return Reason.DELIVERY_UNKNOWN
        if name in self._books.settled:
            return Reason.ALREADY_SETTLED
        if name in self._books.tested:
            return Reason.TEST_MEASURE
        return self._books.unpaid.get(name) or Reason.DELIVERY_UNKNOWN

    def _lease(self, till: str, command: LeaseDelivery) -> CommandResult:
        found = self._find(command.delivery_id)
        if isinstance(found, Reason):
            return refuse(command.command_id, found)
        holder = self.leased_to(found.name)
        if holder and holder != till:
            text = f"{CATALOGUE[Reason.LEASED_ELSEWHERE].attendant} ({holder})"
            return CommandResult(command.command_id, done=False, reason=Reason.LEASED_ELSEWHERE, text=text)
        self._leases.take(found.name, till)
        self._cards.sale_open(found.name, till)
        return CommandResult(command.command_id, done=True)

    def _release(self, till: str, command: ReleaseDelivery) -> CommandResult:
        found = self._find(command.delivery_id)
        if isinstance(found, Reason):
            return refuse(command.command_id, found)
        self._cards.sale_over(found.name, till)
        if self.leased_to(found.name) == till:
            self._leases.end(found.name)
        return CommandResult(command.command_id, done=True)

    async def _pay(self, till: str, command: PayDelivery) -> CommandResult:
        if command.tender in {TenderKind.ACCOUNT, TenderKind.CARD_PURSE}:
            return refuse(command.command_id, Reason.NOT_LEASED)
        async with self._settling:
            found = self._mine(command, till)
            if isinstance(found, Reason):
                return refuse(command.command_id, found)
            with_points = bool(command.points or command.voucher)
            if not with_points:
                tenders = tenders_of(command, found.delivery.amount_minor, None)
                if isinstance(tenders, Reason):
                    return refuse(command.command_id, tenders)
            if not with_points and command.tender is not TenderKind.PAY_AND_GO:
                return await self._pay_with(command, found, till, None)
            self._points_asked.add(found.name)
        # Headquarters may take its time: other tills go on meanwhile.
        try:
            if command.tender is TenderKind.PAY_AND_GO:
                refusal = await self._charging.refusal(command, found)
                if refusal is not None:
                    return refusal
            taken = await self._redeeming.take(command, found, till) if with_points else None
            if isinstance(taken, CommandResult):
                return taken
            try:
                async with self._settling:
                    ended = self._find(command.delivery_id)
                    if isinstance(ended, Reason):  # it has paid itself meanwhile: that this pays it must not be said
                        return refuse(command.command_id, ended)
                    return await self._pay_with(command, found, till, taken)
            finally:
                if taken is not None:
                    self._redeeming.over(taken)
        finally:
            self._points_asked.discard(found.name)

    def _mine(self, command: PayDelivery | CloseAsTest, till: str) -> Unpaid | Reason:
        """The delivery, if this till may end it now."""
        found = self._find(command.delivery_id)
        if isinstance(found, Reason):
            return found
        if pays_itself(found):
            return Reason.ALREADY_SETTLED
        if found.name in self._points_asked:
            return Reason.POINTS_BEING_TAKEN
        holder = self.leased_to(found.name)
        if holder != till:
            return Reason.LEASED_ELSEWHERE if holder else Reason.NOT_LEASED
        return found

    async def _pay_with(self, command: PayDelivery, found: Unpaid, till: str, taken: Taken | None) -> CommandResult:
        """Settle it, with the tills' lock held. What points leave was looked at before they were taken."""
        tenders = tenders_of(command, found.delivery.amount_minor, None if taken is None else taken.row)
        if isinstance(tenders, Reason):
            return refuse(command.command_id, tenders)
        try:
            sale, receipt = await self._settle_locked(found, tenders, till, command.command_id, taken)
        except JournalUnwritable:
            return refuse(command.command_id, Reason.JOURNAL_FULL)
        return paid_answer(command.command_id, sale, receipt)

    async def show_card(self, command: ExpectShown, token: TokenRef, till: str) -> CommandResult:
        """A card at the till's own reader, which the attendant has said is for this delivery."""
        async with self._settling:
            found = self._shown_for(command)
            if isinstance(found, Reason):
                return refuse(command.command_id, found)
            return await self._programmes.present_token(command.command_id, token, b"", found, till)

    async def _present(self, till: str, command: PresentAfter) -> CommandResult:
        async with self._settling:
            found = self._shown_for(command)
            if isinstance(found, Reason):
                return refuse(command.command_id, found)
            answer = await self._programmes.present(command, found, till)
        if answer.done:
            self._cards.sale_over(found.name)
        return answer

    def _shown_for(self, command: PresentAfter | ExpectShown) -> Unpaid | Sale | Reason:
        """The delivery that waits, or was paid."""
        found = self._find(command.delivery_id)
        if isinstance(found, Unpaid) and found.name in self._points_asked:
            return Reason.POINTS_BEING_TAKEN
        if found is Reason.ALREADY_SETTLED:
            return self._books.settled[parse_row_name(command.delivery_id)]
        return found

    async def _close_as_test(self, till: str, command: CloseAsTest) -> CommandResult:
        async with self._settling:
            found = self._mine(command, till)
            if isinstance(found, Reason):
                return refuse(command.command_id, found)
            try:
                await self._site.write(TestMeasure(found.name, till, command.command_id))
            except JournalUnwritable:
                return refuse(command.command_id, Reason.JOURNAL_FULL)
            self._closed(found.name)
            self._site.changed()
        return CommandResult(command.command_id, done=True)

    def _closed(self, delivery: RowName) -> None:
        self._leases.end(delivery)
        self._cards.sale_over(delivery)

    async def _settle_locked(
        self, unpaid: Unpaid, tenders: tuple[Tender, ...], till: str, command_id: str, taken: Taken | None = None
    ) -> tuple[Sale, str]:
        settlement = Settlement(
            delivery=unpaid.name,
            receipt_number=self._books.receipt_number + 1,
            amount_minor=unpaid.delivery.amount_minor,
            tenders=tenders,
            till=till,
            command_id=command_id,
        )
        rows: list[Record] = [] if taken is None else [taken.row]
        rows += self._programmes.quotes(unpaid, tenders, None if taken is None else taken.left)
        await self._site.write(*rows, settlement)
        self._closed(unpaid.name)
        sale = self._books.settled[unpaid.name]
        return sale, self._on_sale(sale)
