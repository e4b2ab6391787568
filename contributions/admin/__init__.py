"""Residents with what they owe and paid, charges, payments and their cases in the office."""

from contributions.admin import dues, money, residents

__all__ = ["dues", "money", "residents"]
