"""What the portal says, in the languages of its customers. Only words."""

from dataclasses import dataclass

_PRODUCTS = {
    "en": {"gasoline": "petrol", "diesel": "diesel", "autogas": "autogas", "cng": "CNG"},
    "tr": {"gasoline": "benzin", "diesel": "motorin", "autogas": "otogaz", "cng": "CNG"},
    "uk": {"gasoline": "бензин", "diesel": "дизель", "autogas": "автогаз", "cng": "КПГ"},
    "vi": {"gasoline": "xăng", "diesel": "dầu diesel", "autogas": "LPG", "cng": "CNG"},
}


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `columns`: customer, plate, card, station, time, product, volume, amount, discount."""

    language: str
    title: str
    code: str
    send: str
    sent: str
    password: str
    enter: str
    wrong: str
    leave: str
    since: str
    until: str
    card: str
    product_word: str
    plate: str
    all: str
    show: str
    excel: str
    total: str
    sheet: str
    more: str
    too_long: str
    columns: tuple[str, ...]

    def product(self, code: str) -> str:
        """A product by its name."""
        return _PRODUCTS[self.language].get(code, code)

    @property
    def products(self) -> dict[str, str]:
        """All products, by their code."""
        return _PRODUCTS[self.language]

    def headings(self, currency: str) -> tuple[str, ...]:
        """Over the columns of a report; money names its currency."""
        return (*self.columns[:7], *(f"{name} ({currency})" for name in self.columns[7:]))


LANGUAGES = {
    "en": Words(
        "en",
        "Sales report",
        "Customer or agency code",
        "Send password",
        "If this code is registered, a password was sent to its phone. It is good for five minutes.",
        "Password",
        "Enter",
        "This password is not right, or its time is over. After three wrong ones ask for another.",
        "Leave",
        "From",
        "To",
        "Card (last digits)",
        "Product",
        "Plate",
        "all",
        "Show",
        "Excel",
        "Sales",
        "Sales",
        "More sales than are shown here: the Excel file has all of them.",
        "More sales than an Excel sheet has rows: ask for a shorter time.",
        ("Customer", "Plate", "Card", "Station", "Date and time", "Product", "Quantity", "Amount", "Discount"),
    ),
    "tr": Words(
        "tr",
        "Satış raporu",
        "Müşteri veya acente kodu",
        "Şifre gönder",
        "Bu kod kayıtlıysa telefonuna bir şifre gönderildi. Beş dakika geçerlidir.",
        "Şifre",
        "Giriş",
        "Şifre yanlış veya süresi dolmuş. Üç yanlıştan sonra yeni şifre isteyin.",
        "Çıkış",
        "Başlangıç",
        "Bitiş",
        "Kart (son haneler)",
        "Ürün",
        "Plaka",
        "tümü",
        "Göster",
        "Excel",
        "Satış",
        "Satışlar",
        "Burada gösterilenden fazla satış var: Excel dosyasında tamamı bulunur.",
        "Bir Excel sayfasının satırlarından fazla satış var: daha kısa bir süre seçin.",
        ("Müşteri", "Plaka", "Kart", "İstasyon", "Tarih ve saat", "Ürün", "Miktar", "Tutar", "İndirim"),
    ),
    "uk": Words(
        "uk",
        "Звіт про продажі",
        "Код клієнта або агенції",
        "Надіслати пароль",
        "Якщо цей код зареєстровано, на його телефон надіслано пароль. Він дійсний п’ять хвилин.",
        "Пароль",
        "Увійти",
        "Пароль неправильний або його час минув. Після трьох неправильних попросіть новий.",
        "Вийти",
        "Від",
        "До",
        "Картка (останні цифри)",
        "Продукт",
        "Номер авто",
        "усі",
        "Показати",
        "Excel",
        "Продажі",
        "Продажі",
        "Продажів більше, ніж показано тут: у файлі Excel є всі.",
        "Продажів більше, ніж рядків на аркуші Excel: виберіть коротший час.",
        ("Клієнт", "Номер авто", "Картка", "Станція", "Дата і час", "Продукт", "Кількість", "Сума", "Знижка"),
    ),
    "vi": Words(
        "vi",
        "Báo cáo bán hàng",
        "Mã khách hàng hoặc đại lý",
        "Gửi mật khẩu",
        "Nếu mã này đã đăng ký, mật khẩu đã được gửi đến điện thoại. Có hiệu lực trong năm phút.",
        "Mật khẩu",
        "Vào",
        "Mật khẩu sai hoặc đã hết hạn. Sau ba lần sai, hãy yêu cầu mật khẩu mới.",
        "Thoát",
        "Từ ngày",
        "Đến ngày",
        "Thẻ (các số cuối)",
        "Sản phẩm",
        "Biển số",
        "tất cả",
        "Xem",
        "Excel",
        "Số lần bán",
        "Bán hàng",
        "Có nhiều lần bán hơn số hiển thị ở đây: tệp Excel có tất cả.",
        "Nhiều lần bán hơn số dòng của một trang Excel: hãy chọn thời gian ngắn hơn.",
        ("Khách hàng", "Biển số", "Thẻ", "Trạm", "Ngày giờ", "Sản phẩm", "Số lượng", "Số tiền", "Giảm giá"),
    ),
}


def language_of(accepted: str) -> Words:
    """The first language of a browser's wishes that is spoken here; English otherwise."""
    for wish in accepted.split(","):
        found = LANGUAGES.get(wish.split(";")[0].strip().split("-")[0].lower())
        if found is not None:
            return found
    return LANGUAGES["en"]
