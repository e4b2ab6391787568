"""A plan a year later: the same paper with every year counted one on."""

from __future__ import annotations

import re


def next_year(text: str, coverage_year: int) -> str:
    """The plan's text for the year after; its code goes on with it. The year before becomes this one."""
    later = {str(year): str(year + 1) for year in (coverage_year - 1, coverage_year, coverage_year + 1)}
    return re.sub("|".join(later), lambda found: later[found[0]], text)
