"""Roles of the shop's own, which say what the built-in ones never say."""

from collections.abc import Mapping

Field = tuple[str, str, str]
"""Access, on which rows, and access elsewhere."""

Role = Mapping[tuple[str, str], tuple[str, Mapping[str, Field]]]
"""(entity, action) → rows, and the fields that are not plainly READ."""

MASKED: Field = ("MASKED", "ALL", "MASKED")
HIDDEN: Field = ("HIDDEN", "ALL", "HIDDEN")
OWN_OR_MASKED: Field = ("READ", "OWN", "MASKED")
OWN_OR_HIDDEN: Field = ("READ", "OWN", "HIDDEN")

PARTNER: Role = {
    ("Customer", "read"): (
        "TEAM",
        {
            "name": OWN_OR_MASKED,
            "email": OWN_OR_MASKED,
            "phone": ("MASKED", "OWN", "HIDDEN"),
            "city": ("READ", "TEAM", "HIDDEN"),
            "industry": ("HIDDEN", "OWN", "READ"),
            "source": MASKED,
            "notes": OWN_OR_HIDDEN,
            "owner": OWN_OR_HIDDEN,
            "lastOrderAt": OWN_OR_HIDDEN,
            "averageOrderValue": OWN_OR_HIDDEN,
            "rfmScores": OWN_OR_HIDDEN,
            "daysBetweenOrders": HIDDEN,
        },
    ),
    ("Customer", "restore"): ("OWN", {}),
    ("Contact", "read"): (
        "TEAM",
        {"lastName": OWN_OR_MASKED, "email": OWN_OR_HIDDEN, "birthday": OWN_OR_HIDDEN, "title": OWN_OR_MASKED},
    ),
    ("Opportunity", "read"): (
        "TEAM",
        {
            "expectedCloseOn": OWN_OR_HIDDEN,
            "closedAt": OWN_OR_HIDDEN,
            "lossReason": MASKED,
            "contact": OWN_OR_HIDDEN,
            "name": OWN_OR_MASKED,
        },
    ),
    ("StageChange", "read"): ("TEAM", {"changedBy": OWN_OR_HIDDEN}),
    ("Order", "read"): ("TEAM", {"paidAt": OWN_OR_HIDDEN, "channel": OWN_OR_MASKED, "number": OWN_OR_MASKED}),
    ("OrderLine", "read"): ("TEAM", {"name": OWN_OR_MASKED}),
    ("OrderStatusChange", "read"): ("OWN", {"reason": MASKED}),
    ("Ticket", "read"): (
        "TEAM",
        {"satisfaction": OWN_OR_HIDDEN, "subject": OWN_OR_MASKED, "assignee": OWN_OR_HIDDEN, "category": OWN_OR_HIDDEN},
    ),
    ("TicketComment", "read"): ("TEAM", {"body": OWN_OR_MASKED}),
    ("TicketComment", "readInternal"): ("OWN", {}),
    ("User", "read"): ("TEAM", {"email": OWN_OR_MASKED, "lastLoginAt": OWN_OR_HIDDEN, "role": OWN_OR_HIDDEN}),
    ("Role", "read"): ("OWN", {}),
    ("Product", "read"): ("ALL", {}),
    ("Stage", "read"): ("ALL", {}),
    ("Team", "read"): ("ALL", {}),
}
"""Sees the team's rows, and plainly only its own."""

CLERK: Role = {
    ("Customer", "read"): (
        "ALL",
        {"phone": ("READ", "ASSIGNED", "HIDDEN"), "email": ("MASKED", "ASSIGNED", "HIDDEN"), "notes": HIDDEN},
    ),
    ("Contact", "read"): ("OWN", {"phone": ("READ", "ASSIGNED", "MASKED"), "firstName": MASKED}),
    ("Opportunity", "read"): ("ALL", {"lossNotes": OWN_OR_HIDDEN, "owner": HIDDEN}),
    ("StageChange", "read"): ("OWN", {}),
    ("Customer", "restore"): ("TEAM", {}),
    ("Order", "read"): ("TEAM", {"opportunity": HIDDEN}),
    ("User", "read"): ("OWN", {}),
}
"""Sees the orders of some of the customers that it sees. Has no stages, products, lines, tickets, teams or roles."""

SCOUT: Role = {
    ("Customer", "read"): ("ALL", {"name": MASKED, "code": HIDDEN, "tags": HIDDEN, "externalRefs": HIDDEN}),
    ("Contact", "read"): (
        "ALL",
        {"firstName": MASKED, "lastName": MASKED, "email": MASKED, "phone": HIDDEN, "fullName": MASKED},
    ),
    ("Ticket", "read"): ("OWN", {"number": MASKED}),
    ("Ticket", "restore"): ("OWN", {}),
    ("TicketComment", "read"): ("ALL", {}),
    ("Stage", "read"): ("ALL", {"kind": HIDDEN}),
    ("Product", "read"): ("ALL", {"price": HIDDEN}),
    ("Team", "read"): ("ALL", {}),
}
"""Has no orders, opportunities, users or roles."""

ROLES: Mapping[str, Role] = {"PARTNER": PARTNER, "CLERK": CLERK, "SCOUT": SCOUT, "EMPTY": {}}
