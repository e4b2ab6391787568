"""Writes the files of a synthetic county. The same county, residents and seed give the same csv bytes.

Villages stream from the generator straight into the files, so that memory does not grow with the county
beyond the department lists. Workbooks get a title row above the header, as offices make them.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, islice
from pathlib import Path
from random import Random

from rustpy_xlsxwriter import Format, write_worksheet

from demonstration.synthetic import data
from demonstration.synthetic.lists import Lists, break_check_digit, register_rows
from demonstration.synthetic.model import MEDICAL, PENSION, CountySpec, Household, Person, Village
from demonstration.synthetic.payments import INSURANCE_NAMES, Payments, Pricer
from demonstration.synthetic.people import Names, Numbers
from demonstration.synthetic.population import iter_villages
from demonstration.synthetic.spec import scaled_targets

SHEET_ROWS = 200_000

_KINDS = {"local": "本县区", "same_city_other_county": "本市其他县区", "outside": "市外"}
_PERMITS = {"": "否", "true": "是", "parent": "随父母"}
_ID_KINDS = {"resident_id": "居民身份证", "birth_certificate": "出生医学证明"}
_FAULTS = ("bad_check_digit", "unknown_village", "used_number", "unknown_tier")
_FAULT_EVERY = 4_000

Progress = Callable[[int, int, str], None]


def layout(file: str) -> list[str]:
    """The columns of a file, by its name without ending (department lists have their own)."""
    columns: list[str] = data.load("layouts")[file]
    return columns


@dataclass(slots=True)
class Made:
    """What was written: rows per file (headers, titles, totals not counted), and what is wrong on purpose."""

    files: dict[str, int] = field(default_factory=dict)
    registration_faults: Counter[str] = field(default_factory=Counter)
    list_faults: Counter[str] = field(default_factory=Counter)
    odd_payments: Counter[str] = field(default_factory=Counter)


def registration_row(
    spec: CountySpec, village: Village, household: Household, person: Person, insurance: str
) -> list[str]:
    """One line of the registration data: a resident and an insurance."""
    return [
        village.township.name,
        village.spec.name,
        household.group,
        household.number,
        household.head.name,
        person.relation,
        person.name,
        person.number,
        person.phone,
        household.address,
        INSURANCE_NAMES[insurance],
        str(spec.coverage_year),
        str(person.tier) if insurance == PENSION else "",
        "是" if person.is_new else "否",
        _KINDS[household.registration_kind],
        _PERMITS[person.permit],
        household.house_number,
        household.nickname,
        _ID_KINDS[person.id_kind],
        "男" if person.sex == "male" else "女",
        person.birth_date.isoformat(),
    ]


class _Registration:
    """Registration rows village by village, with a few rows too many that must come back as errors."""

    def __init__(self, spec: CountySpec, seed: int) -> None:
        self.spec = spec
        self.faults: Counter[str] = Counter()
        self._rng = Random(f"{seed}/registration")
        self._names, self._numbers = Names(), Numbers()
        self._kinds = _FAULTS if PENSION in spec.insurances else _FAULTS[:-1]
        self._done = 0

    def rows(self, village: Village) -> Iterator[list[str]]:
        row: list[str] = []
        for household, person in village.people():
            if not person.registered:
                continue
            for insurance in (MEDICAL, PENSION) if person.tier is not None else (MEDICAL,):
                line = registration_row(self.spec, village, household, person, insurance)
                if person.id_kind == "resident_id":
                    row = line
                yield line
        self._done += village.size
        wanted = len(self._kinds) + self._done // _FAULT_EVERY
        while row and self.faults.total() < wanted:
            yield self._faulty(row, self._kinds[self.faults.total() % len(self._kinds)])

    def _faulty(self, row: list[str], fault: str) -> list[str]:
        """A person nobody else knows, wrong in one way; the household is that of the row before."""
        self.faults[fault] += 1
        sex = "male" if self._rng.random() < 0.5 else "female"
        birth = date(1964, 1, 1) + timedelta(days=int(self._rng.random() * 12_000))
        faulty = list(row)
        faulty[5] = "其他"
        faulty[6] = self._names.person(self._rng, self._names.surname(self._rng), sex, birth.year)
        faulty[7] = self._numbers.issue(f"{self.spec.code[:4]}96", birth, sex)
        faulty[10], faulty[12], faulty[18] = INSURANCE_NAMES[MEDICAL], "", _ID_KINDS["resident_id"]
        faulty[19], faulty[20] = "男" if sex == "male" else "女", birth.isoformat()
        if fault == "bad_check_digit":
            faulty[7] = break_check_digit(faulty[7])
        elif fault == "unknown_village":
            villages = data.load("lists")["unknown_villages"]
            faulty[1] = villages[int(self._rng.random() * len(villages))]
        elif fault == "used_number":
            faulty[7], faulty[18], faulty[20] = row[7], row[18], row[20]
        else:
            faulty[10], faulty[12] = INSURANCE_NAMES[PENSION], "450"
        return faulty


def make_files(
    spec: CountySpec, residents: int, seed: int, out: Path, price: Pricer, progress: Progress | None = None
) -> Made:
    """Write every file of the county into `out` (made if missing) and return what was written.

    `price` asks the evaluator; `progress` is called with (people done, people, what is being done).
    """
    out.mkdir(parents=True, exist_ok=True)
    for stale in chain(out.glob("registration*.*"), (out / "categories").glob("*.xlsx")):
        stale.unlink()
    tell = progress or (lambda _done, _total, _what: None)
    made = Made()
    lists, payments, registration = Lists(spec, seed), Payments(spec, seed, price), _Registration(spec, seed)
    with ExitStack() as stack:
        table = _Tables(stack, out, made)
        table.open("registration.csv", layout("registration"))
        table.open("household_register.csv", layout("household_register"))
        table.open("tax_results.csv", layout("tax_results"))
        table.open("last_year_payments.csv", layout("last_year_payments"))
        table.open("bank_statement.csv", layout("bank_statement"))
        done = 0
        for village in iter_villages(spec, residents, seed):
            table.write("registration.csv", registration.rows(village))
            table.write("household_register.csv", register_rows(village))
            lists.add(village)
            if payments.add(village):
                _flush(payments, table)
            done += village.size
            tell(done, residents, "居民")
        _flush(payments, table)
        table.write("bank_statement.csv", payments.bank_rows())
    lists.add_units()
    tell(0, 2, "工作簿")
    _registration_workbooks(spec, out, made)
    tell(1, 2, "工作簿")
    _list_workbooks(spec, residents, out, made, lists)
    tell(2, 2, "工作簿")
    made.registration_faults = registration.faults
    made.list_faults = lists.faults
    made.odd_payments = payments.odd
    made.files = dict(sorted(made.files.items()))
    return made


def _flush(payments: Payments, table: _Tables) -> None:
    tax, last_year = payments.flush()
    table.write("tax_results.csv", tax)
    table.write("last_year_payments.csv", last_year)


class _Tables:
    """Open csv files, UTF-8 with the byte order mark that spreadsheet programs expect, and their row
    counts."""

    def __init__(self, stack: ExitStack, out: Path, made: Made) -> None:
        self._stack, self._out, self._made = stack, out, made
        self._write: dict[str, Callable[[Iterable[list[str]]], None]] = {}

    def open(self, name: str, header: list[str]) -> None:
        stream = self._stack.enter_context((self._out / name).open("w", encoding="utf-8-sig", newline=""))
        writer = csv.writer(stream)
        writer.writerow(header)
        self._write[name] = writer.writerows
        self._made.files[name] = 0

    def write(self, name: str, rows: Iterable[list[str]]) -> None:
        listed = rows if isinstance(rows, list) else list(rows)
        self._write[name](listed)
        self._made.files[name] += len(listed)


def _registration_workbooks(spec: CountySpec, out: Path, made: Made) -> None:
    """The registration data once more as workbooks of at most 200,000 rows."""
    title = f"{spec.name}{spec.coverage_year}年度城乡居民两险参保登记信息"
    with (out / "registration.csv").open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        next(reader)
        for number in range(1, 1 + max(1, -(-made.files["registration.csv"] // SHEET_ROWS))):
            name = f"registration-{number}.xlsx"
            made.files[name] = min(SHEET_ROWS, made.files["registration.csv"] - (number - 1) * SHEET_ROWS)
            _workbook(out / name, title, layout("registration"), islice(reader, SHEET_ROWS))


def _workbook(path: Path, title: str, header: list[str], rows: Iterable[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bold = Format().set_bold().set_align("center").set_font_size(14)
    write_worksheet(
        (dict(zip(header, row, strict=True)) for row in rows),
        str(path),
        "Sheet1",
        header_row=1,
        merge_ranges=[(0, 0, 0, len(header) - 1, title, bold)],
        column_width=16,
    )


def _numbered(rows: list[list[str]], columns: int, foot: str) -> Iterator[list[str]]:
    """序号 first, and at the foot the total and who filled it in; an empty list says 0人."""
    for number, row in enumerate(rows, start=1):
        yield [str(number), *row]
    blank = [""] * (columns - 1)
    yield ["合计", f"{len(rows)}人", *blank]
    yield [foot, "", *blank]


def _list_workbooks(spec: CountySpec, residents: int, out: Path, made: Made, lists: Lists) -> None:
    year = spec.coverage_year
    for code, title, header, rows in lists.category_tables():
        office = rows[0][5] if rows else spec.name
        made.files[f"categories/{code}.xlsx"] = len(rows)
        foot = f"填报单位：{office}（章）"
        _workbook(
            out / "categories" / f"{code}.xlsx", title, ["序号", *header], _numbered(rows, len(header), foot)
        )
    plain = (
        (
            "family_planning.xlsx",
            f"{spec.name}{year}年度计划生育家庭名单",
            layout("family_planning"),
            lists.family,
            "卫生健康局",
        ),
        (
            "collecting_units.xlsx",
            f"{spec.name}{year}年度代征单位登记表",
            layout("collecting_units"),
            lists.units,
            "税务局",
        ),
        (
            "deaths.xlsx",
            f"{spec.name}{spec.as_of.year}年死亡人员名单",
            layout("deaths"),
            lists.deaths,
            "民政局",
        ),
        (
            "employee_insured.xlsx",
            f"{spec.name}职工参保人员名单",
            layout("employee_insured"),
            lists.employed,
            "社会保险事业中心",
        ),
        ("students.xlsx", f"{spec.name}在校学生名单", layout("students"), lists.students, "教育和体育局"),
    )
    for name, title, header, rows, office in plain:
        made.files[name] = len(rows)
        foot = f"填报单位：{spec.name}{office}（章）"
        _workbook(out / name, title, ["序号", *header], _numbered(rows, len(header), foot))
    targets = [
        [township.name, str(len(township.villages)), str(pension), str(medical), ""]
        for township, pension, medical in scaled_targets(spec, residents)
    ]
    made.files["targets.xlsx"] = len(targets)
    total = ["合计", *(str(sum(int(row[column]) for row in targets)) for column in (1, 2, 3)), ""]
    _workbook(
        out / "targets.xlsx", f"{spec.name}{year}年度征缴人数任务表", layout("targets"), [*targets, total]
    )
