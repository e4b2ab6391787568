"""The turn of the year: what was carried over, what of it waits to be confirmed."""

from seasons.models.opening import Confirmation, Decision, Reason, SeasonOpening

__all__ = ["Confirmation", "Decision", "Reason", "SeasonOpening"]
