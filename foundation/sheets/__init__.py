"""Spreadsheets: any in, official ones out. See the modules for the rules; import from here."""

from __future__ import annotations

from foundation.parsing.limits import Limits
from foundation.sheets.errors import SheetError
from foundation.sheets.finding import Tables, open_table, open_tables
from foundation.sheets.headers import column_keys
from foundation.sheets.reading import Misread, Table, is_total
from foundation.sheets.returning import Fault, write_errors, write_errors_of
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
    "Misread",
    "OfficialTable",
    "SheetError",
    "Table",
    "Tables",
    "Written",
    "column_keys",
    "is_total",
    "open_table",
    "open_tables",
    "parse_date",
    "parse_datetime",
    "write_errors",
    "write_errors_of",
    "write_official",
    "write_workbook",
]
