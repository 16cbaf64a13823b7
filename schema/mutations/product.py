"""Changing products."""

from typing import ClassVar

import strawberry
from strawberry import UNSET, Info

import app.models as models
from app.domain import products
from schema.acting import Act
from schema.context import Context
from schema.types.inputs import ExternalRefInput, MoneyInput, Version
from schema.types.payload import Payload
from schema.types.product import Product

Asked = Info[Context, None]


@strawberry.input
class CreateProductInput:
    """A new product, active unless you say otherwise."""

    sku: str
    name: str
    category: str | None = UNSET
    price: MoneyInput
    active: bool | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.input
class UpdateProductInput:
    """Changes of a product: an absent field stays, null clears. Orders keep the price at which they were made."""

    sku: str | None = UNSET
    name: str | None = UNSET
    category: str | None = UNSET
    price: MoneyInput | None = UNSET
    active: bool | None = UNSET
    external_refs: list[ExternalRefInput] | None = UNSET


@strawberry.type
class ProductPayload(Payload):
    """The product as it is now, or what stands in the way."""

    records: ClassVar[dict[str, str]] = {"product": ""}

    @strawberry.field
    def product(self, info: Asked) -> Product | None:
        """The product; null when nothing was done, or when it is out of your sight now."""
        found: Product | None = self.record(info)
        return found


_CREATE = Act("create", models.Product, products.create)
_UPDATE = Act("update", models.Product, products.update)
_DELETE = Act("delete", models.Product, products.delete, lock="UPDATE")
_RESTORE = Act("restore", models.Product, products.restore, include_deleted=True)


@strawberry.type
class ProductMutations:
    """What can be done to products."""

    @strawberry.mutation(extensions=_CREATE.guard)
    async def create_product(self, info: Asked, input: CreateProductInput) -> ProductPayload:
        """Make a product."""
        return await _CREATE.do(info, ProductPayload, input=input)

    @strawberry.mutation(extensions=_UPDATE.guard)
    async def update_product(
        self, info: Asked, id: strawberry.ID, version: Version, input: UpdateProductInput
    ) -> ProductPayload:
        """Change a product: an absent field stays, null clears."""
        return await _UPDATE.do(info, ProductPayload, id=id, version=version, input=input)

    @strawberry.mutation(extensions=_DELETE.guard)
    async def delete_product(self, info: Asked, id: strawberry.ID, version: Version) -> ProductPayload:
        """Delete a product. Orders of it stand as they are. It can be restored."""
        return await _DELETE.do(info, ProductPayload, id=id, version=version)

    @strawberry.mutation(extensions=_RESTORE.guard)
    async def restore_product(self, info: Asked, id: strawberry.ID) -> ProductPayload:
        """Bring a deleted product back."""
        return await _RESTORE.do(info, ProductPayload, id=id)
