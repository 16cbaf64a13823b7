"""Demo data: the same lifelike shop for the same number of customers, loaded by COPY."""
