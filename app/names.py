"""Names and addresses of people, as they are kept: no two that look the same, nothing in them that cannot be seen."""

import re
import unicodedata
from collections.abc import Iterable

LOCAL, DOMAIN, LABEL = 64, 253, 63
"""The characters that the parts of an address may have (RFC 5321, RFC 1035)."""

# These have a meaning of their own in the header of a mail (RFC 5322), wherever somebody writes an address there.
_SPECIAL = frozenset('"(),:;<>[\\]')
_JOINERS = "\u200c\u200d"
_UNSEEN = ("Cc", "Cf", "Co")
_SPACES = re.compile(r"\s+")
_TOGETHER = frozenset(("LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"))
"""Scripts of which one word may have several. Latin among letters of any other is a way to look like somebody else."""


def normal_name(text: str) -> str:
    """The name with its characters composed, and single spaces between its words."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def normal_email(text: str) -> str:
    """The address as it is kept and compared: characters that only look different are the same (NFKC), and the domain
    is in lower case. Two addresses that differ in upper and lower case alone are one as well; the database says so."""
    local, at, domain = unicodedata.normalize("NFKC", text).strip().rpartition("@")
    return f"{local}{at}{domain.lower()}"


def name_problem(name: str) -> str | None:
    """What is wrong with a normal name, as a sentence about it; None where nothing is."""
    unseen = next((c for c in name if unicodedata.category(c) in _UNSEEN and c not in _JOINERS), None)
    return None if unseen is None else f"holds a character that cannot be seen: U+{ord(unseen):04X}."


def email_problem(email: str) -> str | None:
    """What is wrong with a normal address, as a sentence about it; None where nothing is."""
    if email.count("@") != 1:
        return "must have one @, as in anna@example.com."
    local, _, domain = email.partition("@")
    odd = next((c for c in email if not _visible(c)), None)
    if odd is not None:
        return f"holds a character that no address has: U+{ord(odd):04X}."
    if not 1 <= len(local) <= LOCAL or local.startswith(".") or local.endswith(".") or ".." in local:
        return f"must have 1 to {LOCAL} characters before the @, and dots only between others, as in anna@example.com."
    labels = domain.split(".")
    if len(domain) > DOMAIN or not all(map(_is_label, labels)):
        return "must have a domain after the @, as in anna@example.com."
    mixed = next((part for part in (*local.split("."), *labels) if _mixes(part)), None)
    if mixed is not None:
        return f"has letters of several scripts in {mixed!r}: it would look like another address."
    return None


def _visible(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and character not in _SPECIAL


def _is_label(label: str) -> bool:
    if not 1 <= len(label) <= LABEL or label.startswith("-") or label.endswith("-"):
        return False
    return all(c == "-" or unicodedata.category(c)[0] in "LMN" for c in label)


def _mixes(part: str) -> bool:
    found = set(_scripts(part))
    return len(found) > 1 and not found <= _TOGETHER


def _scripts(part: str) -> Iterable[str]:
    for character in part:
        if unicodedata.category(character)[0] == "L":
            yield unicodedata.name(character, "UNKNOWN").partition(" ")[0]
