"""Spreadsheets: any in, official ones out. See the modules for the rules; import from here."""

from __future__ import annotations

from foundation.sheets.errors import SheetError
from foundation.sheets.guards import Limits
from foundation.sheets.reading import Table, open_table
from foundation.sheets.returning import Fault, write_errors
from foundation.sheets.synonyms import ERROR_HEADER, SYNONYMS
from foundation.sheets.values import parse_date, parse_datetime
from foundation.sheets.writing import Column, Layout, OfficialTable, Written, write_official, write_workbook

__all__ = [
    "ERROR_HEADER",
    "SYNONYMS",
    "Column",
    "Fault",
    "Layout",
    "Limits",
    "OfficialTable",
    "SheetError",
    "Table",
    "Written",
    "open_table",
    "parse_date",
    "parse_datetime",
    "write_errors",
    "write_official",
    "write_workbook",
]
