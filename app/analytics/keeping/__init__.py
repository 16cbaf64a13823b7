"""Keeping what the figures use: facts of orders, their roll-ups, the metrics of customers.

A full refresh counts everything anew; the follower adds what changed since. Both come to the same.
"""
