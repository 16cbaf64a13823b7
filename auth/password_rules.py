"""What a new password must be, after NIST SP 800-63B: long, not one that many have, and not one's own name.

There are no rules of composition: no kind of character is asked for, and none that can be typed is refused.
"""

import re
from collections.abc import Sequence

from app.domain.problems import Problem
from auth.passwords import LONGEST_FORM, normal

SHORTEST, LONGEST = 12, 1_000

_EASIEST = 1e8
"""Guesses that have to be needed at least, by zxcvbn's estimate, which tries the 30,000 commonest passwords, words,
names, dates, and rows of keys first. It calls less than that 'somewhat guessable' while sign-ins are slowed down."""

_ESTIMATED = 32
"""Characters up to which it is asked: its time grows with the square of them, and longer ones are never common."""

_LEFT = 4
_LEFT_DIGITS = 8


def length_problem(password: str, path: tuple[str, ...]) -> Problem | None:
    """What is wrong with the length of a new password, or with what it is made of."""
    # NFKC makes several characters of some single ones; those that were typed count.
    typed = len(password)
    written = len(normal(password)) if typed <= LONGEST else typed
    shown = min(typed, written)
    if shown < SHORTEST:
        said = f"The password has {shown} characters: use {SHORTEST} or more."
        return Problem(path, "INVALID", said, params={"min": SHORTEST, "actual": shown})
    if typed > LONGEST:
        said = f"The password has {typed} characters; {LONGEST} are allowed."
        return Problem(path, "TOO_LONG", said, params={"max": LONGEST, "actual": typed})
    if written > LONGEST_FORM:
        said = f"Written out, as Unicode has it, the password has {written} characters; {LONGEST_FORM} are allowed."
        return Problem(path, "TOO_LONG", said, params={"max": LONGEST_FORM, "actual": written})
    if any(c < " " or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in password):
        said = "The password holds a control character: use what can be typed, spaces too."
        return Problem(path, "INVALID", said)
    return None


def weakness(password: str, known: Sequence[str], path: tuple[str, ...]) -> Problem | None:
    """Why a new password of a good length is too easy to guess for somebody of whom ``known`` is known, such as
    name, email, and shop.

    It takes up to some hundredths of a second.
    """
    plain = normal(password).casefold()
    parts = _parts(known)
    if _only(plain, parts):
        said = "The password is little more than your name, your email, or that of the shop: use something else."
        return Problem(path, "INVALID", said)
    unit = _unit(plain)
    if len(set(plain)) <= 3 or len(unit) < SHORTEST // 2:
        return Problem(path, "INVALID", "The password repeats a few characters: use something longer that does not.")
    if len(unit) <= _ESTIMATED and _guesses(unit, parts) < _EASIEST:
        said = (
            "The password is one of the first that are tried: use several words that have nothing to do with another."
        )
        return Problem(path, "INVALID", said)
    return None


def problem_of(password: str, known: Sequence[str], path: tuple[str, ...]) -> Problem | None:
    """What is wrong with a new password, of whatever length."""
    return length_problem(password, path) or weakness(password, known, path)


def _parts(known: Sequence[str]) -> list[str]:
    """Names and emails, and the words that they are made of; the longest first."""
    found: set[str] = set()
    for text in known:
        plain = normal(text).casefold()
        found |= {plain, plain.partition("@")[0], *re.split(r"[\W_]+", plain)}
    return sorted((part for part in found if len(part) > 2), key=lambda part: (-len(part), part))


def _only(plain: str, parts: Sequence[str]) -> bool:
    """Whether hardly anything is left of a password without the parts."""
    left = plain
    for part in parts:
        left = left.replace(part, " ")
    if left == plain:
        return False
    letters = "".join(c for c in left if c.isalnum())
    return len(letters) < _LEFT or (letters.isdigit() and len(letters) < _LEFT_DIGITS)


def _unit(plain: str) -> str:
    """What a password repeats, perhaps broken off at its end; itself, if it repeats nothing."""
    for length in range(1, len(plain) // 2 + 1):
        if plain.startswith(plain[length:]):
            return plain[:length]
    return plain


def _guesses(plain: str, parts: Sequence[str]) -> float:
    # Its lists take 20 MB and a tenth of a second: they are for the processes that ever set a password.
    from zxcvbn import zxcvbn

    return float(zxcvbn(plain, user_inputs=list(parts))["guesses"])
