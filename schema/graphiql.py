"""GraphiQL, the page for trying the API in a browser, with the steps of a first visit written into it."""

import re

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


def policy(page: bytes) -> bytes:
    """The Content-Security-Policy of the page: scripts and styles from where it has them, and requests to us alone."""
    origins = " ".join(sorted({found.decode() for found in re.findall(rb'(?:src|href)="(https://[^/"]+)/', page)}))
    inline = "'self' 'unsafe-inline'"
    return (
        f"default-src 'none'; script-src {inline} 'unsafe-eval' {origins}; style-src {inline} {origins};"
        f" font-src data: {origins}; img-src 'self' data:; connect-src 'self'; worker-src blob:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ).encode()


def page() -> bytes:
    """Strawberry's GraphiQL page with our examples, and a place for the token."""
    html = get_graphql_ide_html("graphiql")
    start = html.index("const EXAMPLE_QUERY = `") + len("const EXAMPLE_QUERY = `")
    html = html[:start] + EXAMPLES + html[html.index("`;", start) :]
    asked = "React.useState(parameters.headers)"
    assert asked in html, "Strawberry's GraphiQL page has changed: see schema/graphiql.py."
    return html.replace(asked, f"React.useState(parameters.headers || '{_HEADERS}')").encode()
