"""Papers as PDF. See the modules for what each shows; import from here."""

from __future__ import annotations

from foundation.documents.fonts import missing_characters
from foundation.documents.letter import LetterData, LetterTable, letter
from foundation.documents.listing import ListingData, listing
from foundation.documents.paper import Cell, Paper
from foundation.documents.posted_list import PostedColumn, PostedListData, payment_columns, posted_list
from foundation.documents.report import ReportData, ReportSection, report
from foundation.documents.slip import SlipData, SlipLine, registration_slip

__all__ = [
    "Cell",
    "LetterData",
    "LetterTable",
    "ListingData",
    "Paper",
    "PostedColumn",
    "PostedListData",
    "ReportData",
    "ReportSection",
    "SlipData",
    "SlipLine",
    "letter",
    "listing",
    "missing_characters",
    "payment_columns",
    "posted_list",
    "registration_slip",
    "report",
]
