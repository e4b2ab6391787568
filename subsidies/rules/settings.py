"""Settings: readings of a plan that its text leaves open, by fixed names, with the values each may take.

A plan file sets its own defaults under `settings:`; an example or a what-if overrides them. `docs/policy.md`
explains each and names the plans that use it; a test holds the two lists equal.
"""

from __future__ import annotations

import datetime
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Literal, cast

from .conditions import ROUTES
from .source import OLDEST, YEARS, Entry, Path, Plain, PlanError

SEVERE: Final = "severely_disabled"
"""In a list of special groups: a disability card of the grades that count as severe."""

WAIVED: Final = "waived"
"""In the list of groups without a waiting period: everybody for whom somebody else pays a part."""

Kind = Literal["choice", "flag", "amount", "codes", "grades", "date", "whole"]
SettingValue = str | bool | Decimal | int | datetime.date | tuple[str, ...] | tuple[int, ...] | None


@dataclass(frozen=True)
class Setting:
    """A named reading: its kind, its default where no plan says otherwise, the values of a choice.

    `within` are the least and the greatest of its whole numbers.
    """

    name: str
    kind: Kind
    default: SettingValue
    values: tuple[str, ...] = ()
    within: tuple[int, int] = (0, 366)


def _choice(name: str, *values: str) -> Setting:
    return Setting(name, "choice", values[0], values)


def _flag(name: str, default: bool) -> Setting:
    return Setting(name, "flag", default)


_ALL: Final = (
    # medical
    _choice(
        "medical.age_reference_date",
        "prior_year_end",
        "payment_date",
        "coverage_start",
        "within_coverage_year",
    ),
    _choice("medical.gap_rule", "ordinary", "late", "refuse"),
    _choice("medical.waiting_day_count", "exclude_payment_day", "include_payment_day"),
    _choice("medical.late_no_cover_action", "warn", "refuse"),
    _choice("medical.late_rule", "refer", "accept"),
    _choice("medical.late_waived_groups", "refer", "personal_share_only", "whole_cost", "none"),
    Setting("medical.personal", "amount", None),
    Setting("medical.fiscal", "amount", None),
    Setting("medical.waiver_categories_extra", "codes", ()),
    Setting("medical.waiting_exempt_categories", "codes", ()),
    Setting("medical.payer_tie_order", "codes", ()),
    Setting("medical.waiver_channels", "codes", ()),
    Setting("medical.severe_grades", "grades", (1, 2), within=(1, 4)),
    Setting("medical.window_open", "date", None),
    _choice("medical.multi_category_rule", "lowest_personal_amount"),
    _choice("medical.band70_with_allowance", "refer", "full_price"),
    _choice("medical.household_mode", "warn", "ignore"),
    _choice("medical.registered_poor_scope", "all", "not_out_only"),
    Setting("medical.family_child_max_age", "whole", None, within=(0, OLDEST)),
    _choice("medical.family_rural_scope", "first_two_kinds", "all_kinds"),
    _choice("medical.newborn_rule", "special_case", "from_birth"),
    Setting("medical.newborn_days", "whole", 90),
    _choice("medical.waiting_month_count", "following_months", "from_payment_day"),
    _choice("medical.waiting_first_missed_year", "fixed_period", "adds_a_month"),
    _choice("medical.interruption_start", "coverage_start", "payment_date"),
    Setting("medical.fiscal_year", "whole", None, within=YEARS),
    # pension
    _choice("pension.max_age_action", "refer", "accept", "refuse"),
    _choice("pension.min_age_reference", "payment_date", "prior_year_end"),
    _choice("pension.late_rule", "accept", "refer"),
    _choice("pension.government_paid_higher_tier", "offset", "on_top", "tier_100_only", "none"),
    Setting("pension.government_paid_categories_extra", "codes", ()),
    Setting("pension.tier100_categories_extra", "codes", ()),
    _flag("pension.subsidy_on_government_paid", True),
    _choice("pension.multi_category_rule", "once"),
    _choice("pension.fp_subsidy_mode", "credit", "offset"),
    _choice("pension.fp_age_reference", "prior_year_end", "payment_date", "within_plan_year"),
    _flag("pension.fp_subsidy_stacking", True),
    _choice("pension.student_definition", "any_full_time"),
    _choice("pension.window", "stage", "window"),
    # scope
    _choice("scope.employee_exclusion_mode", "per_insurance", "either"),
    _flag("scope.students_at_school_place", False),
    _flag("scope.accompanying_children", True),
    _flag("scope.pension_permit_holders", True),
    _choice("scope.postgraduates", "admit", "refer"),
    # waivers and money
    _flag("waiver.requires_local_registration", False),
    _choice("lists.elderly_source", "birth_dates", "department_list"),
    _choice("waiver.cover_by", "certification_date"),
    Setting("waiver.determined_at", "date", None),
    _choice("waiver.late_entrants", "keep_as_paid", "refund"),
    _choice("waiver.lost_after_payment", "keep_as_paid", "collect"),
    _choice("money.rounding", "personal_down", "personal_half_up"),
    _choice("money.odd_cent", "higher_level", "lower_level"),
    _flag("sponsor.enabled", False),
    # the plan's time
    _choice("plan.window_vs_stage", "window", "stage"),
    _choice("plan.amendment_for_paid", "settle", "keep_as_paid"),
    _flag("plan.allow_retroactive", True),
    _flag("dates.before_is_inclusive", True),
    _choice("deadlines.roll_over", "none", "next_working_day"),
    # collection, posting, progress, refunds
    _flag("channels.cash", False),
    _choice("publicity.day_count", "calendar_days", "working_days"),
    Setting("publicity.min_days", "whole", None),
    Setting("publicity.columns", "codes", ()),
    _flag("targets.count_half_payers", True),
    _flag("targets.includes_exempt", False),
    _choice("targets.total_mode", "sum_of_rows", "printed"),
    _choice("targets.band_overlap", "upper_band", "lower_band"),
    _choice("refund.death_before_cover", "review", "refund", "keep"),
    _choice("refund.charged_before_list", "refund", "review"),
    _choice("receipt.when", "agent_takes_cash", "every_collection", "never"),
    _choice("medical.arrival_rule", "paid_in_time_arrived_by_close", "arrival_date"),
    _choice("oneticket.mode", "one_visit_reason_recorded", "separate"),
)

SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _ALL})

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pension.max_age": "pension.max_age_action",
        "medical.waiver_categories": "medical.waiver_categories_extra",
        "pension.government_paid_categories": "pension.government_paid_categories_extra",
        "pension.tier100_categories": "pension.tier100_categories_extra",
    }
)
"""Names that differ from the fixed ones only in wording."""


class Settings(Mapping[str, SettingValue]):
    """Resolved settings: the plan's own values over the defaults, overrides over both."""

    def __init__(self, values: Mapping[str, SettingValue]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> SettingValue:
        return self._values[name] if name in self._values else SETTINGS[name].default

    def __iter__(self) -> Iterator[str]:
        return iter(SETTINGS)

    def __len__(self) -> int:
        return len(SETTINGS)

    def set_values(self) -> dict[str, SettingValue]:
        """The values that differ from silence: what a plan or an override has written."""
        return dict(self._values)

    def choice(self, name: str) -> str:
        return cast(str, self[name])

    def flag(self, name: str) -> bool:
        return cast(bool, self[name])

    def amount(self, name: str) -> Decimal | None:
        return cast(Decimal | None, self[name])

    def date(self, name: str) -> datetime.date | None:
        return cast(datetime.date | None, self[name])

    def codes(self, name: str) -> tuple[str, ...]:
        return cast(tuple[str, ...], self[name])

    def grades(self, name: str) -> tuple[int, ...]:
        return cast(tuple[int, ...], self[name])

    def whole(self, name: str) -> int | None:
        return cast(int | None, self[name])

    def check_lists(self, entry: Entry, categories: Container[str], waivers: Container[str] | None) -> None:
        """Lists name groups, waivers and routes that exist. Raises PlanError at the list that does not.

        `waivers` None leaves the order of ties unchecked.
        """
        for name, value in self._values.items():
            place = next((key for key in entry.mapping() if ALIASES.get(key, key) == name), name)
            for code in value if isinstance(value, tuple) else ():
                if "categories" in name and code not in categories and code not in (SEVERE, WAIVED):
                    raise entry.at(place).error("undefined_category", name=code)
                if name == "medical.waiver_channels" and code not in ROUTES:
                    raise entry.at(place).error("not_a_choice", value=code, known=", ".join(ROUTES))
                if name == "medical.payer_tie_order" and waivers is not None and code not in waivers:
                    raise entry.at(place).error("undefined_waiver", name=code)

    def with_overrides(
        self, overrides: Mapping[str, object], categories: Container[str], waivers: Container[str]
    ) -> Settings:
        """These settings under `overrides` ({name: value}). Raises PlanError for unknown names and values.

        `categories` and `waivers` are the codes a list may name.
        """
        entry = Entry({name: as_plain(value, name) for name, value in overrides.items()}, ("settings",))
        chosen = Settings(parse_settings(entry))
        chosen.check_lists(entry, categories, waivers)
        return Settings({**self._values, **chosen.set_values()})


def as_plain(value: object, name: str) -> Plain:
    """A JSON or Python value in the all-text form of plan files."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case str() | int() | float() | Decimal():
            return str(value)
        case datetime.date():
            return value.isoformat()
        case list() | tuple():
            return [as_plain(item, name) for item in value]
    raise PlanError("bad_setting", place=f"settings.{name}", name=name)


def parse_settings(entry: Entry) -> dict[str, SettingValue]:
    """Check names and values of a `settings:` mapping. Raises PlanError with the line of the offender."""
    result: dict[str, SettingValue] = {}
    names: dict[str, Path] = {}
    for written, item in entry.pairs():
        name = ALIASES.get(written, written)
        setting = SETTINGS.get(name)
        if setting is None:
            raise item.error("unknown_setting", name=written)
        if name in names:
            raise item.error("key_twice", key=name)
        names[name] = item.path
        result[name] = _value(setting, item)
    return result


def _value(setting: Setting, item: Entry) -> SettingValue:
    if item.value is None:
        if setting.default is not None:
            raise item.error("not_text")
        return None
    match setting.kind:
        case "choice":
            return item.choice(*setting.values)
        case "flag":
            return item.flag()
        case "amount":
            return item.amount()
        case "date":
            return item.date()
        case "whole":
            return item.whole(*setting.within)
        case "grades":
            return item.whole_numbers(*setting.within)
        case "codes":
            return tuple(each.code() for each in item.items())
