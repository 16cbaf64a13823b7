"""Templates: text with columns of the file in braces, such as ``{agent|mailbox}@maven.example``.

A column may pass through filters, from left to right: ``lower``, ``upper``, ``title``, ``words`` (underscores and
hyphens become spaces), ``slug`` (``GTX Plus Pro`` → ``gtx-plus-pro``), ``mailbox`` (``Mei-Mei Johns`` →
``mei-mei.johns``), ``digits`` and ``first:N``. ``{{`` and ``}}`` stand for braces. A template all of whose columns are
empty is empty; one without columns is a constant.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.importing.errors import ImportRefusedError

Row = Sequence[str]
Getter = Callable[[Row], str]
Filter = Callable[[str], str]


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _mailbox(text: str) -> str:
    return re.sub(r"[^a-z0-9._+-]", "", re.sub(r"\s+", ".", _ascii(text).strip().lower()))


FILTERS: Mapping[str, Filter] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "words": lambda text: " ".join(re.split(r"[_\s-]+", text)).strip(),
    "slug": lambda text: re.sub(r"[^a-z0-9]+", "-", _ascii(text).lower()).strip("-"),
    "mailbox": _mailbox,
    "digits": lambda text: "".join(c for c in text if "0" <= c <= "9"),
}
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<column>[^{}|]+)(?P<filters>(?:\|[a-z]+(?::\d+)?)*)\}|(?P<stray>[{}])")


@dataclass(frozen=True)
class Template:
    """A parsed template: constant pieces, and columns each with its filters."""

    text: str
    pieces: tuple[str | tuple[str, tuple[Filter, ...]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the file that it names, each once."""
        return tuple(dict.fromkeys(piece[0] for piece in self.pieces if not isinstance(piece, str)))

    def getter(self, cell: Callable[[str], Getter]) -> Getter:
        """A function from a row to the text; ``cell`` gives the one that reads a column, trimmed."""
        if not self.columns:
            constant = "".join(piece for piece in self.pieces if isinstance(piece, str)).strip()
            return lambda _row: constant
        parts = [p if isinstance(p, str) else _filtered(cell(p[0]), p[1]) for p in self.pieces]
        if len(parts) == 1 and not isinstance(parts[0], str):
            return parts[0]

        def fill(row: Row) -> str:
            cells = [part if isinstance(part, str) else part(row) for part in parts]
            if not any(text for text, part in zip(cells, parts, strict=True) if not isinstance(part, str)):
                return ""
            return "".join(cells).strip()

        return fill


def parse_template(text: str) -> Template:
    """The template of ``text``; ImportRefusedError says what in it cannot be read."""
    pieces: list[str | tuple[str, tuple[Filter, ...]]] = []
    end = 0
    for match in _PIECE.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match["stray"]:
            raise ImportRefusedError(
                f"The template {text!r} has a brace without its pair at character {match.start() + 1}: write"
                " {column}, {column|filter}, or a doubled brace for the brace itself."
            )
        if match["column"]:
            named = match["filters"].split("|")[1:]
            pieces.append((match["column"].strip(), tuple(_filter(name, text) for name in named)))
        else:
            pieces.append(match[0][0])
    pieces.append(text[end:])
    return Template(text, tuple(piece for piece in pieces if piece))


def _filter(name: str, template: str) -> Filter:
    if name in FILTERS:
        return FILTERS[name]
    word, _, size = name.partition(":")
    if word == "first" and size:
        length = int(size)
        return lambda text: text[:length]
    known = ", ".join([*FILTERS, "first:N"])
    raise ImportRefusedError(f"The template {template!r} names an unknown filter {name!r}: there are {known}.")


def _filtered(cell: Getter, filters: tuple[Filter, ...]) -> Getter:
    if not filters:
        return cell
    known: dict[str, str] = {}

    def read(row: Row) -> str:
        text = cell(row)
        found = known.get(text)
        if found is None:
            found = text
            for change in filters:
                found = change(found)
            if len(known) < 10_000:  # Cells repeat; the bound keeps the memory of a long file constant.
                known[text] = found
        return found

    return read
