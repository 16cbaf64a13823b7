"""GraphiQL, the page for trying the API in a browser, with the steps of a first visit written into it."""

from strawberry.http.ides import get_graphql_ide_html

EXAMPLES = """# 1. Sign in: run SignIn, copy the accessToken, and put it into the Headers below in place of TOKEN.
# 2. Run any of the others with the button above (Ctrl-Enter).

mutation SignIn {
  signIn(email: "admin@rapport.example", password: "rapport demo 2026") {
    accessToken
    expiresAt
    errors { message }
  }
}

query WhoAmI {
  viewer {
    user { name role { name } team { name } }
    permissions { entity action rows }
  }
}

query NewestCustomers {
  customers(first: 5, where: { kind: { eq: COMPANY } }) {
    nodes { id name email owner { name } orders(first: 3) { nodes { number status total { amount currency } } } }
    pageInfo { hasNextPage endCursor }
    totalCount
  }
}

query UrgentTickets {
  tickets(first: 10, where: { status: { eq: OPEN } }, orderBy: [{ field: PRIORITY, direction: DESC }]) {
    nodes { number subject priority isOverdue customer { name } assignee { name } }
  }
}
"""

_HEADERS = '{ "Authorization": "Bearer TOKEN" }'


def page() -> bytes:
    """Strawberry's GraphiQL page with our examples, and a place for the token."""
    html = get_graphql_ide_html("graphiql")
    start = html.index("const EXAMPLE_QUERY = `") + len("const EXAMPLE_QUERY = `")
    html = html[:start] + EXAMPLES + html[html.index("`;", start) :]
    asked = "React.useState(parameters.headers)"
    assert asked in html, "Strawberry's GraphiQL page has changed: see schema/graphiql.py."
    return html.replace(asked, f"React.useState(parameters.headers || '{_HEADERS}')").encode()
