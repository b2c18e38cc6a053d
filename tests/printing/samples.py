"""A delivery, its settlement and the sites of three countries, for the tests of this folder."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from controller.domain.funds import Funds
from controller.domain.products import Grade
from controller.domain.quantities import CURRENCIES, Unit, UnitPrice
from controller.domain.receipt import Receipt, ReceiptSite, receipt_of
from controller.domain.records import Delivery, RowName, Settlement, Tender, TenderKind
from controller.domain.tokens import Assurance, card_token

WALL_MS = 1_772_363_109_500
"""2026-03-01 11:05:09.5 UTC"""
NAME = RowName(bytes.fromhex("0123456789abcdef"), 4_711)

TURKISH = ReceiptSite(
    name="Yıldız Akaryakıt",
    address=("Atatürk Caddesi No. 12", "Şişli, İstanbul", "Ğğ Üü Şş İı Öö Çç"),
    currency=CURRENCIES["TRY"],
    zone=ZoneInfo("Europe/Istanbul"),
    simulated=True,
    grades=(Grade("diesel", "Motorin (kükürtsüz)", Unit.LITRE, UnitPrice(4379, 2)),),
)
UKRAINIAN = ReceiptSite(
    name="АЗС «Їжак»",
    address=("вул. Ґонти, 5", "м. Київ", "Єє Іі Її Ґґ"),
    currency=CURRENCIES["UAH"],
    zone=ZoneInfo("Europe/Kyiv"),
    simulated=False,
    grades=(Grade("diesel", "Дизельне пальне", Unit.LITRE, UnitPrice(4379, 2)),),
)
VIETNAMESE = ReceiptSite(
    name="Trạm xăng Đường Số 9",
    address=("Quận 1, Thành phố Hồ Chí Minh",),
    currency=CURRENCIES["VND"],
    zone=ZoneInfo("Asia/Ho_Chi_Minh"),
    simulated=True,
)

DELIVERY = Delivery(
    point=3,
    nozzle=1,
    grade="diesel",
    unit=Unit.LITRE,
    price=UnitPrice(4379, 2),
    volume_ml=40_009,
    amount_minor=175_199,
    totaliser_before_ml=None,
    totaliser_after_ml=None,
    authorised=None,
    token=card_token(b"secret", "1234567890121234", Assurance.PROVEN),
    account="fleet",
    funds=Funds.NONE,
    at_start=False,
)
SETTLEMENT = Settlement(
    delivery=NAME,
    receipt_number=123,
    amount_minor=175_199,
    tenders=(Tender(TenderKind.BANK_CARD, 100_000, 100_000), Tender(TenderKind.CASH, 75_199, 80_000)),
    till="till-1",
    command_id="c1",
)


def sample_receipt(site: ReceiptSite = TURKISH, **changes: object) -> Receipt:
    receipt = receipt_of(DELIVERY, NAME, SETTLEMENT, site, wall_ms=WALL_MS)
    return replace(receipt, **changes)  # type: ignore[arg-type]
