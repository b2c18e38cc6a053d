"""What a receipt says of the limit that held a partial approval, in the receipts' languages. Knows no layout."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimitWords:
    """`label` stands before it. `names`: by the last part of a limit's name; `whose`: by the parts before that."""

    label: str
    names: dict[str, str]
    whose: dict[str, str]

    def text(self, name: str) -> str:
        """ "account_month" is "month limit (account)". Empty for what was asked for: that is no limit of anybody's."""
        *parts, last = name.split("_")
        if last not in self.names:
            return ""
        said = [self.whose[part] for part in parts if part in self.whose]
        return f"{self.names[last]} ({', '.join(said)})" if said else self.names[last]


EN_LIMITS = LimitWords(
    "Limited by",
    {
        "fill": "limit of one fill",
        "day": "day limit",
        "week": "week limit",
        "month": "month limit",
        "tank": "tank of the vehicle",
        "funds": "account balance",
        "allotment": "account balance",
        "purse": "card purse",
    },
    {"vehicle": "vehicle", "account": "account", "offline": "without headquarters"},
)
TR_LIMITS = LimitWords(
    "Sınırlayan",
    {
        "fill": "tek dolum limiti",
        "day": "günlük limit",
        "week": "haftalık limit",
        "month": "aylık limit",
        "tank": "araç deposu",
        "funds": "hesap bakiyesi",
        "allotment": "hesap bakiyesi",
        "purse": "kart bakiyesi",
    },
    {"vehicle": "araç", "account": "hesap", "offline": "merkez bağlantısı olmadan"},
)
VI_LIMITS = LimitWords(
    "Giới hạn bởi",
    {
        "fill": "hạn mức một lần",
        "day": "hạn mức ngày",
        "week": "hạn mức tuần",
        "month": "hạn mức tháng",
        "tank": "bình nhiên liệu",
        "funds": "số dư tài khoản",
        "allotment": "số dư tài khoản",
        "purse": "tiền trong thẻ",
    },
    {"vehicle": "xe", "account": "tài khoản", "offline": "không có trung tâm"},
)
UK_LIMITS = LimitWords(
    "Обмежено",
    {
        "fill": "ліміт однієї заправки",
        "day": "денний ліміт",
        "week": "тижневий ліміт",
        "month": "місячний ліміт",
        "tank": "бак автомобіля",
        "funds": "залишок рахунку",
        "allotment": "залишок рахунку",
        "purse": "кошти на картці",
    },
    {"vehicle": "автомобіль", "account": "рахунок", "offline": "без центру"},
)
