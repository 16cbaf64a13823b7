"""The mutation of the SLA policy."""

from tests.writing.deeds import Deed

DEEDS = (
    Deed(
        "setSlaPolicy",
        "update",
        "SlaPolicy",
        "mutation($version: Int!) { setSlaPolicy(version: $version, input: { lowResolutionMinutes: 4000 })"
        " { slaPolicy { lowResolutionMinutes version } errors { field code message } } }",
        about="SlaPolicy",
        variables=lambda office, row: {"version": row.version},
    ),
)
