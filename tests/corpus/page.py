"""The page of docs about the files, made from the table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.corpus.table import FILES

PATH: Final = Path(__file__).parents[2] / "docs" / "odd-files.md"
_HEAD: Final = """# Odd files

What bureaus, townships and the ill-disposed send, and what must come of it. Every file is made from code and taken
through the real check by `tests/corpus`; the codes of refusals are explained to the sender in one Chinese sentence
(`foundation/sheets/errors.py`), those of rows in `foundation/imports/words.py`. This page is made from
`tests/corpus/table.py`: `python -m tests.corpus.page`.

| file | what is odd | outcome |
|---|---|---|
"""


def rendered() -> str:
    """The page."""
    return _HEAD + "".join(
        f"| {odd.name.replace('|', chr(92) + '|')} | {odd.odd.replace('|', chr(92) + '|')} | {odd.outcome} |\n"
        for odd in FILES
    )


if __name__ == "__main__":
    PATH.write_text(rendered(), encoding="utf-8")
