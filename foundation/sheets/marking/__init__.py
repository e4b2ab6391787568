"""The sender's own workbook with marks: every sheet, width, merge and style as it was, streamed part by part.

Nothing is loaded whole and nothing is written that could act: the parts a table needs are copied element by element,
what is not known to be harmless (macros, links, objects, formulas of any cell) stays behind. A formula's cell keeps the
value it showed.
"""

from __future__ import annotations

from foundation.sheets.marking.book import mark_workbook
from foundation.sheets.marking.names import NotMarkable
from foundation.sheets.marking.sheet import Marks

__all__ = ["Marks", "NotMarkable", "mark_workbook"]
