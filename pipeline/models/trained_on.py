"""The data sets that a model was trained on, as its card names them."""

import msgspec


class TrainedOn(msgspec.Struct, frozen=True, kw_only=True):
    """A data set that a model was trained on."""

    name: str
    licence: str
    """What its owners say of it"""
    hash: str
    """16 hexadecimal digits of its files"""
