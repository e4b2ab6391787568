"""The one error of this package."""

from __future__ import annotations


class SheetError(ValueError):
    """A file cannot be read as a table.

    `code` is stable and for programs; `message` is for the sender, in Chinese, and says what to do. For
    `missing_columns`, `missing` and `headers` name the fields not found and the headers that were.
    """

    def __init__(
        self, code: str, message: str, *, missing: tuple[str, ...] = (), headers: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.missing = missing
        self.headers = headers
