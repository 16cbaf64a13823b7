"""The business of Rapport, and the program that serves it."""
