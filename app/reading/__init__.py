"""Reads: what is asked, as a value; its compilation to one statement; and its execution."""
