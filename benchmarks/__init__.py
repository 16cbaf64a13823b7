"""Measurements: this server beside an ordinary one, PostgreSQL alone, and a bare echo; and imports by themselves."""
