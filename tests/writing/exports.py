"""The mutations that make links to exports. They change nothing: the event is written when the file has gone out."""

from tests.writing.deeds import Deed

DEEDS = tuple(
    Deed(
        field,
        "export",
        entity,
        f"mutation {{ {field}(format: JSONL) {{ url expiresAt errors {{ field code message }} }} }}",
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {},
        events=0,
    )
    for field, entity in (
        ("exportCustomers", "Customer"),
        ("exportContacts", "Contact"),
        ("exportOpportunities", "Opportunity"),
        ("exportOrders", "Order"),
        ("exportTickets", "Ticket"),
        ("exportProducts", "Product"),
    )
)
