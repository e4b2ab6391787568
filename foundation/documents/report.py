"""A report in the proportions of official documents: title, headings 一、 and （一）, paragraphs, tables, seal and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from django.utils.translation import gettext as _

from foundation.documents import fonts
from foundation.documents.letter import BODY, PITCH, SMALL, TITLE, LetterTable, OfficialSheet, chinese_day

NUMERALS: Final = "一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section: its heading without the numeral, paragraphs, and a table with its caption after them."""

    heading: str
    paragraphs: Sequence[str] = field(default_factory=tuple)
    caption: str = ""
    table: LetterTable | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """What a report says. A line break in the title is kept; `subtitle` stands below it.

    `signer` puts the seal, `note` is small at the end.
    """

    title: str
    subtitle: str
    sections: Sequence[ReportSection]
    signer: str
    on: date
    lead: str = ""
    note: str = ""


def report(data: ReportData) -> bytes:
    """Return the report as a PDF; the same data give the same bytes. At most ten sections."""
    sheet = OfficialSheet(data.title.replace("\n", ""))
    for line in data.title.split("\n"):
        sheet.centred(line, TITLE, fonts.BOLD)
    if data.subtitle:
        sheet.centred(data.subtitle, BODY, fonts.REGULAR)
    sheet.y -= PITCH * 0.5
    if data.lead:
        sheet.paragraph(data.lead)
    for numeral, section in zip(NUMERALS, data.sections, strict=False):
        # A heading stays with what it is of.
        sheet.need(PITCH * 3)
        sheet.line(
            _("%(numeral)s、%(heading)s") % {"numeral": numeral, "heading": section.heading}, BODY, font=fonts.BOLD,
            x=sheet.paper.left + 2 * BODY,
        )  # fmt: skip
        for index, text in enumerate(section.paragraphs, start=1):
            if section is data.sections[-1] and index == len(section.paragraphs) and section.table is None:
                # Who signs stands on a page with words: the last paragraph goes with the seal.
                lines = fonts.wrap(text, sheet.paper.room, BODY, fonts.REGULAR, indent=2 * BODY)
                sheet.need(PITCH * (len(lines) + 4))
            sheet.paragraph(text)
        if section.table is not None:
            if section.caption:
                sheet.need(PITCH * 4)
                sheet.y -= PITCH * 0.2
                sheet.line(section.caption, SMALL)
            sheet.table(section.table)
            sheet.y -= PITCH * 0.4
    sheet.need(PITCH * 4)
    sheet.y -= PITCH * 1.5
    sheet.right(data.signer, BODY, 2 * BODY)
    sheet.right(chinese_day(data.on), BODY, 4 * BODY)
    if data.note:
        sheet.y -= PITCH * 0.5
        for part in fonts.wrap(data.note, sheet.paper.room, SMALL, fonts.REGULAR):
            sheet.line(part, SMALL)
    return sheet.finish()
