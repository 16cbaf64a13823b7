"""The closed sets of values that records hold. Members stand in the order in which the API lists them."""

from enum import StrEnum, auto


class Upper(StrEnum):
    """A set whose values are its members' names, as GraphQL prints them."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name


class CustomerKind(Upper):
    """Whether a customer is a person or a company."""

    PERSON = auto()
    COMPANY = auto()


class CustomerTier(Upper):
    """How valued a customer is."""

    STANDARD = auto()
    SILVER = auto()
    GOLD = auto()
    PLATINUM = auto()


class CustomerStatus(Upper):
    """Where a customer stands in its life with the shop."""

    LEAD = auto()
    ACTIVE = auto()
    DORMANT = auto()
    LOST = auto()


class StageKind(Upper):
    """Whether a stage of the pipeline is under way, or which end it is."""

    OPEN = auto()
    WON = auto()
    LOST = auto()


class OrderStatus(Upper):
    """The states of an order."""

    PENDING_PAYMENT = auto()
    PAID = auto()
    SHIPPED = auto()
    DELIVERED = auto()
    COMPLETED = auto()
    CANCELLED = auto()
    REFUNDED = auto()


class TicketStatus(Upper):
    """The states of a ticket."""

    OPEN = auto()
    PENDING = auto()
    RESOLVED = auto()
    CLOSED = auto()


class TicketPriority(Upper):
    """Urgency, the least urgent first."""

    LOW = auto()
    NORMAL = auto()
    HIGH = auto()
    URGENT = auto()


class TicketKind(Upper):
    """What a ticket is about."""

    INQUIRY = auto()
    COMPLAINT = auto()
    AFTER_SALES = auto()
    TECHNICAL = auto()
    OTHER = auto()


class TicketChannel(Upper):
    """How a ticket reached the shop."""

    PHONE = auto()
    EMAIL = auto()
    CHAT = auto()
    WEB = auto()
    SOCIAL = auto()


class RowScope(Upper):
    """Which rows a grant covers, the fewest first."""

    NONE = auto()
    OWN = auto()
    ASSIGNED = auto()
    TEAM = auto()
    ALL = auto()


class FieldAccess(Upper):
    """How much of a field a role may see."""

    HIDDEN = auto()
    MASKED = auto()
    READ = auto()


class AuditOutcome(Upper):
    """How a deed that is on record ended."""

    OK = auto()
    DENIED = auto()
    FAILED = auto()


class TimeBucket(Upper):
    """How time is cut: weeks begin on Monday (ISO 8601)."""

    DAY = auto()
    WEEK = auto()
    MONTH = auto()
    QUARTER = auto()
    YEAR = auto()


class RfmSegment(Upper):
    """How recently, how often, and for how much a customer has bought."""

    CHAMPIONS = auto()
    LOYAL = auto()
    ACTIVE = auto()
    NEW = auto()
    PROMISING = auto()
    NEEDS_ATTENTION = auto()
    AT_RISK = auto()
    PREVIOUSLY_LOYAL = auto()
    ALMOST_LOST = auto()
    DORMANT = auto()
    PROSPECTS = auto()


class ChurnState(Upper):
    """Whether a customer still buys in its rhythm."""

    NEVER_BOUGHT = auto()
    ACTIVE = auto()
    DUE = auto()
    CHURNED = auto()


class CountedMetric(Upper):
    """A metric of customers of which is kept how many have which value."""

    FREQUENCY = auto()
    RHYTHM = auto()


class TicketCount(Upper):
    """Of which tickets is kept how many there are each day.

    OPENED: those made on that day; RESOLVED: those resolved on it; SETTLED: those that were both made and settled by
    then, and not before. The others are of those made on that day, by a label: their channel, kind, priority or
    satisfaction; whether their first RESPONSE_KEPT the time for it or their RESOLUTION_KEPT its own, as far as that
    will not change by itself; between which limits the minutes to their first response (ANSWERED_IN) or resolution
    (RESOLVED_IN) are.
    """

    OPENED = auto()
    RESOLVED = auto()
    SETTLED = auto()
    CHANNEL = auto()
    KIND = auto()
    PRIORITY = auto()
    SATISFACTION = auto()
    RESPONSE_KEPT = auto()
    RESOLUTION_KEPT = auto()
    ANSWERED_IN = auto()
    RESOLVED_IN = auto()


class WinRateKey(Upper):
    """What win rates are told by."""

    OWNER = auto()
    TEAM = auto()
    PRODUCT = auto()
    MONTH = auto()


class ProductRanking(Upper):
    """What makes a product the first."""

    REVENUE = auto()
    QUANTITY = auto()
    ORDERS = auto()
