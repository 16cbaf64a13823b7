"""The mutations of tickets."""

from tests.oracle.rows import typed_id
from tests.writing.deeds import Deed

DEEDS = (
    Deed(
        "createTicket",
        "create",
        "Ticket",
        'mutation($customer: ID!) { createTicket(input: { customerId: $customer, subject: "Help" })'
        " { ticket { id number subject customer { id } } errors { field code message } } }",
        about="Customer",
        variables=lambda office, row: {"customer": typed_id(row)},
    ),
)
