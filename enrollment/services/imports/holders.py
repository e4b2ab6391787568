"""Who holds a number: the one way from the numbers of a file to residents.

A resident is found by the number in force, by one of earlier times (a birth certificate, a corrected mistake), and by
that of a record merged into hers; the number in force comes first. An importer writes only where she may: residents of
her own places, not those she merely reads because they registered with her.
"""

from __future__ import annotations

from typing import Final

_SCOPE: Final = "((SELECT coalesce(nullif(current_setting('portal.{what}', true), ''), '{{}}'))::int[])"
_TOWNSHIPS, _UNITS = (_SCOPE.format(what=what) for what in ("townships", "units"))


def held(row: str) -> str:
    """A condition: the own place of a row, named by its alias, is the importer's."""
    return f"({row}.township_id = ANY {_TOWNSHIPS} OR {row}.unit_id = ANY {_UNITS})"


def holders(columns: str, *, only_held: bool = True) -> str:
    """A query of residents of ``%(county)s`` with ``by_number``; ``columns`` are those of ``enrollment_resident r``.

    One number leads to one resident. ``only_held`` leaves out whom the importer only reads.
    """
    ours = f" AND {held('r')}" if only_held else ""
    return f"""(
        SELECT r.number_index AS by_number, {columns} FROM enrollment_resident r
        WHERE r.county_id = %(county)s AND r.merged_into_id IS NULL AND r.number_index IS NOT NULL{ours}
        UNION ALL
        {earlier_holders(columns, only_held=only_held)}
    )"""


def earlier_holders(columns: str, *, only_held: bool = True) -> str:
    """The part of ``holders`` whose numbers are not in force any more."""
    ours = f" AND {held('r')}" if only_held else ""
    return f"""(
        SELECT DISTINCT ON (o.number) o.number AS by_number, {columns}
        FROM (
            SELECT f.number_index AS number, f.resident_id AS id FROM enrollment_formernumber f
            UNION ALL
            SELECT m.number_index, m.merged_into_id FROM enrollment_resident m
            WHERE m.county_id = %(county)s AND m.merged_into_id IS NOT NULL AND m.number_index IS NOT NULL
        ) o
        JOIN enrollment_resident r ON r.id = o.id AND r.county_id = %(county)s AND r.merged_into_id IS NULL{ours}
        WHERE NOT EXISTS (
            SELECT FROM enrollment_resident c
            WHERE c.county_id = %(county)s AND c.number_index = o.number AND c.merged_into_id IS NULL)
        ORDER BY o.number, r.id
    )"""
