"""A holder's purses and the vouchers made from them: accounts of lots, with their names. State only."""

from controller.domain.programmes.ledger import points_of
from controller.domain.programmes.lots import LotAccount


class Purse(LotAccount):
    """What a holder can spend of one purse. Its vouchers hold the rest of the holder's points."""

    __slots__ = ("points_name", "vouchers")

    def __init__(self, holder: str, purse: str) -> None:
        super().__init__(f"available:{holder}:{purse}", points_of(purse))
        self.points_name = f"points:{holder}:{purse}"
        self.vouchers: list[Voucher] = []


class Voucher(LotAccount):
    """Points set apart for one driver or vehicle, spent in parts with a PIN of its own."""

    __slots__ = ("cancelled", "id", "pin_wrong", "plate", "purse", "purse_name")

    def __init__(self, identity: str, purse: Purse, purse_name: str, plate: str | None) -> None:
        super().__init__(f"voucher:{identity}", purse.commodity)
        self.id = identity
        self.purse = purse
        self.purse_name = purse_name
        self.plate = plate
        self.cancelled = False
        self.pin_wrong = 0
