"""The mutations, one file an entity: inputs, payload, and a field for each."""
