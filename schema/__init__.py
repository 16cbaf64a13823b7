"""The GraphQL face of Rapport."""
