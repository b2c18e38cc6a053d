"""What an operator orders of the exchange: the same words for a command that holds the database and for the running
server, which has the same folder. One order, one commit; packages travel in the answers. Knows no HTTP and no screen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import msgspec
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.domain.programmes.rules import Product
from controller.domain.quantities import Currency, money_text
from controller.domain.tokens import mask_card
from sync.hq.exchange.acquired import Unlisted, issuer_account, sold_to
from sync.hq.exchange.issuing import Issuing
from sync.hq.exchange.ledger import Partner
from sync.hq.exchange.netting import Netting
from sync.hq.exchange.office import Commit, ExchangeError, Office
from sync.hq.exchange.packages import IssuerKey, PackageError, Service, Transaction
from sync.hq.programmes.ledger import ProgrammeLedger
from sync.hq.programmes.sales import product_of
from sync.wire import WireError

EXCHANGE_PATH = "/v1/exchange"
KEY_BYTES = 32
CSV_HEADING = "card,account,status,products,valid_until"


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    pass


class Begin(_Order, frozen=True, tag="begin"):
    name: str
    zone: str


class AddPartner(_Order, frozen=True, tag="partner"):
    name: str
    public_key: str
    replace: bool = False


class ListPartners(_Order, frozen=True, tag="partners"):
    pass


class SendService(_Order, frozen=True, tag="service"):
    """`keys`: public keys of entitlements, in hex, by number."""

    partner: str
    keys: dict[int, str] = {}


class SendDay(_Order, frozen=True, tag="day"):
    partner: str
    day: date


class SendAgain(_Order, frozen=True, tag="again"):
    partner: str
    sequence: int


class GiveBack(_Order, frozen=True, tag="return"):
    partner: str
    sequence: int


class Take(_Order, frozen=True, tag="take"):
    data: bytes


class Net(_Order, frozen=True, tag="net"):
    partner: str
    day: date


class CardList(_Order, frozen=True, tag="cards"):
    """The cards of all partners, as lines of a whitelist."""

    products: str = "cng"


Order = Begin | AddPartner | ListPartners | SendService | SendDay | SendAgain | GiveBack | Take | Net | CardList
_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


class Done(msgspec.Struct, frozen=True):
    """`text`: lines for a person. `data`: a package, or a list's file. `netting`: of a day."""

    text: str = ""
    data: bytes = b""
    netting: Netting | None = None
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """What orders need. `key` reads the private key's file when it is wanted (ExchangeError, if it cannot).

    `find_ledger`: of the programme whose cards are exchanged (DeskError, if it is not kept here).
    """

    commit: Commit
    find_ledger: Callable[[], ProgrammeLedger]
    key: Callable[[], Ed25519PrivateKey]
    list_key: bytes
    grades: Mapping[str, Product]

    def carry_out(self, data: bytes, now_ms: int) -> Done:
        """WireError for bytes that are no order; ExchangeError, PackageError with nothing changed."""
        try:
            order = _decoder.decode(data)
        except ValueError as error:
            raise WireError(f"not an order for the exchange: {error}") from error
        return self.do(order, now_ms)

    def do(self, order: Order, now_ms: int) -> Done:
        """As `carry_out`, of an order that was decoded."""
        ledger = self.find_ledger()
        try:
            return self._do(order, ledger, now_ms)
        except BaseException:
            ledger.forget()  # what is in memory may be ahead of the disk
            raise

    def _do(self, order: Order, ledger: ProgrammeLedger, now_ms: int) -> Done:
        office, issuing, currency = Office(self.commit), Issuing(ledger), ledger.programme.currency
        match order:
            case Begin():
                key = self.key()
                office.begin(order.name, key, currency.code, order.zone)
                return Done(f"this headquarters is {order.name}; its public key for partners:\n{_public_hex(key)}")
            case AddPartner():
                office.add_partner(order.name, _public_key(order.public_key), replace=order.replace)
                return Done(f"packages of {order.name} are taken from now on")
            case ListPartners():
                return Done("\n".join(_about(office, each) for each in office.partners()))
            case SendService():
                keys = [IssuerKey(number, public) for number, public in sorted(order.keys.items())]
                package = office.service(order.partner, issuing.cards, keys, self.key(), now_ms)
                return Done("service data", package)
            case SendDay():
                return self._day(office, order, currency, now_ms)
            case SendAgain():
                return Done(f"package {order.sequence}", office.again(order.partner, order.sequence))
            case GiveBack():
                package = office.give_back(order.partner, order.sequence)
                return Done(f"package {order.sequence} of {order.partner}, as it sent it", package)
            case Take():
                return _take(office, issuing, ledger, order.data, now_ms)
            case Net():
                netting = office.net(order.partner, order.day)
                return Done(netting=netting, decimals=currency.decimals)
            case CardList():
                return Done(data=_csv(office, order.products).encode())

    def _day(self, office: Office, order: SendDay, currency: Currency, now_ms: int) -> Done:
        if not self.list_key:
            raise ExchangeError("hq.toml has no list_key: without it nobody knows whose card a station saw")
        cards = [card.card for card, _ in office.cards_of(order.partner)]
        lines = [f"transactions of {order.day}"]

        def sold(db: sa.Connection, end_ms: int) -> Iterator[Transaction]:
            for each in sold_to(db, order.partner, cards, self.list_key, self._product, end_ms):
                if isinstance(each, Unlisted):
                    lines.append(
                        f"left out: {each.ref}, {money_text(each.amount_minor, currency)}, to a card that "
                        f"{order.partner} never listed: take its newest service data (a later day has it then), or "
                        "look whether stations have another list key than headquarters"
                    )
                else:
                    yield each

        package = office.day(order.partner, order.day, sold, self.key(), now_ms)
        return Done("\n".join(lines), package)

    def _product(self, grade: str) -> Product:
        found = product_of(self.grades, grade)
        if found is None:
            raise ExchangeError(f"the grade {grade} is no product of the programmes: add it to [products] of hq.toml")
        return found


REFUSALS = (ExchangeError, PackageError)
"""What an order may be refused with; the text says why."""


def _take(office: Office, issuing: Issuing, ledger: ProgrammeLedger, data: bytes, now_ms: int) -> Done:
    try:
        taken = office.take(data, issuing, now_ms)
    except BaseException:
        ledger.forget()  # what it has in memory may be ahead of the disk
        raise
    package = taken.package
    if taken.ours:
        return Done(f"package {package.sequence} to {package.receiver} is known here again, as it was sent")
    if isinstance(package, Service):
        stopped = sum(card.stopped for card in package.cards)
        lines = [f"package {package.sequence} of {package.sender}: {len(package.cards)} cards, {stopped} stopped"]
        lines += [f"key {key.number}: {key.public_key}" for key in package.keys]
        return Done("\n".join(lines))
    lines = [
        f"package {package.sequence} of {package.sender}: {len(package.transactions)} transactions of {package.day}"
    ]
    cards = {each.ref: each.card for each in package.transactions}
    lines += [
        f"{ref}: the card {mask_card(cards[ref])} was never issued here: ask {package.sender} to reverse it"
        for ref in taken.strangers
    ]
    return Done("\n".join(lines))


def _about(office: Office, partner: Partner) -> str:
    if partner.own:
        return f"{partner.name}  this headquarters  {partner.public_key.hex()}"
    sent, taken = office.numbers(partner.name)
    return f"{partner.name}  partner  {partner.public_key.hex()}  sent {sent}, taken {taken}"


def _csv(office: Office, products: str) -> str:
    lines = [CSV_HEADING]
    for partner in office.partners():
        if partner.own:
            continue
        for card, listed in office.cards_of(partner.name):
            status = "active" if listed and not card.stopped else "stopped"
            until = card.valid_until.isoformat() if card.valid_until else ""
            lines.append(f"{card.card},{issuer_account(partner.name)},{status},{products},{until}")
    return "\n".join(lines) + "\n"


def _public_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ExchangeError(f"a public key is {2 * KEY_BYTES} hex digits: as the partner's exchange init printed it")
    return key


def _public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()
