"""The hundred files: how each is made, what is odd about it, and what must come of it.

``code`` is why the whole file is refused (`foundation.sheets.errors`). Else ``read`` counts the records found, ``back``
those that go back by reason, and ``told`` names what the page says besides. ``docs/odd-files.md`` is made from here
(``python -m tests.corpus.page``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.corpus import bombs, formats, headers, texts, values

REGISTRATION: Final = "registration"


@dataclass(frozen=True)
class Odd:
    """One file."""

    name: str
    odd: str
    make: Callable[[], bytes]
    code: str = ""
    read: int = 0
    back: dict[str, int] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    kind: str = REGISTRATION
    category: str = ""

    @property
    def outcome(self) -> str:
        """The outcome as the page of docs has it."""
        if self.code:
            return f"refused: `{self.code}`"
        went = ", ".join(f"`{code}` {count}" for code, count in self.back.items())
        told = f"; told: {', '.join(self.told)}" if self.told else ""
        return f"{self.read} read" + (f", back: {went}" if went else "") + told


FILES: Final[tuple[Odd, ...]] = (
    # -- text
    Odd("utf8.csv", "UTF-8 without a mark", texts.utf8, read=2),
    Odd("utf8-mark.csv", "UTF-8 with a mark", texts.utf8_mark, read=2),
    Odd("gb18030.csv", "GB18030", texts.gb18030, read=2),
    Odd("pipes.txt", "GB18030 parted by |", texts.pipes, read=2),
    Odd("tabs.txt", "GB18030 parted by tabs", texts.tabs, read=2),
    Odd("semicolons.csv", "parted by semicolons", texts.semicolons, read=2),
    Odd("chinese-commas.txt", "parted by full-width commas", texts.chinese_commas, read=2),
    Odd("utf16-le.txt", "“Unicode text” of Excel: UTF-16, tabs", texts.utf16_little, read=2),
    Odd("utf16-be.csv", "UTF-16, the other order of bytes", texts.utf16_big, read=2),
    Odd("old-mac.csv", "lines end with CR alone", texts.old_mac, read=2),
    Odd("sep-line.csv", "begins with sep=,", texts.sep_line, read=2),
    Odd("line-breaks.csv", "quoted cells with line breaks and commas", texts.line_breaks, read=2),
    Odd("broken-name.csv", "a byte in a name that is no character", texts.broken_name, read=2,
        back={"broken_characters": 1}, told=("broken",)),
    Odd("broken-pipe.txt", "half a character swallows the | behind it", texts.broken_pipe, read=2,
        back={"broken_characters": 1}, told=("broken",)),
    Odd("broken-address.csv", "broken bytes where nothing hangs on them", texts.broken_address, read=2, told=("broken",)),
    Odd("cut-in-utf8.csv", "UTF-8 cut off within the last character", texts.cut_in_utf8, read=2, told=("broken",)),
    Odd("lone-quote.csv", "a quotation mark that never closes", texts.lone_quote, code="bad_text"),
    Odd("two-lone-quotes.csv", "two lone marks, a hundred rows apart", texts.two_lone_quotes, code="bad_text"),
    Odd("comma-in-address.csv", "an unquoted comma shifts the cells of a row", texts.comma_in_address, read=2,
        back={"shifted_cells": 1}),
    Odd("zeros.csv", "text full of zero bytes", texts.zeros, code="not_a_table"),
    Odd("empty.csv", "no byte", texts.empty, code="empty"),
    Odd("separators.csv", "separators and nothing else", texts.separators, code="empty"),
    Odd("one-line.csv", "one line of 60 MB", texts.one_line, code="bad_text"),
    Odd("many-columns.csv", "600 columns", texts.many_columns, code="too_big"),
    Odd("trailing-separators.csv", "forty blank columns behind the last", texts.trailing_separators, read=2),
    Odd("header-only.csv", "a header and no row", texts.header_only, read=0),
    # -- headers
    Odd("no-header.csv", "data from the first row on", headers.no_header, code="no_header"),
    Odd("titles.xlsx", "title, unit and time above the header", headers.titles, read=2),
    Odd("two-rows.xlsx", "header merged over two rows", headers.two_rows, read=2),
    Odd("three-rows.xlsx", "header merged over three rows", headers.three_rows, read=2),
    Odd("groups.xlsx", "户主 over 姓名 and 身份证号, beside the person's own", headers.groups, read=2),
    Odd("decorated.xlsx", "stars, line breaks and notes in headers", headers.decorated, read=2),
    Odd("totals.xlsx", "subtotals, a total, signatures and notes", headers.totals, read=2),
    Odd("printed-pages.xlsx", "the header again on every page", headers.printed_pages, read=3),
    Odd("six-pairs.xlsx", "six name and number pairs side by side", headers.six_pairs, kind="employee_insured", read=8,
        back={"bad_check_digit": 1}, told=("groups",)),
    Odd("missing-column.xlsx", "no column for the insurance", headers.missing_column, code="missing_columns"),
    Odd("two-numbers.xlsx", "two columns of numbers that differ", headers.two_numbers, code="ambiguous"),
    Odd("same-twice.xlsx", "two columns of numbers that agree", headers.same_twice, read=2),
    Odd("unknown-headers.xlsx", "headers nobody knows", headers.unknown, code="no_header"),
    Odd("deep-header.xlsx", "the header in row 29", headers.deep, read=2),
    Odd("too-deep-header.xlsx", "the header in row 45", headers.too_deep, code="no_header"),
    Odd("from-c5.xlsx", "the table begins in C5", headers.from_c5, read=2),
    Odd("numbered-rows.xlsx", "1,000 rows numbered beforehand, two filled", headers.numbered_rows, read=2),
    Odd("half-rows.xlsx", "rows with a village and nobody", headers.half_rows, read=2, told=("skipped",)),
    Odd("phantom-rows.xlsx", "20,000 formatted blank rows", headers.phantom_rows, read=2),
    Odd("phantom-columns.xlsx", "300 formatted blank columns", headers.phantom_columns, read=2),
    # -- sheets
    Odd("second-sheet.xlsx", "instructions first, the list on the second sheet", headers.second_sheet, read=2,
        told=("other_sheets",)),
    Odd("villages.xlsx", "one sheet for each of three villages", headers.villages, read=3, told=("sheets",)),
    Odd("hidden-copy.xlsx", "a hidden sheet with an old copy", headers.hidden_copy, read=2, told=("hidden_sheets",)),
    Odd("all-hidden.xlsx", "the list is on a hidden sheet", headers.all_hidden, code="hidden_only"),
    Odd("chart-sheet.xlsx", "a chart on a sheet of its own", headers.chart_sheet, read=2),
    Odd("sheets-600.xlsx", "600 sheets", headers.sheets_600, code="too_big"),
    Odd("merged-household.xlsx", "village and household merged over their members", headers.merged_household, read=3),
    # -- values
    Odd("typed-as-number.xlsx", "ID numbers typed as numbers", values.typed_as_number, read=2,
        back={"scientific_notation": 2}),
    Odd("scientific.csv", "ID numbers as 3.70E+17 and with zeros at the end", values.scientific, read=3,
        back={"scientific_notation": 2}),
    Odd("point-zero.csv", "ID numbers with .0", values.point_zero, read=2),
    Odd("full-width.csv", "full-width digits, lower-case x, spaces, a quote before", values.full_width, read=4),
    Odd("fifteen.csv", "an ID number of fifteen digits", values.fifteen, read=1),
    Odd("masked.csv", "ID numbers with stars", values.masked, read=2, back={"masked": 1, "broken_characters": 1}),
    Odd("bad-numbers.csv", "wrong check digit, wrong day, too short, letters", values.bad_numbers, read=4,
        back={"bad_check_digit": 1, "bad_date": 1, "bad_length": 1, "bad_characters": 1}),
    Odd("disability-cards.xlsx", "numbers of disability cards, which contain the ID number", values.disability_cards,
        kind="category", category="disabled", read=2, back={"unknown_person": 2}),
    Odd("radicals.csv", "Kangxi radicals and rare characters in names", values.radicals, read=3),
    Odd("private-use.csv", "characters of the private area in names", values.private_use, read=2),
    Odd("dots.csv", "· • ． ・ &middot; in the names of one person", values.dots, read=2),
    Odd("lost-characters.csv", "? and □ for a rare character", values.lost_characters, read=3,
        back={"broken_characters": 2}),
    Odd("payloads.csv", "names like =cmd|' /C calc'!A0", values.payloads, read=5),
    Odd("days.xlsx", "days written in seven ways", values.days, kind="deaths", read=7),
    Odd("bad-days.xlsx", "days that do not exist", values.bad_days, kind="deaths", read=3, back={"bad_date": 3}),
    Odd("no-value.xlsx", "formulas that were never calculated", values.no_value, read=2, back={"uncached_formula": 2}),
    Odd("formulas.xlsx", "formulas with their last result", values.formulas, read=2),
    Odd("total-formula.xlsx", "a total row never calculated", values.total_formula, read=2),
    Odd("failed.xlsx", "#N/A and #REF! in the number's column", values.failed, read=2, back={"failed_formula": 2}),
    # -- formats
    Odd("old.xls", "xls of 1997", formats.old, read=2),
    Odd("wps.et", "et of WPS", formats.old, read=2),
    Odd("old-failed.xls", "xls with a number typed as a number and a failed formula", formats.old_failed, read=3,
        back={"scientific_notation": 1, "failed_formula": 1}),
    Odd("really-xls.xlsx", "xls under the name of xlsx", formats.old, read=2),
    Odd("really-xlsx.xls", "xlsx under the name of xls", formats.new, read=2),
    Odd("really-xlsx.csv", "xlsx under the name of csv", formats.new, read=2),
    Odd("really-csv.xls", "text under the name of xls", texts.gb18030, read=2),
    Odd("page.xls", "a web page with a table, in GBK", formats.web_page, read=2),
    Odd("page-spans.xls", "a web page with spanning cells", formats.web_page_spans, read=3),
    Odd("page-without-table.xls", "a web page without a table", formats.web_page_without, code="markup"),
    Odd("mail.xls", "a web archive (MHTML)", formats.mhtml, code="markup"),
    Odd("xml-2003.xls", "an XML workbook of 2003", formats.xml_2003, read=2),
    Odd("prefixed.xlsx", "every tag with a prefix, no references", formats.prefixed, read=2),
    Odd("strict.xlsx", "Strict Open XML", formats.strict, read=2),
    Odd("macros.xlsm", "a workbook with macros", formats.macros, read=2, told=("macros",)),
    Odd("links.xlsx", "a workbook that points at another", formats.links, read=2, told=("links",)),
    Odd("binary.xlsb", "a binary workbook", formats.xlsb, code="other_workbook"),
    Odd("paper.pdf", "a PDF", formats.pdf, code="document"),
    Odd("lists.zip", "a zip with workbooks in it", formats.zip_of_books, code="archive"),
    # -- locked, damaged, harmful
    Odd("password.xlsx", "a workbook with a password", formats.password, code="encrypted"),
    Odd("password.xls", "an xls with a password", formats.password_old, code="encrypted"),
    Odd("cut.xlsx", "a workbook cut off in the middle", formats.cut, code="broken"),
    Odd("cut.xls", "an xls cut off in the middle", formats.cut_old, code="broken"),
    Odd("loop.xls", "an xls whose sectors lead in a circle", formats.loop, code="broken"),
    Odd("far-cell.xlsx", "one cell in XFD1048576, 4 KB", bombs.far_cell, code="too_big"),
    Odd("giant-cell.xlsx", "one cell of 600 MB, 600 KB", bombs.giant_cell, code="too_big"),
    Odd("many-cells.xlsx", "7.5 million cells, 1 MB", bombs.many_cells, code="too_big"),
    Odd("ratio.xlsx", "texts that unpack a thousandfold", bombs.ratio, code="too_big"),
    Odd("no-references.xlsx", "a wide row and a long column, told by no reference", bombs.no_references, code="too_big"),
    Odd("many-parts.xlsx", "3,000 parts", bombs.many_parts, code="too_big"),
    Odd("lying.xlsx", "a part that says it is small", bombs.lying, code="too_big"),
    Odd("entities.xlsx", "entities that multiply", bombs.entities, code="broken"),
    Odd("entities.xls", "entities that multiply, XML of 2003", bombs.entities_2003, code="broken"),
    Odd("far-index.xls", "an index of 1,048,576 in XML of 2003", bombs.far_index, code="too_big"),
    Odd("nested-tables.xls", "20,000 tables within each other", bombs.nested_tables, code="markup"),
)  # fmt: skip
