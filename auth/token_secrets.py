"""The secrets of API tokens: ``rpt_``, thirty random characters, and a checksum.

The form is that of GitHub's tokens: scanners of public repositories know the prefix, and by the checksum (CRC-32 of the
thirty characters, six digits in base 62) tell a token from what only looks like one, without asking anybody. Only a
SHA-256 hash is kept: of 178 random bits, no slow hash is needed.
"""

import re
import secrets
import zlib
from hashlib import sha256

BEGINNING = "rpt_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 30, 6
_SHOWN = 12
_FORM = re.compile(rf"{BEGINNING}([0-9A-Za-z]{{{_RANDOM}}})([0-9A-Za-z]{{{_CHECK}}})")


def new_secret() -> str:
    """A fresh secret."""
    random = "".join(secrets.choice(_DIGITS) for _ in range(_RANDOM))
    return f"{BEGINNING}{random}{checksum(random)}"


def checksum(text: str) -> str:
    """The checksum of the random part."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def is_secret(text: str) -> bool:
    """Whether a text has the form of a secret, with the right checksum."""
    match = _FORM.fullmatch(text)
    return match is not None and checksum(match[1]) == match[2]


def secret_hash(secret: str) -> bytes:
    """What is kept of a secret."""
    return sha256(secret.encode()).digest()


def shown(secret: str) -> str:
    """As much of a secret as is shown, to tell tokens apart: 48 random bits of 178."""
    return secret[:_SHOWN]
