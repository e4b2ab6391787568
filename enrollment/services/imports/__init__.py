"""Files that feed the register: the tax bureau's registration data and the departments' lists."""

from __future__ import annotations

from enrollment.services.imports import (
    category,
    facts_elsewhere,
    facts_lists,
    family,
    history,
    last_year,
    police,
    registration,
    targets,
)
from foundation.imports.kinds import register


def declare() -> None:
    """Register this app's kinds of files."""
    for kind in (
        registration.KIND,
        category.KIND,
        facts_lists.DEATHS,
        facts_lists.EMPLOYEES,
        facts_lists.STUDENTS,
        family.KIND,
        facts_elsewhere.PERMITS,
        facts_elsewhere.ELSEWHERE,
        history.KIND,
        last_year.KIND,
        police.KIND,
        targets.KIND,
    ):
        register(kind)
