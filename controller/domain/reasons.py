"""The catalogue of reasons: one code, and its text for each reader.

Terminal, receipt, journal and documentation take their words from here. A code never changes its meaning.
"""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    CARD_UNKNOWN = "card_unknown"
    PLATE_UNKNOWN = "plate_unknown"
    CARD_BLOCKED = "card_blocked"
    CARD_NOT_PROVEN = "card_not_proven"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    PRODUCT_NOT_ALLOWED = "product_not_allowed"
    PLATE_MISMATCH = "plate_mismatch"
    ODOMETER_IMPLAUSIBLE = "odometer_implausible"
    LIMIT_DAY = "limit_day"
    LIST_UNREADABLE = "list_unreadable"
    LIST_MISSING = "list_missing"
    PRICE_MISSING = "price_missing"
    PUMP_NOT_CALLING = "pump_not_calling"
    PUMP_BUSY = "pump_busy"
    PUMP_OFFLINE = "pump_offline"
    PUMP_REFUSED = "pump_refused"
    PUMP_STOPPED = "pump_stopped"
    TWO_UNPAID = "two_unpaid"
    POINT_UNKNOWN = "point_unknown"
    NOTHING_TO_ANSWER = "nothing_to_answer"
    DELIVERY_UNKNOWN = "delivery_unknown"
    ALREADY_SETTLED = "already_settled"
    LEASED_ELSEWHERE = "leased_elsewhere"
    NOT_LEASED = "not_leased"
    TENDER_TOO_SMALL = "tender_too_small"
    TENDER_TOO_LARGE = "tender_too_large"
    PRESET_INVALID = "preset_invalid"
    JOURNAL_FULL = "journal_full"
    HEADQUARTERS_SILENT = "headquarters_silent"
    HEADQUARTERS_REFUSED = "headquarters_refused"
    STATION_STOPPING = "station_stopping"
    COMMAND_REUSED = "command_reused"
    PUMP_UNSUPPORTED = "pump_unsupported"
    PUMP_WRONG_STATE = "pump_wrong_state"
    PUMP_NOT_CONFIRMED = "pump_not_confirmed"
    GRADE_UNKNOWN = "grade_unknown"
    PRICE_INVALID = "price_invalid"
    PRICE_BY_HEADQUARTERS = "price_by_headquarters"
    TEST_MEASURE = "test_measure"
    GRADE_NOT_HERE = "grade_not_here"
    GRADE_NOT_LIFTED = "grade_not_lifted"
    PRICE_NOT_SHOWN = "price_not_shown"
    PHONE_NOT_PROVEN = "phone_not_proven"
    QR_NOT_PROVEN = "qr_not_proven"
    PLATE_NOT_SURE = "plate_not_sure"
    PHONE_UNKNOWN = "phone_unknown"
    QR_UNKNOWN = "qr_unknown"
    VOUCHER_UNKNOWN = "voucher_unknown"
    STATION_NOT_ALLOWED = "station_not_allowed"
    TIME_NOT_ALLOWED = "time_not_allowed"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED = "pin_locked"
    PIN_UNREADABLE = "pin_unreadable"
    DRIVER_UNKNOWN = "driver_unknown"
    LIMIT_FILL = "limit_fill"
    LIMIT_WEEK = "limit_week"
    LIMIT_MONTH = "limit_month"
    TANK_CAPACITY = "tank_capacity"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NEEDS_HEADQUARTERS = "needs_headquarters"
    LIMIT_OFFLINE = "limit_offline"
    TOKEN_UNCLEAR = "token_unclear"
    QR_EARLY = "qr_early"
    QR_EXPIRED = "qr_expired"
    QR_USED = "qr_used"
    DEVICE_ONLY = "device_only"
    ALLOTMENT_INVALID = "allotment_invalid"
    CARD_FOREIGN = "card_foreign"
    CARD_CLONED = "card_cloned"
    CARD_ROLLED_BACK = "card_rolled_back"
    CARD_CURRENCY = "card_currency"
    CARD_KEY_MISSING = "card_key_missing"
    CARD_SILENT = "card_silent"
    CARD_TAKEN_AWAY = "card_taken_away"
    CARD_GARBLED = "card_garbled"
    CARD_FAULTY = "card_faulty"
    CARD_OTHER = "card_other"
    ENTITLEMENT_FORGED = "entitlement_forged"
    ENTITLEMENT_UNCHECKED = "entitlement_unchecked"
    READER_SHARED = "reader_shared"
    READER_DOWN = "reader_down"
    PURSE_MISSING = "purse_missing"
    PURSE_UNSUPPORTED = "purse_unsupported"
    PURSE_EMPTY = "purse_empty"
    PURSE_UNKNOWN = "purse_unknown"
    PURSE_IN_USE = "purse_in_use"
    PURSE_ELSEWHERE = "purse_elsewhere"
    PURSE_NOT_OPEN = "purse_not_open"
    RELEASE_FORGED = "release_forged"
    DRIVER_CANCELLED = "driver_cancelled"
    NOT_ANSWERED = "not_answered"
    CODE_LOCKED = "code_locked"
    QUESTION_GONE = "question_gone"
    QUESTION_NOT_NAMED = "question_not_named"

    MANAGER_ONLY = "manager_only"
    RESERVATION_UNKNOWN = "reservation_unknown"
    RESERVATION_IN_USE = "reservation_in_use"
    UNRESERVE_INVALID = "unreserve_invalid"
    CONTRACT_NOT_VALID = "contract_not_valid"
    POINTS_INVALID = "points_invalid"
    POINTS_BEING_TAKEN = "points_being_taken"
    POINTS_NOT_HEARD = "points_not_heard"


class ReasonText(msgspec.Struct, frozen=True):
    """`attendant`: what happened and what to do now. `driver`: what the receipt or display says."""

    attendant: str
    driver: str


CATALOGUE: dict[Reason, ReasonText] = {
    Reason.CARD_UNKNOWN: ReasonText(
        "This card is not on the list: take another means of payment", "Card not known here"
    ),
    Reason.PLATE_UNKNOWN: ReasonText(
        "This plate is not on the list: take another means of payment", "Plate not known here"
    ),
    Reason.CARD_BLOCKED: ReasonText(
        "This card or plate is on the stop list: do not serve it on account", "Card blocked: ask your company"
    ),
    Reason.CARD_NOT_PROVEN: ReasonText("The card could not prove itself: it may be a copy", "Card not accepted"),
    Reason.NOT_YET_VALID: ReasonText("This card or plate is valid from a later day", "Not valid yet"),
    Reason.EXPIRED: ReasonText("This card or plate has expired", "Expired: ask your company for another"),
    Reason.PRODUCT_NOT_ALLOWED: ReasonText(
        "This card or plate may not buy this grade: ask for another nozzle", "This product is not allowed"
    ),
    Reason.PLATE_MISMATCH: ReasonText(
        "The plate is not the one of this card: look at the vehicle", "Plate does not fit the card"
    ),
    Reason.ODOMETER_IMPLAUSIBLE: ReasonText(
        "The odometer is below the last one, or too far above it: read it again; if it is right, the manager resets it",
        "Odometer reading not plausible",
    ),
    Reason.LIMIT_DAY: ReasonText(
        "The day's limit of this card or plate, its vehicle or its account is used up", "Day limit used up"
    ),
    Reason.LIST_UNREADABLE: ReasonText(
        "The card list cannot be read: sell for cash, and import it again (forecourt whitelist import)",
        "Cards not accepted at the moment",
    ),
    Reason.LIST_MISSING: ReasonText(
        "There is no card list yet: sell for cash, and import one (forecourt whitelist import)",
        "Cards not accepted at the moment",
    ),
    Reason.PRICE_MISSING: ReasonText(
        "This nozzle has no grade and no price in station.toml: add them there", "Pump out of order"
    ),
    Reason.PUMP_NOT_CALLING: ReasonText("No nozzle is lifted at this pump", "Lift the nozzle first"),
    Reason.PUMP_BUSY: ReasonText(
        "The pump is delivering or being authorised: wait until it has finished", "Please wait"
    ),
    Reason.PUMP_OFFLINE: ReasonText("The pump does not answer: check its power and its cable", "Pump out of order"),
    Reason.PUMP_REFUSED: ReasonText(
        "The pump did not take the order: hang up the nozzle and try again", "Please hang up and try again"
    ),
    Reason.PUMP_STOPPED: ReasonText(
        "This pump was stopped: the nozzle must be hung up first", "Hang up the nozzle, please"
    ),
    Reason.TWO_UNPAID: ReasonText(
        "Two deliveries wait unpaid at this pump: take the money for one first", "Please pay first"
    ),
    Reason.POINT_UNKNOWN: ReasonText("There is no such pump at this station", "No such pump"),
    Reason.NOTHING_TO_ANSWER: ReasonText("This pump does not wait for an answer any more", "Present the card again"),
    Reason.DELIVERY_UNKNOWN: ReasonText("There is no such delivery", "No such delivery"),
    Reason.ALREADY_SETTLED: ReasonText("This delivery is paid already", "Paid already"),
    Reason.LEASED_ELSEWHERE: ReasonText(
        "Another till is taking the money for this delivery", "Being paid at another till"
    ),
    Reason.NOT_LEASED: ReasonText("Open the sale at this till first", "Please wait"),
    Reason.TENDER_TOO_SMALL: ReasonText("The money given is less than the amount", "Not enough money"),
    Reason.TENDER_TOO_LARGE: ReasonText(
        "A bank card pays exactly the amount: no cash is given back on it", "The card pays the exact amount"
    ),
    Reason.PRESET_INVALID: ReasonText("A preset is one of money or volume, above zero", "Preset not possible"),
    Reason.JOURNAL_FULL: ReasonText(
        "The journal cannot be written (disk full or broken): nothing new is sold until there is room again",
        "Station out of order",
    ),
    Reason.HEADQUARTERS_SILENT: ReasonText(
        "Headquarters did not answer in time: ask again later", "Not available at the moment"
    ),
    Reason.HEADQUARTERS_REFUSED: ReasonText(
        "Headquarters refuses to answer: ask its office", "Not available: ask your company"
    ),
    Reason.STATION_STOPPING: ReasonText(
        "The station is being stopped: look whether it was done when it runs again", "Please wait"
    ),
    Reason.COMMAND_REUSED: ReasonText(
        "This command id was used for something else: send a new one", "Please try again"
    ),
    Reason.PUMP_UNSUPPORTED: ReasonText(
        "This pump has no such function: do it at the pump itself, if it can be done there", "Not possible at this pump"
    ),
    Reason.PUMP_WRONG_STATE: ReasonText(
        "This cannot be done in what the pump is doing now: look at its tile, and try again", "Not possible now"
    ),
    Reason.PUMP_NOT_CONFIRMED: ReasonText(
        "The pump did not confirm this: go and look whether it was done", "Please wait"
    ),
    Reason.GRADE_UNKNOWN: ReasonText("There is no such grade at this station", "No such product"),
    Reason.PRICE_INVALID: ReasonText(
        "A price is a number above zero, such as 43.79, with no more decimals than the pumps show",
        "Price not possible",
    ),
    Reason.PRICE_BY_HEADQUARTERS: ReasonText(
        "Headquarters sets this price by its list (prices.set_by in station.toml): ask there for another",
        "Price set by headquarters",
    ),
    Reason.TEST_MEASURE: ReasonText(
        "This delivery was a test measure: its fuel is back in the tank", "Nothing to pay: test measure"
    ),
    Reason.GRADE_NOT_HERE: ReasonText(
        "This pump has no such grade: name one of its grades, or the number of the nozzle", "Not at this pump"
    ),
    Reason.GRADE_NOT_LIFTED: ReasonText(
        "Another nozzle than of this grade is lifted: ask the customer which fuel it shall be",
        "Lift the right nozzle, please",
    ),
    Reason.PRICE_NOT_SHOWN: ReasonText(
        "The pump does not show the station's price of this grade: hang up, the price is being sent",
        "Please hang up and try again",
    ),
    Reason.PHONE_NOT_PROVEN: ReasonText(
        "The phone number was told and not proven: take another means of payment", "Phone not confirmed"
    ),
    Reason.QR_NOT_PROVEN: ReasonText(
        "This code is not signed by headquarters: take another means of payment", "Code not valid"
    ),
    Reason.PLATE_NOT_SURE: ReasonText(
        "This account wants the plate read by a camera or a tag, not typed: take another means of payment",
        "Plate not read: use your card",
    ),
    Reason.PHONE_UNKNOWN: ReasonText(
        "This phone is not on the list: take another means of payment", "Phone not known here"
    ),
    Reason.QR_UNKNOWN: ReasonText("This code is not on the list: take another means of payment", "Code not known here"),
    Reason.VOUCHER_UNKNOWN: ReasonText(
        "This voucher is not on the list: read its number again", "Voucher not known here"
    ),
    Reason.STATION_NOT_ALLOWED: ReasonText(
        "This card or plate may not buy at this station: take another means of payment", "Not allowed at this station"
    ),
    Reason.TIME_NOT_ALLOWED: ReasonText(
        "This card or plate may not buy on this day or at this hour", "Not allowed at this time"
    ),
    Reason.PIN_WRONG: ReasonText("The PIN is wrong: let the driver type it again", "PIN wrong: try again"),
    Reason.PIN_LOCKED: ReasonText(
        "Three wrong PINs: it is locked here until headquarters or the manager unlocks it",
        "PIN locked: ask your company",
    ),
    Reason.PIN_UNREADABLE: ReasonText(
        "The card list has no readable PIN for this card: tell headquarters, take another means of payment",
        "PIN cannot be checked here",
    ),
    Reason.DRIVER_UNKNOWN: ReasonText(
        "This driver's code does not belong to this card: ask for it again", "Driver code not accepted"
    ),
    Reason.LIMIT_FILL: ReasonText("One fill of this card or plate is limited", "Limit of one fill"),
    Reason.LIMIT_WEEK: ReasonText(
        "The week's limit of this card or plate, its vehicle or its account is used up", "Week limit used up"
    ),
    Reason.LIMIT_MONTH: ReasonText(
        "The month's limit of this card or plate, its vehicle or its account is used up", "Month limit used up"
    ),
    Reason.TANK_CAPACITY: ReasonText("The vehicle's tank holds no more than this", "More than the tank holds"),
    Reason.INSUFFICIENT_FUNDS: ReasonText(
        "What this prepaid account may spend here is used up: take another means of payment", "Not enough money left"
    ),
    Reason.NEEDS_HEADQUARTERS: ReasonText(
        "Only headquarters can allow this, and it does not answer: take another means of payment",
        "Not possible at the moment",
    ),
    Reason.DEVICE_ONLY: ReasonText(
        "What a camera or a tag reader has seen is told with its own token, and nothing else is told with that",
        "Not possible",
    ),
    Reason.QR_EARLY: ReasonText(
        "This code is for a later time: look at the station's clock, and ask for a new one", "Code not valid yet"
    ),
    Reason.QR_EXPIRED: ReasonText("This code is too old: ask for a new one", "Code too old: make a new one"),
    Reason.QR_USED: ReasonText("This code was used before: ask for a new one", "Code used before: make a new one"),
    Reason.TOKEN_UNCLEAR: ReasonText(
        "Type one of card, plate, phone, code and voucher", "Show one card or code, please"
    ),
    Reason.LIMIT_OFFLINE: ReasonText(
        "Headquarters has not been heard for long, so limits are smaller, and this one is used up",
        "Limit used up for now",
    ),
    Reason.ALLOTMENT_INVALID: ReasonText(
        "An allotment has an account or a card, an id of its own, an amount above zero, and no last day that is over",
        "Not possible",
    ),
    Reason.CARD_FOREIGN: ReasonText(
        "This card is of another network, or has no fuel application: take another means of payment",
        "Card not accepted here",
    ),
    Reason.CARD_CLONED: ReasonText(
        "This card has the keys of another one: keep it if you can do so safely, and tell headquarters",
        "Card not accepted",
    ),
    Reason.CARD_ROLLED_BACK: ReasonText(
        "This card is older than it was here before: it was copied back. Do not serve it, and tell headquarters",
        "Card not accepted",
    ),
    Reason.CARD_CURRENCY: ReasonText(
        "This card's limits are in another currency than this station sells in",
        "Card not accepted here",
    ),
    Reason.CARD_KEY_MISSING: ReasonText(
        "The card has newer keys than this station: install the current key file from headquarters",
        "Card cannot be read here",
    ),
    Reason.CARD_SILENT: ReasonText(
        "The card does not answer: present it again; if it stays silent, it is worn out",
        "Present the card again",
    ),
    Reason.CARD_TAKEN_AWAY: ReasonText(
        "The card was taken away too early, or is not on the reader: hold it there until the pump is free",
        "Hold the card still, please",
    ),
    Reason.CARD_GARBLED: ReasonText(
        "The card answers nonsense: present it again; if every card does, the reader is broken",
        "Present the card again",
    ),
    Reason.CARD_FAULTY: ReasonText(
        "The card refused a command that it should know: present it again; if it happens again, it is worn out",
        "Present the card again",
    ),
    Reason.CARD_OTHER: ReasonText(
        "Another card lies on the reader than the one with which this began",
        "Present your first card, please",
    ),
    Reason.ENTITLEMENT_FORGED: ReasonText(
        "What the card may do is not signed by headquarters: do not serve it, and tell headquarters",
        "Card not accepted",
    ),
    Reason.ENTITLEMENT_UNCHECKED: ReasonText(
        "The card's rights are signed with a key that this station does not have: install headquarters' public keys",
        "Card cannot be read here",
    ),
    Reason.READER_SHARED: ReasonText(
        "Another program uses the card reader: end it, and present the card again",
        "Present the card again",
    ),
    Reason.READER_DOWN: ReasonText(
        "The card reader does not work: take the plate or money",
        "Card reader out of order",
    ),
    Reason.PURSE_MISSING: ReasonText(
        "The card has no purse that can be spent at a pump",
        "No purse on this card",
    ),
    Reason.PURSE_UNSUPPORTED: ReasonText(
        "This station takes no card purses: take another means of payment",
        "Card purse not accepted here",
    ),
    Reason.PURSE_EMPTY: ReasonText(
        "There is too little in the card's purse",
        "Too little on the card",
    ),
    Reason.PURSE_UNKNOWN: ReasonText(
        "It is not known whether the card was charged: present it again, the card itself will tell",
        "Present the card again",
    ),
    Reason.PURSE_IN_USE: ReasonText(
        "This card's purse is being used at a pump already: wait until that delivery has ended",
        "Card in use at another pump",
    ),
    Reason.PURSE_ELSEWHERE: ReasonText(
        "The card was used elsewhere before its rest came back: headquarters releases it. To buy, present it again",
        "Your company gives the rest back",
    ),
    Reason.PURSE_NOT_OPEN: ReasonText(
        "No card purse waits for this release: look at the number, or it was closed already",
        "Nothing to release",
    ),
    Reason.RELEASE_FORGED: ReasonText(
        "This is no release that headquarters signed: read it again from its letter, every character of it",
        "Not possible",
    ),
    Reason.DRIVER_CANCELLED: ReasonText(
        "The driver has cancelled at the pump's keypad: to go on, the card must be presented again",
        "Cancelled: present the card again",
    ),
    Reason.NOT_ANSWERED: ReasonText(
        "The driver did not answer at the pump's keypad in time: to go on, the card must be presented again",
        "Too late: present the card again",
    ),
    Reason.CODE_LOCKED: ReasonText(
        "Three wrong driver's codes: the card is locked here until headquarters or the manager unlocks it",
        "Code locked: ask your company",
    ),
    Reason.QUESTION_GONE: ReasonText(
        "This question is over: it was answered already, or the pump asks another now; look at its tile",
        "Present the card again",
    ),
    Reason.QUESTION_NOT_NAMED: ReasonText(
        "This till's program does not say which question it answers: update it to the station's version",
        "Please wait",
    ),
    Reason.MANAGER_ONLY: ReasonText(
        "Only a manager does this: at a till that station.toml marks with manager = true, or with its token",
        "Ask the manager",
    ),
    Reason.RESERVATION_UNKNOWN: ReasonText(
        "No money is reserved for a lost delivery there, or for several: name the row that the trouble names",
        "Nothing to release",
    ),
    Reason.RESERVATION_IN_USE: ReasonText(
        "This pump is still to say what it delivered: wait until it has, or until it is offline for good",
        "Please wait",
    ),
    Reason.UNRESERVE_INVALID: ReasonText(
        "Say how much was spent, from nothing to what is reserved, and how that is known", "Not possible"
    ),
    Reason.CONTRACT_NOT_VALID: ReasonText(
        "The customer's contract is not valid: take another means of payment", "Contract not valid: ask your company"
    ),
    Reason.POINTS_INVALID: ReasonText(
        "Points are a number above zero, worth no more than the amount, of a card that was shown", "Not possible"
    ),
    Reason.POINTS_BEING_TAKEN: ReasonText(
        "Points are being taken for this delivery: wait for the answer", "Please wait"
    ),
    Reason.POINTS_NOT_HEARD: ReasonText(
        "Headquarters did not answer in time: no points are used, take money or try again", "Points not available now"
    ),
}

LIMIT_NAMES: dict[str, str] = {
    "preset": "as asked for",
    "fill": "the limit of one fill",
    "day": "what is left of the day's limit",
    "week": "what is left of the week's limit",
    "month": "what is left of the month's limit",
    "tank": "the vehicle's tank",
    "funds": "what the account has left",
    "allotment": "what is set apart here for the account",
    "purse": "what the card's purse holds",
}
"""What people read for the limit that bound an approval; of a vehicle, an account, or smaller while offline: below."""
_PREFIXES = {"offline": "smaller while headquarters is away", "vehicle": "of the vehicle", "account": "of the account"}
_REASONS = {
    "fill": Reason.LIMIT_FILL,
    "day": Reason.LIMIT_DAY,
    "week": Reason.LIMIT_WEEK,
    "month": Reason.LIMIT_MONTH,
    "tank": Reason.TANK_CAPACITY,
    "funds": Reason.INSUFFICIENT_FUNDS,
    "allotment": Reason.INSUFFICIENT_FUNDS,
}


def limit_text(name: str) -> str:
    """Words for a limit's name: "account_month" is "what is left of the month's limit, of the account"."""
    *prefixes, last = name.split("_")
    return ", ".join([LIMIT_NAMES.get(last, last), *(_PREFIXES[prefix] for prefix in prefixes if prefix in _PREFIXES)])


def limit_reason(name: str) -> Reason | None:
    """The code of a limit's name; None for what was asked for."""
    return Reason.LIMIT_OFFLINE if name.startswith("offline_") else _REASONS.get(name.rsplit("_", 1)[-1])
