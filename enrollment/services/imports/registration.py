"""The registration data (参保登记信息): one row per resident and insurance.

Rules
- A row's place is its unit; the importer writes only in her own places, and others' rows tell her nothing.
- The number decides who somebody is. Under one number the first name in the file counts; another person's name under it
  goes back, a spelling of the same name stays and is reported.
- A resident and an insurance come once a file.
- Empty cells say nothing: they never blank what the register knows. The register keeps its spelling of a name.
- An existing registration keeps the place of its season; tier and new or continued follow the file.
"""

from __future__ import annotations

from typing import Final

from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from enrollment.models import (
    FamilyRecord,
    Membership,
    Registration,
    Resident,
    ResidentEvent,
    ResidentPair,
    Transfer,
)
from enrollment.services.imports import movers, registration_rows
from enrollment.services.imports.common import SAME_PERSON, plan_of, plan_options
from enrollment.services.imports.holders import earlier_holders, holders
from enrollment.services.imports.last_year import PAID_LAST_YEAR
from foundation.bulk import next_id
from foundation.imports.engine.changes import (
    changed_fields,
    differs,
    insert_returning,
    logged_update,
    made_by,
    restore,
    undo_inserted,
)
from foundation.imports.engine.context import ROW, Context, row_sql
from foundation.imports.kinds import Counts, Finding, ImportKind, ImportRefused, RowIdentity
from townships.services.imports.places import county_of, township_named, whole_county

_HOUSEHOLD: Final = ("village_id", "group_name", "house_number", "head_name")
_RESIDENT: Final = (
    "township_id", "unit_id", "village_id", "household_id", "relation", "is_head", "nickname", "registration_area",
    "residence_permit", "address", "phone_tail",
)  # fmt: skip
_REGISTRATION: Final = ("tier", "is_new")

_KEY: Final = "(s.file::bigint << 32) + s.source_row"


def _check(ctx: Context) -> None:
    county, plan = county_of(ctx), plan_of(ctx)
    if not plan.takes_charges:
        raise ImportRefused(_("方案“%(name)s”已结束，不能再登记；请换本年度的方案") % {"name": plan.name})
    if not whole_county(ctx, county):
        # Somebody of another township holds the number: the same words as for a row of another township.
        ctx.refuse_staged(
            "out_of_scope",
            _("不在您的管辖范围"),
            "SELECT file, source_row FROM import_numbers_elsewhere(%(batch)s, %(county)s)",
            county=county.pk,
        )
    movers.refuse_registered_elsewhere(ctx, county=county.pk, year=plan.coverage_year)
    # Hardly anybody is doubtful: find those few once, so that the orderings below stay small.
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_suspects")
    ctx.execute(
        """
        CREATE TEMPORARY TABLE import_suspects ON COMMIT DROP AS
        SELECT person, min(unit_id) <> max(unit_id) AS apart
        FROM import_staging_registration WHERE batch = %(batch)s GROUP BY person
        HAVING count(*) FILTER (WHERE insurance = 'medical') > 1 OR min(unit_id) <> max(unit_id)
            OR count(*) FILTER (WHERE insurance = 'pension') > 1 OR min(name) <> max(name)
        """
    )
    ctx.summary["apart"] = ctx.one("SELECT count(*) FROM import_suspects WHERE apart")[0]
    suspects = "SELECT person FROM import_suspects"
    ctx.refuse_staged(
        "used_number",
        _("这个身份证号和第%s行是同一个号码，姓名却不同，请核对是谁的"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, s.name, s.initials,
                   first_value({ROW}) OVER one AS first_row, first_value(s.name) OVER one AS first_name,
                   first_value(s.initials) OVER one AS first_initials
            FROM import_staging_registration s WHERE s.batch = %(batch)s AND s.person IN ({suspects})
            WINDOW one AS (PARTITION BY s.person ORDER BY s.file, s.source_row)
        ) f WHERE NOT {SAME_PERSON.format(a="f.name", b="f.first_name", ai="f.initials", bi="f.first_initials")}
        """,
    )
    ctx.refuse_staged(
        "duplicate",
        _("表内重复，和第%s行是同一人同一险种，留一行"),
        f"""
        SELECT f.file, f.source_row, f.first_row AS said FROM (
            SELECT s.file, s.source_row, row_number() OVER one AS place, first_value({ROW}) OVER one AS first_row
            FROM import_staging_registration s WHERE s.batch = %(batch)s AND s.person IN ({suspects})
            WINDOW one AS (PARTITION BY s.person, s.insurance ORDER BY s.file, s.source_row)
        ) f WHERE f.place > 1
        """,
    )
    same = SAME_PERSON.format(a="s.name", b="r.name", ai="s.initials", bi="r.initials")
    ctx.refuse_staged(
        "used_number",
        _("这个身份证号在库里是另一位居民（%s），请核对"),
        f"""
        SELECT s.file, s.source_row, left(r.name, 1) || '*' AS said
        FROM import_staging_registration s
        JOIN {holders("r.name, r.initials")} r ON r.by_number = s.number_index
        WHERE s.batch = %(batch)s AND s.name <> r.name AND NOT {same}
        """,
        county=county.pk,
    )
    # Under a number of earlier times and under the one in force: one person all the same.
    ctx.refuse_staged(
        "duplicate",
        _("和第%s行是同一个人（以前的证件号），留一行"),
        f"""
        SELECT s.file, s.source_row, {row_sql("m")} AS said
        FROM import_staging_registration s
        JOIN {earlier_holders("r.number_index AS in_force")} r ON r.by_number = s.number_index
        JOIN import_staging_registration m
            ON m.batch = %(batch)s AND m.number_index = r.in_force AND m.insurance = s.insurance
        WHERE s.batch = %(batch)s
        """,
        county=county.pk,
    )


def _people(ctx: Context) -> None:
    """Who the staged people are: a temporary table of person, the row that speaks for her, and her resident.

    The medical row speaks where there is one. Newcomers are given the ids they will have, so that ``_apply``, which
    follows ``_preview`` in the same transaction, need not look everybody up again.
    """
    newcomer = next_id("enrollment_resident")
    # Under a plan of one insurance every row speaks for its person, and nobody need be looked for.
    both = ctx.one(
        "SELECT EXISTS (SELECT FROM import_staging_registration WHERE batch = %(batch)s AND insurance <> 'medical')"
    )[0]
    speaks = """ AND (s.insurance = 'medical' OR NOT EXISTS (
            SELECT FROM import_staging_registration m
            WHERE m.batch = %(batch)s AND m.insurance = 'medical' AND m.person = s.person))"""
    ctx.execute("DROP TABLE IF EXISTS pg_temp.import_people, pg_temp.import_households")
    ctx.execute(
        f"""
        CREATE TEMPORARY TABLE import_people ON COMMIT DROP AS
        SELECT s.person, {_KEY} AS row_key, coalesce(r.id, n.id, {newcomer}) AS resident_id,
               r.id IS NULL AND n.id IS NULL AS is_newcomer
        FROM import_staging_registration s
        LEFT JOIN {holders("r.id")} r ON r.by_number = s.number_index
        LEFT JOIN (
            SELECT min(k.id) AS id, k.unit_id, k.name, k.birth_date, h.number
            FROM enrollment_resident k JOIN enrollment_household h ON h.id = k.household_id
            WHERE k.county_id = %(county)s AND k.number_index IS NULL AND k.id_kind = 'birth_certificate'
                AND k.merged_into_id IS NULL
            GROUP BY k.unit_id, k.name, k.birth_date, h.number
        ) n ON s.number_index IS NULL AND n.unit_id = s.unit_id AND n.name = s.name
            AND n.birth_date = s.birth_date AND n.number = s.household
        WHERE s.batch = %(batch)s{speaks if both else ""}
        """,
        county=county_of(ctx).pk,
    )
    ctx.execute(
        f"""
        CREATE TEMPORARY TABLE import_households ON COMMIT DROP AS
        SELECT s.unit_id, s.household AS number, min({_KEY}) AS row_key
        FROM import_staging_registration s WHERE s.batch = %(batch)s AND s.household IS NOT NULL
        GROUP BY s.unit_id, s.household
        """
    )
    ctx.execute("ANALYZE import_people, import_households")


def _known(ctx: Context) -> bool:
    """Whether anybody of the file is in the register already: a county's first file changes nothing."""
    return bool(ctx.one("SELECT EXISTS (SELECT FROM import_people WHERE NOT is_newcomer)")[0])


# A household merged into another is the other one, whatever a file still calls it.
_HOME: Final = "coalesce(h.merged_into_id, h.id)"
# What the file says of a household and of a resident, by the row that speaks for it.
_SAID_HOUSEHOLD: Final = f"""
    SELECT s.file, s.source_row, h.id, s.village_id, s.group_name, s.house_number, s.head_name
    FROM import_households l
    JOIN import_staging_registration s ON s.batch = %(batch)s AND {_KEY} = l.row_key
    JOIN enrollment_household h ON h.unit_id = l.unit_id AND h.number = l.number
"""


def _at_home(said: str, name: str = "") -> str:
    return f"CASE WHEN m.id IS NULL THEN {said} END AS {name or said.partition('.')[2]}"


# Of somebody who moved, a row at the place where she is registered tells nothing of where she lives.
_SAID_RESIDENT: Final = f"""
    SELECT s.file, s.source_row, p.resident_id AS id, {_at_home("s.township_id")}, {_at_home("s.unit_id")},
           {_at_home("s.village_id")}, {_at_home(_HOME, "household_id")}, {_at_home("s.relation")},
           {_at_home("s.relation IN ('户主', '本人')", "is_head")}, s.nickname, s.registration_area, s.residence_permit,
           {_at_home("s.address")}, s.phone_tail, s.phone_encrypted
    FROM import_people p
    JOIN import_staging_registration s ON s.batch = %(batch)s AND {_KEY} = p.row_key
    LEFT JOIN enrollment_household h ON h.unit_id = s.unit_id AND h.number = s.household
    LEFT JOIN {movers.MOVERS} m ON m.id = p.resident_id AND s.unit_id = ANY (m.also_units)
    WHERE NOT p.is_newcomer
"""


def _preview(ctx: Context) -> Counts:
    plan = plan_of(ctx)
    _people(ctx)
    if not _known(ctx):
        total = ctx.one("SELECT count(*) FROM import_staging_registration WHERE batch = %(batch)s")[0]
        return Counts(new=total)
    # A household new to the register is news of its residents too.
    new, changed, total = ctx.one(
        f"""
        WITH people AS (
            SELECT s.id FROM ({_SAID_RESIDENT}) s JOIN enrollment_resident r ON r.id = s.id
            WHERE {differs("s", "r", _RESIDENT)}
        ), households AS (
            SELECT s.id, s.unit_id, s.number FROM (
                SELECT said.*, k.unit_id, k.number FROM ({_SAID_HOUSEHOLD}) said
                JOIN enrollment_household k ON k.id = said.id
            ) s JOIN enrollment_household h ON h.id = s.id WHERE {differs("s", "h", _HOUSEHOLD)}
        ), moved AS (
            SELECT l.row_key FROM import_households l JOIN households h USING (unit_id, number)
            UNION
            SELECT l.row_key FROM import_households l
            LEFT JOIN enrollment_household h ON h.unit_id = l.unit_id AND h.number = l.number WHERE h.id IS NULL
        )
        SELECT count(*) FILTER (WHERE g.id IS NULL),
               count(*) FILTER (WHERE g.id IS NOT NULL AND (
                    {differs("s", "g", _REGISTRATION)}
                    OR (q.id IS NOT NULL AND p.row_key = {_KEY}) OR m.row_key IS NOT NULL)),
               count(*)
        FROM import_staging_registration s
        JOIN import_people p ON p.person = s.person
        LEFT JOIN enrollment_registration g ON NOT p.is_newcomer AND g.resident_id = p.resident_id
            AND g.insurance = s.insurance AND g.coverage_year = %(year)s
        LEFT JOIN people q ON q.id = p.resident_id
        LEFT JOIN moved m ON m.row_key = {_KEY}
        WHERE s.batch = %(batch)s
        """,
        year=plan.coverage_year,
    )
    spelled = ctx.one(
        f"""
        SELECT count(*) FROM import_people p
        JOIN import_staging_registration s ON s.batch = %(batch)s AND {_KEY} = p.row_key
        JOIN enrollment_resident r ON r.id = p.resident_id AND r.name <> s.name
        """
    )[0]
    if spelled:
        ctx.warnings["name_spelled_otherwise"] = spelled
    return Counts(new, changed, total - new - changed)


# Rows whose registration there is not yet.
_REGISTERED: Final = """
    LEFT JOIN enrollment_registration g ON g.resident_id = p.resident_id AND g.insurance = s.insurance
        AND g.coverage_year = %(year)s
    WHERE s.batch = %(batch)s AND g.id IS NULL
"""


def _apply(ctx: Context) -> Counts:
    county, plan, known = county_of(ctx), plan_of(ctx), _known(ctx)
    houses = ctx.one("SELECT EXISTS (SELECT FROM enrollment_household)")[0]
    insert_returning(
        ctx,
        "enrollment_household",
        f"""
        INSERT INTO enrollment_household (township_id, unit_id, village_id, number, group_name, house_number,
            head_name, walk)
        SELECT s.township_id, s.unit_id, s.village_id, s.household, coalesce(s.group_name, ''),
               coalesce(s.house_number, ''), coalesce(s.head_name, ''), {ROW}
        FROM import_households l
        JOIN import_staging_registration s ON s.batch = %(batch)s AND {_KEY} = l.row_key
        LEFT JOIN enrollment_household h ON h.unit_id = l.unit_id AND h.number = l.number
        WHERE h.id IS NULL
        """,
    )
    changed = 0
    if houses:
        changed += logged_update(ctx, table="enrollment_household", found=_SAID_HOUSEHOLD, columns=_HOUSEHOLD)
    if known:
        changed += logged_update(
            ctx,
            table="enrollment_resident",
            found=_SAID_RESIDENT,
            columns=_RESIDENT,
            always=("phone_encrypted",),
        )
    try:
        newcomers = insert_returning(
            ctx,
            "enrollment_resident",
            f"""
            INSERT INTO enrollment_resident (id, county_id, township_id, unit_id, village_id, household_id, name,
                initials, nickname, relation, is_head, id_kind, number_encrypted, number_index, tail_index,
                birth_date, sex, registration_area, residence_permit, in_school, school, employee_pension,
                employee_medical, other_enrolment, phone_encrypted, phone_tail, address)
            SELECT p.resident_id, %(county)s, s.township_id, s.unit_id, s.village_id, {_HOME}, s.name,
                coalesce(s.initials, ''), coalesce(s.nickname, ''), coalesce(s.relation, ''),
                coalesce(s.relation IN ('户主', '本人'), false), s.id_kind, s.number_encrypted, s.number_index,
                s.tail_index, s.birth_date, coalesce(s.sex, ''), coalesce(s.registration_area, 'local'),
                coalesce(s.residence_permit, 'false'), false, '', false, false, '', s.phone_encrypted,
                coalesce(s.phone_tail, ''), coalesce(s.address, '')
            FROM import_people p
            JOIN import_staging_registration s ON s.batch = %(batch)s AND {_KEY} = p.row_key
            LEFT JOIN enrollment_household h ON h.unit_id = s.unit_id AND h.number = s.household
            WHERE p.is_newcomer
            """,
            county=county.pk,
        )
    except IntegrityError:
        raise ImportRefused(_("检查之后有人登记了同样的身份证号，请重新检查这一批")) from None
    new = insert_returning(
        ctx,
        "enrollment_registration",
        f"""
        INSERT INTO enrollment_registration (township_id, unit_id, village_id, resident_id, plan_id, insurance,
            coverage_year, tier, last_tier, is_new, missed_years, repaired_years, closing_reason, registered_on, batch)
        SELECT s.township_id, s.unit_id, s.village_id, p.resident_id, %(plan)s, s.insurance, %(year)s, s.tier,
               paid.amount, coalesce(s.is_new, false), 0, 0, '', %(today)s, %(batch)s
        FROM import_staging_registration s
        JOIN import_people p ON p.person = s.person
        LEFT JOIN ({PAID_LAST_YEAR}) paid ON paid.number_index = s.number_index AND s.insurance = 'pension'
        {_REGISTERED if known else "WHERE s.batch = %(batch)s"}
        """,
        county=county.pk,
        plan=plan.pk,
        year=plan.coverage_year,
        last=plan.coverage_year - 1,
        today=ctx.today,
    )
    if known:
        changed += logged_update(
            ctx,
            table="enrollment_registration",
            found=_SAID_REGISTRATION,
            columns=_REGISTRATION,
            year=plan.coverage_year,
        )
    movers.settle_moved(ctx, movers.moved_by(ctx))
    ctx.summary["newcomers"] = newcomers
    return Counts(new, changed, 0)


_TABLE: Final = "import_staging_registration"
# Keys of other rows as people know them.
_NAMES: Final = {
    "township_id": "(SELECT u.name FROM townships_township u WHERE u.id = {row}.township_id)",
    "unit_id": "(SELECT u.name FROM townships_collectingunit u WHERE u.id = {row}.unit_id)",
    "village_id": "(SELECT u.name FROM townships_village u WHERE u.id = {row}.village_id)",
    "household_id": "(SELECT u.number FROM enrollment_household u WHERE u.id = {row}.household_id)",
}
_SAID_REGISTRATION: Final = """
    SELECT s.file, s.source_row, g.id, s.tier, s.is_new FROM import_staging_registration s
    JOIN import_people p ON p.person = s.person AND NOT p.is_newcomer
    JOIN enrollment_registration g ON g.resident_id = p.resident_id AND g.insurance = s.insurance
        AND g.coverage_year = %(year)s
    WHERE s.batch = %(batch)s
"""
# What other offices told of people the file registers.
_TOLD: Final = f"""
    SELECT s.file, s.source_row, s.name, s.number_encrypted, d.field, d.before, 'registered' AS after
    FROM import_people p
    JOIN {_TABLE} s ON s.batch = %(batch)s AND s.person = p.person
    JOIN enrollment_resident r ON r.id = p.resident_id
    CROSS JOIN LATERAL (VALUES
        ('registered_dead', 'death', r.death_date::text, r.death_date IS NOT NULL),
        ('registered_employed', 'employment', 'employed',
         CASE s.insurance WHEN 'medical' THEN r.employee_medical ELSE r.employee_pension END),
        ('registered_elsewhere', 'elsewhere', r.other_enrolment, s.insurance = 'medical' AND r.other_enrolment <> '')
    ) AS d (section, field, before, holds)
    WHERE NOT p.is_newcomer AND d.holds AND d.section = %(section)s
"""


def _findings(ctx: Context, counts: Counts) -> list[Finding]:
    if not _known(ctx):
        return []
    found = []
    if counts.changed:
        parts = [
            changed_fields(_SAID_REGISTRATION, "enrollment_registration", _REGISTRATION, staging=_TABLE),
            changed_fields(_SAID_RESIDENT, "enrollment_resident", _RESIDENT, staging=_TABLE, shown=_NAMES),
            changed_fields(_SAID_HOUSEHOLD, "enrollment_household", _HOUSEHOLD, staging=_TABLE, shown=_NAMES),
        ]
        found.append(Finding("changed", " UNION ALL ".join(parts), {"year": plan_of(ctx).coverage_year}))
    sections = ("registered_dead", "registered_employed", "registered_elsewhere")
    return [*found, *(Finding(section, _TOLD, {"section": section}) for section in sections)]


def _blockers(ctx: Context) -> list[str]:
    made = made_by(ctx, "enrollment_resident", "resident_id")
    either = made_by(ctx, "enrollment_resident", "first_id") | made_by(
        ctx, "enrollment_resident", "second_id"
    )
    merged = Resident.objects.filter(made_by(ctx, "enrollment_resident", "merged_into_id")).count()
    stands = (
        (Registration.objects.filter(made).exclude(batch=ctx.batch.pk).count(), _("另有 %(n)s 条参保登记")),
        (
            Membership.objects.filter(made).count() + FamilyRecord.objects.filter(made).count(),
            _("已有 %(n)s 条特殊群体或计生记录"),
        ),
        (
            ResidentEvent.objects.filter(made).count() + Transfer.objects.filter(made).count(),
            _("之后办过 %(n)s 件变更"),
        ),
        (ResidentPair.objects.filter(either).count() + merged, _("有 %(n)s 件重复档案的处理")),
    )
    return [_("本批登记的居民%(what)s") % {"what": text % {"n": n}} for n, text in stands if n]


def _undo(ctx: Context) -> None:
    moved = [row[0] for row in ctx.fetch(movers.MOVED_IDS)]
    restore(ctx, "enrollment_registration", "enrollment_resident", "enrollment_household")
    undo_inserted(ctx, "enrollment_registration", "enrollment_resident")
    # A household that others have joined since stays.
    undo_inserted(
        ctx,
        "enrollment_household",
        unless="EXISTS (SELECT FROM enrollment_resident r WHERE r.household_id = t.id)",
    )
    movers.settle_moved(ctx, moved)


KIND: Final = ImportKind(
    name="registration",
    label=gettext_lazy("参保登记信息"),
    help=gettext_lazy("一行是一个人的一个险种。已有的人按身份证号认出，只改变更的项"),
    required=("name", "id_number", "village", "insurance"),
    optional=(
        "township", "group", "household", "head", "relation", "phone", "address", "year", "tier", "is_new",
        "household_registration", "residence_permit", "house_number", "nickname", "id_kind", "sex", "birth_date",
    ),
    staging="import_staging_registration",
    columns=registration_rows.COLUMNS,
    reader=registration_rows.reader,
    check=_check,
    preview=_preview,
    apply=_apply,
    findings=_findings,
    undo=_undo,
    blockers=_blockers,
    identity=RowIdentity(index="person", part="insurance", of=registration_rows.identify),
    township=township_named,
    roles=frozenset({"admin", "tax_bureau", "medical_bureau", "hr_bureau", "township_clerk"}),
    options=plan_options,
    needs_plan=True,
    writes=("enrollment_household", "enrollment_resident", "enrollment_registration"),
)  # fmt: skip
