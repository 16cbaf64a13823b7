"""What a compiler must know of a caller's rights, and the proof that a read has been checked against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy import ColumnElement

from app.models.base import Row
from app.reading.read import Root

How = Literal["set", "row", "among", "owned", "others", "figure"]
"""``set`` finds all rows in sight, driven by what the caller owns; ``row`` tests a row that is already at hand;
``among`` gathers rows in sight before anything else is asked of them, by the indexes of what they belong to; ``owned``
and ``others`` are those that the caller owns and all others of these; ``figure`` finds all of a table mostly in sight:
it leaves out what is gone instead of looking for what is there."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How an attribute of a row is shown: plainly where ``readable``, else masked where ``masked``, else as
    ``otherwise``, which is NULL where it is None."""

    readable: ColumnElement[bool] | bool = True
    masked: ColumnElement[bool] | bool = False
    otherwise: ColumnElement[Any] | None = None


class Sight(Protocol):
    """The rows and fields that one caller may see, as SQL. The caller's ids are bind parameters, never constants."""

    @property
    def version(self) -> ColumnElement[str]:
        """The caller's present access version, looked up when the statement runs; NULL when it may do nothing."""

    def rows(
        self,
        entity: type[Row],
        row: Any,
        how: How,
        *,
        include_deleted: bool = False,
        parent_seen: bool = False,
        referred: bool = False,
    ) -> list[ColumnElement[bool]]:
        """The conditions under which ``row`` is visible; ``parent_seen`` when it is reached from its visible parent,
        ``referred`` when a visible row refers to it."""

    def gathers(self, entity: type[Row]) -> bool:
        """Whether the first rows of an order are found sooner by gathering those in sight than by walking the order."""

    def owning(self, entity: type[Row]) -> str | None:
        """The attribute by which the caller owns rows, where those in sight are ``owned`` and ``others``."""

    def treatment(self, entity: type[Row], attribute: str, row: Any) -> Treatment:
        """How ``attribute`` of ``row`` is shown."""

    def may_see(self, entity: type[Row]) -> bool:
        """Whether the caller may see any row of ``entity`` at all."""

    def covered(self, entity: type[Row], row: Any, action: str) -> list[ColumnElement[bool]]:
        """The conditions under which ``action`` covers ``row``, which is visible."""

    def covers_all(self, entity: type[Row], action: str) -> bool:
        """Whether the caller sees every live row of ``entity`` whose parents live, and ``action`` covers them all."""

    def below(
        self, entity: type[Row], parent: Any, action: str, attributes: Sequence[str]
    ) -> ColumnElement[bool] | bool:
        """On which rows ``parent``, which are visible, every row of ``entity`` below is in sight: it may be read,
        ``action`` covers it, and so much is readable of it as ``attributes``."""

    @property
    def recorded(self) -> Sequence[type[Row]]:
        """The entities of whose records the audit log tells values."""

    @property
    def told(self) -> Sequence[str]:
        """What the audit log tells besides, by name, that everybody may know who sees the event."""

    @property
    def sees_log(self) -> bool:
        """Whether the caller sees the whole audit log."""

    def sees_all(self, entity: type[Row]) -> bool:
        """Whether every field of every row of ``entity`` is plainly readable."""

    def fields(self, entity: type[Row]) -> Mapping[str, str]:
        """The fields of ``entity`` as the API names them, and the attributes behind them."""


@dataclass(frozen=True, slots=True)
class AuthorizedRead:
    """A read that ``auth.authorize`` has checked whole. Nothing else makes one, and nothing else can be compiled."""

    root: Root
    sight: Sight
