"""The turn of the year: what was carried over, what of it waits to be confirmed, how a season ended."""

from seasons.models.closing import ArchivedFile, FileKind, SeasonClosing
from seasons.models.opening import Confirmation, Decision, Reason, SeasonOpening

__all__ = [
    "ArchivedFile",
    "Confirmation",
    "Decision",
    "FileKind",
    "Reason",
    "SeasonClosing",
    "SeasonOpening",
]
