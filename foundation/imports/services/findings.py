"""What a check shows before anything is written: changes with before and after, endings, contradictions.

A few examples of each stand on the page, all of them in a workbook kept sealed with the batch; numbers are masked in both.
Row numbers lead back into the sender's own file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext as _

from foundation.encryption import get_keyring
from foundation.imports.engine import vault
from foundation.imports.engine.context import Context, row_number
from foundation.imports.engine.tables import sheet_named
from foundation.imports.findings_words import after_word, before_word, field_word, section_word, value_word
from foundation.imports.kinds import Counts, Finding, import_kind
from foundation.imports.models import ImportBatch, ImportFinding
from foundation.masking import Audience, mask_name, number_tail
from foundation.sheets import Column, Layout, OfficialTable, write_workbook

SHOWN: Final = 12
_AT_ONCE: Final = 2_000
# A sheet holds no more.
_MOST: Final = 1_000_000


def find(ctx: Context, counts: Counts) -> None:
    """Ask the batch's kind what to show, and keep it with the batch (the batch itself is left to the caller to save)."""
    forget(ctx.batch)
    kept: list[tuple[Finding, int]] = []
    for finding in import_kind(ctx.batch.kind).findings(ctx, counts):
        rows = ctx.fetch(
            f"SELECT q.*, count(*) OVER () FROM ({finding.query}) q"
            f" ORDER BY q.file NULLS LAST, q.source_row, q.field LIMIT {SHOWN}",
            **finding.values,
        )
        if rows:
            ImportFinding.objects.create(
                batch=ctx.batch,
                position=len(kept),
                section=finding.section,
                count=rows[0][-1],
                sample=[_shown(row[:-1]) for row in rows],
            )
            kept.append((finding, rows[0][-1]))
    if kept:
        ctx.batch.findings_stored_as = _workbook(ctx, kept)


def forget(batch: ImportBatch) -> None:
    """Remove what an earlier check showed; its file goes when that is certain."""
    ImportFinding.objects.filter(batch=batch).delete()
    if stored := batch.findings_stored_as:
        transaction.on_commit(lambda: vault.remove(stored))
        batch.findings_stored_as = ""


def _shown(row: Sequence[Any]) -> dict[str, Any]:
    """A row as page and workbook show it: masked, in words of the field's own."""
    file, source_row, name, sealed, field, before, after = row
    number = get_keyring().decrypt(sealed) if sealed else ""
    return {
        "file": file,
        "row": row_number(source_row) if source_row is not None else None,
        "name": mask_name(name or ""),
        "tail": number_tail(number, Audience.OFFICE),
        "field": field,
        "before": before or "",
        "after": after or "",
    }


def in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A shown row with its field and values in the reader's language."""
    field = row["field"]
    return {
        **row,
        "field": field_word(field),
        "before": value_word(field, row["before"]),
        "after": value_word(field, row["after"]),
    }


def _workbook(ctx: Context, findings: Sequence[tuple[Finding, int]]) -> str:
    """Write all rows of all findings, a sheet each, and keep the file sealed; returns where."""
    tables = sheet_named(ctx.batch)
    several = ctx.batch.files.count() > 1 or any(
        len(file.table.get("sheets", ())) > 1 for file in ctx.batch.files.all()
    )
    with vault.folder() as made:
        path = made / "findings.xlsx"
        write_workbook(
            path, (_sheet(ctx, finding, count, tables if several else None) for finding, count in findings)
        )
        with path.open("rb") as content:
            return vault.store(content, folder=f"imports/{ctx.batch.county_code}").name


def _sheet(ctx: Context, finding: Finding, count: int, tables: Callable[[int], str] | None) -> OfficialTable:
    files = (Column("table", _("文件"), 20),) if tables else ()
    layout = Layout(
        code="findings",
        columns=(
            *files,
            Column("row", _("原行号"), 8, "int"),
            Column("name", _("姓名"), 12),
            Column("tail", _("号码尾号"), 9),
            Column("field", _("项目"), 14),
            Column("before", before_word(finding.section), 26),
            Column("after", after_word(finding.section), 26),
        ),
        signatures=(),
    )
    note = (_("只列前 %(n)s 项") % {"n": f"{_MOST:,}"},) if count > _MOST else ()
    return OfficialTable(
        layout,
        _all(ctx, finding, tables),
        title=_("%(what)s（%(n)s 项）") % {"what": section_word(finding.section), "n": f"{count:,}"},
        unit_line=_("批次 %(n)s，%(file)s") % {"n": ctx.batch.pk, "file": ctx.batch.file_name},
        sheet=section_word(finding.section),
        footer=note,
    )


def _all(ctx: Context, finding: Finding, tables: Callable[[int], str] | None) -> Iterator[dict[str, Any]]:
    """Every row of a finding, from a cursor at the server: a county's changes are not held in memory."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT q.file, q.source_row, q.name, q.number_encrypted, q.field, q.before, q.after"
            f" FROM ({finding.query}) q ORDER BY q.file NULLS LAST, q.source_row, q.field LIMIT {_MOST}",
            {"batch": ctx.batch.pk, **finding.values},
        )
        while rows := cursor.fetchmany(_AT_ONCE):
            for row in rows:
                shown = in_words(_shown(row))
                if tables and shown["file"] is not None:
                    shown["table"] = tables(shown["file"])
                yield shown
