"""What rows of each entity can be grouped by, and what can be worked out of a group, in the API."""
