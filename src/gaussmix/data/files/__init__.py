"""Rows that come from files: what kind each is, which columns, and its rows whole or in blocks."""
