"""Where PostgreSQL comes from, how it is reached, and how its ids look."""
