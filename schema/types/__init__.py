"""The types of the API, one file an entity, as the contract has them."""
