"""What one file may cost, and the one way to say no."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost.

    The defaults fit a county's registration of 1.3 million residents as text, and a workbook of a million rows of
    twenty columns. Bytes, except where the name says otherwise.
    """

    file_bytes: int = 1 << 30
    workbook_bytes: int = 150 << 20
    parts: int = 2_000
    unpacked_bytes: int = 3 << 30
    ratio: int = 200
    ratio_free_bytes: int = 8 << 20
    text_bytes: int = 1 << 20
    """One text of a cell. Spreadsheet programs stop at 32,767 characters."""
    cells: int = 26_000_000
    cells_per_byte: int = 1
    """Cells for each byte they take in the file. Programs that write tables need two bytes for a cell and more."""
    cells_free: int = 2_000_000
    columns: int = 400
    rows: int = 3_000_000
    sheets: int = 500
    memory_bytes: int = 1000 << 20
    """Of the process that takes the file apart."""
    cpu_seconds: int = 240
    answer_seconds: int = 50
    """Until it says something."""


class Refusal(Exception):
    """The file cannot be used; `code` says why. The sentence is the parent's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
