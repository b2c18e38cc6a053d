"""The fixed words of a receipt, in the languages of the countries where it is printed. Knows no layout."""

from dataclasses import dataclass

from controller.domain.programmes.reasons import Reason
from controller.domain.receipt_limits import EN_LIMITS, TR_LIMITS, UK_LIMITS, VI_LIMITS, LimitWords
from controller.domain.records import TenderKind
from controller.domain.tokens import TokenKind


@dataclass(frozen=True, slots=True)
class ReceiptWords:
    """All of them in one language. `reasons`: why a programme gives nothing, or less; for the driver."""

    receipt: str
    time: str
    point: str
    delivery: str
    total: str
    change: str
    copy: str
    vat: str
    net: str
    points: str
    points_earned: str
    points_spent: str
    rebate: str
    """Accrued now, paid after the period."""
    balance: str
    as_of: str
    provisional: str
    volume_counted: str
    nothing_earned: str
    tenders: dict[TenderKind, str]
    tokens: dict[TokenKind, str]
    reasons: dict[Reason, str]
    limits: LimitWords


EN = ReceiptWords(
    receipt="Receipt",
    time="Time",
    point="Fuelling point",
    delivery="Delivery",
    total="TOTAL",
    change="Change",
    copy="COPY",
    vat="VAT",
    net="net",
    points="points",
    points_earned="Points earned",
    points_spent="Points used",
    rebate="Discount, paid after the period",
    balance="Balance",
    as_of="as of",
    provisional="Provisional: headquarters counts again",
    volume_counted="Counted for the month's volume",
    nothing_earned="No points",
    tenders={
        TenderKind.CASH: "Cash",
        TenderKind.BANK_CARD: "Bank card",
        TenderKind.ACCOUNT: "Account",
        TenderKind.CARD_PURSE: "Card purse",
        TenderKind.POINTS: "Points",
        TenderKind.PAY_AND_GO: "Pay-and-go",
    },
    tokens={
        TokenKind.CARD: "Card",
        TokenKind.PLATE: "Plate",
        TokenKind.PHONE: "Phone",
        TokenKind.QR: "QR code",
        TokenKind.VOUCHER: "Voucher",
    },
    reasons={
        Reason.CARD_UNKNOWN: "Card not known to the programme",
        Reason.HOLDER_UNKNOWN: "Member not known",
        Reason.PLATE_NOT_BOUND: "Plate bound to no member",
        Reason.VOUCHER_UNKNOWN: "Voucher not known",
        Reason.CARD_BLOCKED: "Card blocked: use the new one",
        Reason.PRODUCT_NOT_ALLOWED: "Not for this product",
        Reason.PLATE_LIMIT: "No more plates on this card",
        Reason.PLATE_IN_USE: "Plate of another member",
        Reason.CONTRACT_NOT_VALID: "Contract not valid",
        Reason.INACTIVE_CANCELLED: "Membership cancelled",
        Reason.SUSPENDED: "Earning suspended: ask us",
        Reason.NOT_VERIFIED: "Phone or plate not verified",
        Reason.NOT_STARTED: "Not started yet",
        Reason.PROGRAMME_STOPPED: "The programme has ended",
        Reason.NEEDS_HEADQUARTERS: "Not possible at the moment",
        Reason.CODE_REQUIRED: "Code missing",
        Reason.INSUFFICIENT_FUNDS: "Not enough money left",
        Reason.DAILY_POINTS_CAP: "Most points of the day reached",
        Reason.DAILY_SALES_CAP: "Most sales of the day reached",
        Reason.SALE_CAP: "Most points of one sale reached",
    },
    limits=EN_LIMITS,
)
TR = ReceiptWords(
    receipt="Fiş",
    time="Zaman",
    point="Pompa",
    delivery="Dolum",
    total="TOPLAM",
    change="Para üstü",
    copy="KOPYA",
    vat="KDV",
    net="matrah",
    points="puan",
    points_earned="Kazanılan puan",
    points_spent="Kullanılan puan",
    rebate="İndirim, dönem sonunda ödenir",
    balance="Bakiye",
    as_of="tarih",
    provisional="Geçici: merkez yeniden hesaplar",
    volume_counted="Aylık hacme sayıldı",
    nothing_earned="Puan yok",
    tenders={
        TenderKind.CASH: "Nakit",
        TenderKind.BANK_CARD: "Banka kartı",
        TenderKind.ACCOUNT: "Cari hesap",
        TenderKind.CARD_PURSE: "Kart bakiyesi",
        TenderKind.POINTS: "Puan",
        TenderKind.PAY_AND_GO: "ÖDEGEÇ",
    },
    tokens={
        TokenKind.CARD: "Kart",
        TokenKind.PLATE: "Plaka",
        TokenKind.PHONE: "Telefon",
        TokenKind.QR: "QR kod",
        TokenKind.VOUCHER: "Kupon",
    },
    reasons={
        Reason.CARD_UNKNOWN: "Kart programda kayıtlı değil",
        Reason.HOLDER_UNKNOWN: "Üye kayıtlı değil",
        Reason.PLATE_NOT_BOUND: "Plaka hiçbir üyeye bağlı değil",
        Reason.VOUCHER_UNKNOWN: "Kupon kayıtlı değil",
        Reason.CARD_BLOCKED: "Kart kapalı: yenisini kullanın",
        Reason.PRODUCT_NOT_ALLOWED: "Bu ürün için geçerli değil",
        Reason.PLATE_LIMIT: "Kartta başka plaka yeri yok",
        Reason.PLATE_IN_USE: "Plaka başka bir üyenin",
        Reason.CONTRACT_NOT_VALID: "Sözleşme geçerli değil",
        Reason.INACTIVE_CANCELLED: "Üyelik iptal edildi",
        Reason.SUSPENDED: "Puan kazanma durduruldu",
        Reason.NOT_VERIFIED: "Telefon veya plaka doğrulanmadı",
        Reason.NOT_STARTED: "Henüz başlamadı",
        Reason.PROGRAMME_STOPPED: "Program sona erdi",
        Reason.NEEDS_HEADQUARTERS: "Şu anda mümkün değil",
        Reason.CODE_REQUIRED: "Kod eksik",
        Reason.INSUFFICIENT_FUNDS: "Yeterli bakiye yok",
        Reason.DAILY_POINTS_CAP: "Günlük puan sınırına ulaşıldı",
        Reason.DAILY_SALES_CAP: "Günlük işlem sınırına ulaşıldı",
        Reason.SALE_CAP: "Bir alışverişin puan sınırı",
    },
    limits=TR_LIMITS,
)
VI = ReceiptWords(
    receipt="Biên lai",
    time="Thời gian",
    point="Trụ bơm",
    delivery="Lần bơm",
    total="TỔNG CỘNG",
    change="Tiền thối",
    copy="BẢN SAO",
    vat="VAT",
    net="chưa thuế",
    points="điểm",
    points_earned="Điểm tích lũy",
    points_spent="Điểm đã dùng",
    rebate="Chiết khấu, trả sau kỳ",
    balance="Số dư",
    as_of="tính đến",
    provisional="Tạm tính: trung tâm sẽ tính lại",
    volume_counted="Đã tính vào sản lượng tháng",
    nothing_earned="Không có điểm",
    tenders={
        TenderKind.CASH: "Tiền mặt",
        TenderKind.BANK_CARD: "Thẻ ngân hàng",
        TenderKind.ACCOUNT: "Tài khoản",
        TenderKind.CARD_PURSE: "Tiền trên thẻ",
        TenderKind.POINTS: "Điểm",
        TenderKind.PAY_AND_GO: "Thẻ tín dụng liên kết",
    },
    tokens={
        TokenKind.CARD: "Thẻ",
        TokenKind.PLATE: "Biển số",
        TokenKind.PHONE: "Điện thoại",
        TokenKind.QR: "Mã QR",
        TokenKind.VOUCHER: "Phiếu",
    },
    reasons={
        Reason.CARD_UNKNOWN: "Thẻ chưa có trong chương trình",
        Reason.HOLDER_UNKNOWN: "Thành viên chưa đăng ký",
        Reason.PLATE_NOT_BOUND: "Biển số chưa gắn thành viên",
        Reason.VOUCHER_UNKNOWN: "Không có phiếu này",
        Reason.CARD_BLOCKED: "Thẻ bị khóa: dùng thẻ mới",
        Reason.PRODUCT_NOT_ALLOWED: "Không áp dụng cho sản phẩm này",
        Reason.PLATE_LIMIT: "Thẻ đã đủ biển số",
        Reason.PLATE_IN_USE: "Biển số của thành viên khác",
        Reason.CONTRACT_NOT_VALID: "Hợp đồng không hiệu lực",
        Reason.INACTIVE_CANCELLED: "Tư cách thành viên đã hủy",
        Reason.SUSPENDED: "Tạm ngừng tích điểm",
        Reason.NOT_VERIFIED: "Tài khoản chưa được xác thực",
        Reason.NOT_STARTED: "Chưa bắt đầu",
        Reason.PROGRAMME_STOPPED: "Chương trình đã kết thúc",
        Reason.NEEDS_HEADQUARTERS: "Hiện không thực hiện được",
        Reason.CODE_REQUIRED: "Thiếu mã",
        Reason.INSUFFICIENT_FUNDS: "Không đủ tiền",
        Reason.DAILY_POINTS_CAP: "Đã đủ điểm tối đa trong ngày",
        Reason.DAILY_SALES_CAP: "Đã đủ số lần tích điểm trong ngày",
        Reason.SALE_CAP: "Đã đủ điểm tối đa một lần mua",
    },
    limits=VI_LIMITS,
)
UK = ReceiptWords(
    receipt="Чек",
    time="Час",
    point="Колонка",
    delivery="Відпуск",
    total="РАЗОМ",
    change="Решта",
    copy="КОПІЯ",
    vat="ПДВ",
    net="без ПДВ",
    points="балів",
    points_earned="Нараховано балів",
    points_spent="Використано балів",
    rebate="Знижка, сплачується після періоду",
    balance="Залишок",
    as_of="станом на",
    provisional="Попередньо: центр перерахує",
    volume_counted="Враховано в обсяг місяця",
    nothing_earned="Без балів",
    tenders={
        TenderKind.CASH: "Готівка",
        TenderKind.BANK_CARD: "Банківська картка",
        TenderKind.ACCOUNT: "Рахунок",
        TenderKind.CARD_PURSE: "Гаманець картки",
        TenderKind.POINTS: "Бали",
        TenderKind.PAY_AND_GO: "Прив'язана картка",
    },
    tokens={
        TokenKind.CARD: "Картка",
        TokenKind.PLATE: "Номер авто",
        TokenKind.PHONE: "Телефон",
        TokenKind.QR: "QR-код",
        TokenKind.VOUCHER: "Талон",
    },
    reasons={
        Reason.CARD_UNKNOWN: "Картка невідома програмі",
        Reason.HOLDER_UNKNOWN: "Учасник невідомий",
        Reason.PLATE_NOT_BOUND: "Номер не прив'язаний до учасника",
        Reason.VOUCHER_UNKNOWN: "Такого талона немає",
        Reason.CARD_BLOCKED: "Картку заблоковано",
        Reason.PRODUCT_NOT_ALLOWED: "Не для цього продукту",
        Reason.PLATE_LIMIT: "На картці немає місця для номера",
        Reason.PLATE_IN_USE: "Номер іншого учасника",
        Reason.CONTRACT_NOT_VALID: "Договір не чинний",
        Reason.INACTIVE_CANCELLED: "Участь скасовано",
        Reason.SUSPENDED: "Нарахування призупинено",
        Reason.NOT_VERIFIED: "Телефон або номер не підтверджено",
        Reason.NOT_STARTED: "Ще не почалося",
        Reason.PROGRAMME_STOPPED: "Програму завершено",
        Reason.NEEDS_HEADQUARTERS: "Зараз неможливо",
        Reason.CODE_REQUIRED: "Немає коду",
        Reason.INSUFFICIENT_FUNDS: "Недостатньо коштів",
        Reason.DAILY_POINTS_CAP: "Найбільше балів за день",
        Reason.DAILY_SALES_CAP: "Найбільше продажів за день",
        Reason.SALE_CAP: "Найбільше балів за продаж",
    },
    limits=UK_LIMITS,
)
WORDS = {"en": EN, "tr": TR, "vi": VI, "uk": UK}
"""By the language of station.toml."""
