"""Figures: aggregate statements over the rows that the caller may see and analyse."""
