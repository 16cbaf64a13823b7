"""Rows into files: CSV, XLSX and JSON lines, a batch at a time."""
