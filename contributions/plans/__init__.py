"""The plan as people read it: its rules in words, its document, and budgets of changes."""
