"""The synthetic county: shares like life, valid numbers, the same for the same seed, readable files."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from python_calamine import CalamineWorkbook

from demonstration.synthetic import UnknownCountyError, generate, load_spec, scaled_targets
from demonstration.synthetic.model import Population
from demonstration.synthetic.payments import settled_on
from demonstration.synthetic.population import village_sizes
from foundation.identity import read_number

RESIDENTS = 600
SHANTING = "370406"


@pytest.fixture(scope="module")
def county() -> Population:
    """Enough people for shares to settle, made in a tenth of a second."""
    return generate(SHANTING, 6_000, 7)


def files_of(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.csv"))}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def read_workbook(path: Path) -> tuple[str, list[str], list[list[Any]]]:
    """Title, header and the rows below it."""
    rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    return str(rows[0][0]), [str(cell) for cell in rows[1]], rows[2:]


# People


def test_county_has_exactly_the_residents_asked_for_in_the_plans_proportions(county: Population) -> None:
    by_township = Counter[str]()
    for village in county.villages:
        registered = sum(person.registered for _household, person in village.people())
        assert registered == village.size
        by_township[village.township.name] += registered
    targets = {township.name: medical for township, _pension, medical in scaled_targets(county.spec, 6_000)}
    assert by_township == targets
    assert by_township["山城街道"] == round(6_000 * 68_936 / 343_740)


def test_pension_registrations_follow_the_plans_pension_headcount(county: Population) -> None:
    """96,279 of 343,740: within two in a hundred, the few irregular ones included."""
    registered = sum(person.tier is not None for _household, person in county.residents())
    assert registered == pytest.approx(6_000 * 96_279 / 343_740, rel=0.02)
    regular = [p for _h, p in county.residents() if p.tier and 16 <= p.age < 60 and not p.in_school]
    assert len(regular) > registered * 0.97
    tiers = Counter(person.tier for person in regular)
    assert tiers.most_common(1)[0][0] == 300
    assert set(tiers) <= set(county.spec.tiers)


def test_scaled_targets_add_up_for_any_county_size() -> None:
    spec = load_spec("370481")
    rows = scaled_targets(spec, 1_320_801)
    assert sum(medical for _township, _pension, medical in rows) == 1_320_801
    assert {t.name: m for t, _p, m in rows}["柴胡店镇"] == 32_671
    assert all(pension == 0 for _township, pension, _medical in rows)


def test_village_sizes_of_a_full_county_are_uneven_and_use_every_village() -> None:
    spec = load_spec(SHANTING)
    sizes = village_sizes(spec, 343_740, 1)
    assert sum(size for _township, _village, size in sizes) == 343_740
    assert len(sizes) == sum(len(township.villages) for township in spec.townships)
    ordered = sorted(size for _township, _village, size in sizes)
    assert ordered[-1] > 4 * ordered[0] > 0


def test_every_number_is_valid_agrees_with_its_owner_and_is_given_once(county: Population) -> None:
    seen = set()
    for _household, person in county.people():
        if person.id_kind == "resident_id":
            parsed = read_number(person.number, county.spec.as_of)
            assert parsed.ok, parsed.error
            assert (parsed.birth_date, parsed.sex) == (person.birth_date, person.sex)
        else:
            assert person.age == 0
            assert not read_number(person.number, county.spec.as_of).ok
        seen.add(person.number)
    assert len(seen) == sum(1 for _each in county.people())


def test_ages_and_groups_look_like_a_registered_rural_population(county: Population) -> None:
    people = [person for _household, person in county.residents()]

    def share(low: int, high: int) -> float:
        return sum(low <= person.age <= high for person in people) / len(people)

    assert 0.14 < share(60, 120) < 0.22
    assert 0.05 < share(70, 120) < 0.10
    assert 0.15 < share(0, 14) < 0.26
    assert 0.45 < sum(person.sex == "male" for person in people) / len(people) < 0.55
    assert 0.005 < sum(person.id_kind == "birth_certificate" for person in people) / len(people) < 0.02
    assert 0 < sum(person.permit != "" for person in people) / len(people) < 0.03
    groups = Counter(code for person in people for code in person.categories)
    assert set(groups) <= set(county.spec.categories)
    assert 0.01 < groups["dibao"] / len(people) < 0.04
    assert all(bool(p.disability_grade) == ("disabled" in p.categories) for p in people)


def test_households_start_with_their_head_and_hold_one_to_seven_people(county: Population) -> None:
    numbers = Counter[str]()
    for village in county.villages:
        for household in village.households:
            numbers[household.number] += 1
            assert 1 <= len(household.members) <= 7
            assert household.head.relation == "户主"
            assert [m.relation for m in household.members].count("户主") == 1
            assert household.number.startswith(village.spec.code)
            for couple in household.couples:
                assert {couple.husband.sex, couple.wife.sex} == {"male", "female"}
    assert set(numbers.values()) == {1}


def test_names_include_what_breaks_systems() -> None:
    people = [person for _household, person in generate(SHANTING, 20_000, 3).people()]
    assert any("·" in person.name for person in people)
    assert any(ord(character) > 0xFFFF or character in "䶮㛃" for p in people for character in p.name)
    assert {p.name[0] for p in people} >= set("单仇区查解曾翟覃种")


def test_same_arguments_make_the_same_county_and_another_seed_another() -> None:
    def digest(seed: int) -> str:
        people = [(h.number, h.house_number, repr(p)) for h, p in generate(SHANTING, 300, seed).people()]
        return hashlib.sha256(repr(people).encode()).hexdigest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


@pytest.mark.parametrize("code", ["370404", "370481", "410411", "370406000000"])
def test_every_county_of_the_fixtures_can_be_made(code: str) -> None:
    population = generate(code, 400, 1)
    assert sum(1 for _resident in population.residents()) == 400
    assert population.spec.code == code[:6]


def test_unknown_county_or_foreign_plan_is_refused() -> None:
    with pytest.raises(UnknownCountyError, match="999999"):
        load_spec("999999")
    with pytest.raises(UnknownCountyError, match="370404"):
        load_spec(SHANTING, "yicheng-2022")
    with pytest.raises(UnknownCountyError, match="no-such-plan"):
        load_spec(SHANTING, "no-such-plan")


def test_money_reaches_the_treasury_on_a_later_working_day_or_is_under_way() -> None:
    as_of = date(2022, 11, 30)
    assert settled_on(date(2022, 11, 4), as_of) == date(2022, 11, 7)  # a Friday
    assert settled_on(date(2022, 11, 8), as_of) == date(2022, 11, 9)
    assert settled_on(date(2022, 11, 29), as_of) is None


# Files


def make(out: Path, *, residents: int = RESIDENTS, seed: int = 5, **options: Any) -> dict[str, int]:
    """Run the command and return `files` of its last line."""
    printed = StringIO()
    call_command(
        "make_county",
        county=SHANTING,
        residents=residents,
        seed=seed,
        out=out,
        json=True,
        stdout=printed,
        **options,
    )
    answer = json.loads(printed.getvalue().splitlines()[-1])
    files: dict[str, int] = answer["files"]
    return files


@pytest.fixture
def made(db: None, tmp_path: Path) -> tuple[Path, dict[str, int]]:
    return tmp_path, make(tmp_path)


@pytest.mark.django_db
def test_command_writes_every_promised_file_and_counts_its_rows(made: tuple[Path, dict[str, int]]) -> None:
    out, files = made
    assert set(files) >= {
        "registration.csv",
        "registration-1.xlsx",
        "household_register.csv",
        "family_planning.xlsx",
        "collecting_units.xlsx",
        "deaths.xlsx",
        "employee_insured.xlsx",
        "students.xlsx",
        "last_year_payments.csv",
        "tax_results.csv",
        "bank_statement.csv",
        "targets.xlsx",
        *(f"categories/{code}.xlsx" for code in load_spec(SHANTING).categories),
    }
    for name, rows in files.items():
        if name.endswith(".csv"):
            assert len(read_csv(out / name)) == rows
        else:
            title, header, body = read_workbook(out / name)
            assert title.startswith("山亭区")
            assert len(set(header)) == len(header)
            # Lists end in a total and in who filled them in.
            assert len(body) - rows == {"registration-1.xlsx": 0, "targets.xlsx": 1}.get(name, 2)


@pytest.mark.django_db
def test_registration_has_a_medical_line_for_each_resident_and_a_few_that_must_come_back(
    made: tuple[Path, dict[str, int]],
) -> None:
    out, _files = made
    lines = read_csv(out / "registration.csv")
    spec = load_spec(SHANTING)
    villages = {village.name for township in spec.townships for village in township.villages}
    today = date(2022, 11, 30)
    bad, owners = Counter[str](), defaultdict[str, set[str]](set)
    good_medical = set()
    for line in lines:
        number = line["身份证号"]
        if line["证件类型"] == "居民身份证" and not read_number(number, today).ok:
            bad["bad_check_digit"] += 1
            continue
        if line["村(居)"] not in villages:
            bad["unknown_village"] += 1
            continue
        if line["险种"] == "城乡居民基本养老保险" and int(line["缴费档次"]) not in spec.tiers:
            bad["unknown_tier"] += 1
            continue
        owners[number].add(line["姓名"])
        if line["险种"] == "城乡居民基本医疗保险":
            good_medical.add(number)
    bad["used_number"] = sum(len(names) > 1 for names in owners.values())
    assert bad == {"bad_check_digit": 1, "unknown_village": 1, "unknown_tier": 1, "used_number": 1}
    assert len(good_medical) == RESIDENTS
    _title, header, body = read_workbook(out / "registration-1.xlsx")
    assert header == list(lines[0])
    assert [[str(cell) for cell in row] for row in body] == [list(line.values()) for line in lines]


@pytest.mark.django_db
def test_department_lists_have_wrong_rows_among_right_ones(made: tuple[Path, dict[str, int]]) -> None:
    out, files = made
    residents = {line["身份证号"] for line in read_csv(out / "registration.csv")}
    wrong = right = 0
    for name in files:
        if name.startswith("categories/"):
            _title, header, body = read_workbook(out / name)
            column = next(
                i
                for i, head in enumerate(header)
                if head in {"身份证号", "身份证号码", "证件号码", "公民身份号码"}
            )
            for row in body[: files[name]]:
                known = row[column] in residents
                right += known
                wrong += not known
    assert right > wrong > 0


@pytest.mark.django_db
def test_tax_results_are_dated_in_the_window_and_priced_by_the_evaluator(
    made: tuple[Path, dict[str, int]],
) -> None:
    """Half price for 60 to 69, nothing from 70: the amounts of the plan, not of this module."""
    out, files = made
    lines = read_csv(out / "tax_results.csv")
    birth = {
        line["身份证号"]: date.fromisoformat(line["出生日期"]) for line in read_csv(out / "registration.csv")
    }
    medical = [line for line in lines if line["征收品目"] == "城乡居民基本医疗保险"]
    assert 0.45 < len(medical) / RESIDENTS < 0.8
    assert {line["实缴金额"] for line in medical} == {"350.00", "175.00"}
    ages = defaultdict[str, list[int]](list)
    for line in medical:
        if line["缴费人识别号"] in birth:
            ages[line["实缴金额"]].append(2022 - birth[line["缴费人识别号"]].year)
    assert all(60 <= age <= 69 for age in ages["175.00"])
    assert max(ages["350.00"]) < 70
    days = [line["开票日期"] for line in lines]
    assert min(days) >= "2022-10-16"
    assert max(days) <= "2022-11-30"
    assert all(line["入库日期"] > line["开票日期"] for line in lines if line["入库日期"])
    assert any(not line["入库日期"] for line in lines)
    tickets = [line["电子税票号码"] for line in lines]
    assert len(set(tickets)) == len(tickets)
    # Somebody unknown, somebody twice, an amount that differs.
    assert any(line["缴费人识别号"] not in birth for line in lines)
    twice = Counter((line["缴费人识别号"], line["征收品目"]) for line in lines)
    assert max(twice.values()) == 2
    settled = sum(float(line["实缴金额"]) for line in lines if line["入库日期"])
    assert settled == sum(float(line["收入金额"]) for line in read_csv(out / "bank_statement.csv"))
    assert files["tax_results.csv"] < files["last_year_payments.csv"]


@pytest.mark.django_db
def test_households_pay_together(made: tuple[Path, dict[str, int]]) -> None:
    out, _files = made
    paid = {
        line["缴费人识别号"]: line["开票日期"]
        for line in read_csv(out / "tax_results.csv")
        if line["征收品目"] == "城乡居民基本医疗保险"
    }
    days = defaultdict[str, list[str]](list)
    for line in read_csv(out / "registration.csv"):
        if line["险种"] == "城乡居民基本医疗保险" and line["身份证号"] in paid:
            days[line["户编号"]].append(paid[line["身份证号"]])
    several = [dates for dates in days.values() if len(dates) > 1]
    assert sum(len(set(dates)) == 1 for dates in several) > 0.8 * len(several)


@pytest.mark.django_db
def test_files_are_the_same_byte_for_byte_for_the_same_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make(tmp_path / name, residents=200, seed=seed)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert files_of(tmp_path / "a")["registration.csv"] != files_of(tmp_path / "c")["registration.csv"]


def test_bad_arguments_are_one_clear_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        call_command("make_county", county="999999", residents=10, seed=1, out=tmp_path)
    assert exit_info.value.code == 2
    assert capsys.readouterr().err.strip().count("\n") == 0
    with pytest.raises(SystemExit) as exit_info:
        call_command("make_county", county=SHANTING, residents=3, seed=1, out=tmp_path)
    assert exit_info.value.code == 2
    assert not any(tmp_path.iterdir())
