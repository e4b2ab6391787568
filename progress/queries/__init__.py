"""Reads of figures: counts from the tables, and the board a page or the API shows."""
