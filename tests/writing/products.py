"""The mutations of products."""

from tests.writing.deeds import Deed, Office, Row, by_version

_ANSWER = "{ product { id sku version } errors { field code message } }"


def _free(office: Office, row: Row) -> bool:
    return all(product.sku != row.sku or product.deleted_at is not None for product in office.rows.all("Product"))


DEEDS = (
    Deed(
        "createProduct",
        "create",
        "Product",
        "mutation($sku: String!) {"
        f' createProduct(input: {{ sku: $sku, name: "New", price: {{ amount: "1.50" }} }}) {_ANSWER} }}',
        about="User",
        suits=lambda office, row: row.active,
        variables=lambda office, row: {"sku": f"NEW-{len(office.rows.all('Product'))}"},
    ),
    Deed(
        "updateProduct",
        "update",
        "Product",
        "mutation($id: ID!, $version: Int!) {"
        f' updateProduct(id: $id, version: $version, input: {{ category: "written" }}) {_ANSWER} }}',
        about="Product",
        suits=lambda office, row: row.category != "written",
        variables=by_version,
    ),
    Deed(
        "deleteProduct",
        "delete",
        "Product",
        f"mutation($id: ID!, $version: Int!) {{ deleteProduct(id: $id, version: $version) {_ANSWER} }}",
        about="Product",
        variables=by_version,
    ),
    Deed(
        "restoreProduct",
        "restore",
        "Product",
        f"mutation($id: ID!) {{ restoreProduct(id: $id) {_ANSWER} }}",
        about="Product",
        suits=_free,
        deleted=True,
    ),
)
