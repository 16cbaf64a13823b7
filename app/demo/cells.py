"""Values as PostgreSQL's binary COPY takes them: each a length and bytes, so that a row is its cells one after another.

Made so, millions of rows need neither dates nor decimals nor UUIDs as Python objects, which cost most of the time.
"""

import struct
from datetime import date
from uuid import UUID

Cell = bytes

NULL: Cell = b"\xff\xff\xff\xff"
OPENING = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What stands before the first row of a COPY."""
CLOSING = b"\xff\xff"
"""What stands after the last row of a COPY."""

_TEXT_TYPE = 25
_PG_EPOCH = 946_684_800_000_000
_PG_DAY = date(2000, 1, 1).toordinal()
_LENGTH = struct.Struct(">i").pack
_WHOLE = struct.Struct(">ii").pack
_MOMENT = struct.Struct(">iq").pack
_NUMERIC = struct.Struct(">ihhhh").pack
_ARRAY = struct.Struct(">iiiii").pack
_HEADS = tuple(struct.pack(">h", count) for count in range(40))
_TRUE, _FALSE = b"\0\0\0\x01\x01", b"\0\0\0\x01\0"


def row(*cells: Cell) -> bytes:
    """One row of these cells."""
    return _HEADS[len(cells)] + b"".join(cells)


def text(value: str | None) -> Cell:
    """A text or varchar."""
    if value is None:
        return NULL
    found = value.encode()
    return _LENGTH(len(found)) + found


def texts(values: list[str]) -> Cell:
    """A text[]."""
    body = _ARRAY(1, 0, _TEXT_TYPE, len(values), 1) if values else struct.pack(">iii", 0, 0, _TEXT_TYPE)
    body += b"".join(text(value) for value in values)
    return _LENGTH(len(body)) + body


def whole(value: int | None) -> Cell:
    """An integer of four bytes."""
    return NULL if value is None else _WHOLE(4, value)


def flag(value: bool) -> Cell:
    """A boolean."""
    return _TRUE if value else _FALSE


def time(moment: int | None) -> Cell:
    """A timestamptz of microseconds since 1970 in UTC."""
    return NULL if moment is None else _MOMENT(8, moment - _PG_EPOCH)


def day(value: date | None) -> Cell:
    """A date."""
    return NULL if value is None else _WHOLE(4, value.toordinal() - _PG_DAY)


def uuid(value: UUID) -> Cell:
    """A uuid."""
    return b"\0\0\0\x10" + value.bytes


def numeric(minor: int, scale: int) -> Cell:
    """A numeric of so many minor units, 0 or more, with exactly ``scale`` decimals, 4 at most."""
    units, fraction = divmod(minor, 10**scale)
    digits = []
    while units:
        units, digit = divmod(units, 10_000)
        digits.append(digit)
    digits.reverse()
    weight = len(digits) - 1
    if fraction:
        digits.append(fraction * 10 ** (4 - scale))
    # A number has no zeros at its ends; those before the fraction are the weight's business.
    while digits and digits[-1] == 0:
        digits.pop()
    count = len(digits)
    return _NUMERIC(8 + 2 * count, count, weight if count else 0, 0, scale) + struct.pack(f">{count}h", *digits)
