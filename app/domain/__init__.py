"""What may happen to an entity, one file each: plain functions on rows, without GraphQL, HTTP or rights."""
