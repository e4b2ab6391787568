"""Rows of what offices send besides the registration data: department lists, register, deaths, jobs, schools.

Each office has its own headers and habits; about one row in a hundred of a department list is wrong on
purpose (check digit, unknown village, somebody of another county, a number ruined by a spreadsheet), so
that errors come back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random

from demonstration.synthetic import data
from demonstration.synthetic.model import CountySpec, Household, Person, TownshipSpec, Village
from demonstration.synthetic.people import Names, Numbers, phone

Row = list[str]
_GRADES = ("", "一级", "二级", "三级", "四级")
FAULTS = ("bad_check_digit", "unknown_village", "other_county", "scientific_notation")
FAULTY_SHARE = 0.01


def break_check_digit(number: str) -> str:
    """The number with another last character, which is therefore wrong."""
    return number[:-1] + ("0" if number[-1] != "0" else "5")


def dotted(day: date) -> str:
    return f"{day.year}.{day.month}.{day.day}"


class Lists:
    """Collects the rows of every list while villages stream by; `tables` hands them out at the end."""

    def __init__(self, spec: CountySpec, seed: int) -> None:
        self.spec = spec
        self.faults: Counter[str] = Counter()
        self._rng = Random(f"{seed}/lists")
        self._names = Names()
        self._numbers = Numbers()
        self.categories: dict[str, list[Row]] = {code: [] for code in spec.categories}
        self.family: list[Row] = []
        self.units: list[Row] = []
        self.deaths: list[Row] = []
        self.employed: list[Row] = []
        self.students: list[Row] = []

    # -- while villages stream by

    def add(self, village: Village) -> None:
        """Take what the offices know of a village."""
        for household in village.households:
            for person in household.members:
                if person.categories:
                    self._certify(village, person)
                if person.employee_since:
                    self._employ(person)
                if person.school and person.registered:
                    self._school(village, household, person)
                if person.death_date:
                    self._death(village.township, person)
            for couple in household.couples:
                if couple.kind:
                    self.family.append(
                        [
                            village.township.name,
                            village.spec.name,
                            couple.husband.name,
                            couple.husband.number,
                            couple.wife.name,
                            couple.wife.number,
                            data.load("lists")["family_kinds"][couple.kind],
                            "是" if couple.lawful_birth else "否",
                            couple.wife.birth_date.isoformat(),
                        ]
                    )
        for person in village.departed:
            if person.death_date:
                self._death(village.township, person)

    def add_units(self) -> None:
        """Every village of the plan's townships is a collecting unit, with an agent and a terminal."""
        account = 0
        for township in self.spec.townships:
            for village in township.villages:
                account += 1
                sex = "male" if self._rng.random() < 0.6 else "female"
                agent = self._names.person(self._rng, self._names.surname(self._rng), sex, 1968)
                self.units.append(
                    [
                        village.name,
                        township.name,
                        "村居",
                        village.name,
                        agent,
                        phone(self._rng),
                        f"{village.short}集体经济组织",
                        f"9{self.spec.code}{account:012d}",
                        f"YNT{self.spec.code}{account:05d}",
                    ]
                )

    def _certify(self, village: Village, person: Person) -> None:
        rng = self._rng
        township = village.township.name
        if township.endswith("街道") and rng.random() < 0.15:
            township += "办事处"
        spoken = (village.spec.name, village.spec.short, f"{village.spec.short.removesuffix('村')}村")
        name = spoken[int(rng.random() * 3)]
        since = self._year_start() - timedelta(days=int(rng.random() * 1800))
        for code in person.categories:
            label, department, _title = data.load("lists")["categories"][code]
            self.categories[code].append(
                [
                    person.name,
                    person.number,
                    township,
                    name,
                    label,
                    department.format(county=self.spec.name),
                    dotted(since) if rng.random() < 0.3 else since.isoformat(),
                    "",
                    _GRADES[person.disability_grade or 0] if code == "disabled" else "",
                ]
            )

    def _year_start(self) -> date:
        return date(self.spec.as_of.year, 9, 30)

    def _death(self, township: TownshipSpec, person: Person) -> None:
        day = dotted(person.death_date) if person.death_date else ""
        self.deaths.append([person.name, person.number, day, township.name, ""])

    def _employ(self, person: Person) -> None:
        self.employed.append(
            [
                f"{self.spec.name}第{1 + int(self._rng.random() * 240)}用工单位",
                person.name,
                person.number,
                "职工基本养老保险、职工基本医疗保险",
                "正常参保",
                f"{person.employee_since:%Y-%m}" if person.employee_since else "",
            ]
        )

    def _school(self, village: Village, household: Household, person: Person) -> None:
        stage = "junior" if person.school == "primary" and person.age >= 12 else str(person.school)
        label, school = data.load("lists")["school_stages"][stage]
        start = {"primary": 6, "junior": 12, "senior_high": 15, "vocational": 15}.get(stage, 18)
        self.students.append(
            [
                school.format(township=village.township.name, county=self.spec.name, city=self.spec.city),
                label,
                f"{max(1, person.age - start + 1)}年级",
                person.name,
                person.number,
                village.township.name,
                village.spec.name,
                "本县区" if household.registration_kind == "local" else "外地",
            ]
        )

    # -- at the end

    def category_tables(self) -> Iterator[tuple[str, str, Row, list[Row]]]:
        """(category, title, header, rows) for each department list, wrong rows among the right ones."""
        year = self.spec.coverage_year
        for code, rows in self.categories.items():
            _label, department, title = data.load("lists")["categories"][code]
            office = department.format(county="")
            header = data.load("lists")["headers"].get(office, data.load("lists")["headers"]["other"])
            self._spoil(code, rows)
            yield code, f"{self.spec.name}{year}年度{title}", list(header), rows

    def _spoil(self, code: str, rows: list[Row]) -> None:
        """Make one row in a hundred wrong: two kinds on a person of the list, two with a person more."""
        rng = self._rng
        count = max(2, round(len(rows) * FAULTY_SHARE)) if rows else 0
        for index in range(count):
            fault = FAULTS[(index + len(code)) % len(FAULTS)]
            place = int(rng.random() * len(rows))
            row = rows[place]
            if not row[1][:1].isdigit() or "E" in row[1]:
                continue
            if fault == "bad_check_digit":
                row[1] = break_check_digit(row[1])
            elif fault == "scientific_notation":
                row[1] = f"{row[1][0]}.{row[1][1:6]}E+17"
            else:
                rows.insert(place, self._stranger(row, fault))
            self.faults[fault] += 1

    def _stranger(self, row: Row, fault: str) -> Row:
        rng = self._rng
        sex = "male" if rng.random() < 0.5 else "female"
        birth = date(1945, 1, 1) + timedelta(days=int(rng.random() * 20_000))
        # Regions that nobody of the county's own people was given, so that no number is issued twice.
        prefix = f"{self.spec.code[:2]}1728" if fault == "other_county" else f"{self.spec.code[:4]}99"
        stranger = list(row)
        stranger[0] = self._names.person(rng, self._names.surname(rng), sex, birth.year)
        stranger[1] = self._numbers.issue(prefix, birth, sex)
        if fault == "unknown_village":
            villages = data.load("lists")["unknown_villages"]
            stranger[3] = villages[int(rng.random() * len(villages))]
        return stranger


def register_rows(village: Village) -> Iterator[Row]:
    """The police register of a village: everybody local who has a number, employed or not."""
    for household in village.households:
        if household.registration_kind == "outside":
            continue
        for person in household.members:
            if person.id_kind == "resident_id":
                yield [
                    household.number,
                    person.name,
                    person.number,
                    person.relation,
                    household.address,
                    "男" if person.sex == "male" else "女",
                    person.birth_date.isoformat(),
                ]
