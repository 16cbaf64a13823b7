"""What may happen to a product."""

from app.domain import deletion
from app.domain.amounts import set_amount
from app.domain.checks import check_values
from app.domain.external_refs import set_external_refs
from app.domain.given import Given
from app.domain.rows import new
from app.domain.work import Work
from app.models import Product


async def create(work: Work, _: None, given: Given) -> Product:
    """A new product, active unless the caller says otherwise."""
    if given.get("active") is None:
        given.values.pop("active", None)
    check_values(work, Product, given)
    set_amount(work, given, "price")
    work.problems.refuse()
    product = new(Product, created_at=work.now, updated_at=work.now)
    given.assign(product)
    await set_external_refs(work, product, given, made=True)
    return work.add(product)


async def update(work: Work, product: Product, given: Given) -> Product:
    """Change what was given. Orders keep the price at which they were made."""
    check_values(work, Product, given)
    set_amount(work, given, "price", product.currency)
    work.problems.refuse()
    given.assign(product)
    await set_external_refs(work, product, given, made=False)
    return product


async def delete(work: Work, product: Product, _: Given) -> Product:
    """Take it off the list. Order lines have copies of what they need of it, so that they stand."""
    return deletion.delete(work, product)


async def restore(work: Work, product: Product, _: Given) -> Product:
    """Bring it back, if no live product has its sku by now."""
    return deletion.restore(work, product)
