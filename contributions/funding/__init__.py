"""Reads, words and papers of government-paid people and money."""
