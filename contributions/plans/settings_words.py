"""What the settings that price are called on the screen, and their values."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from contributions.plans.words import Word

_YES_NO: Final[dict[str, Word]] = {"true": _("是"), "false": _("否")}
_AGE_DAYS: Final[dict[str, Word]] = {
    "prior_year_end": _("上年 12 月 31 日"),
    "payment_date": _("缴费当天"),
    "coverage_start": _("待遇首日"),
    "within_coverage_year": _("保障年度内满"),
    "within_plan_year": _("方案年度内满"),
}

# Name of a setting → its words and those of its values; in the order of the form.
NAMES: Final[dict[str, tuple[Word, dict[str, Word]]]] = {
    "medical.age_reference_date": (_("医疗年龄算到哪天"), _AGE_DAYS),
    "medical.waiver_categories_extra": (_("另外全额代缴的群体"), {}),
    "medical.severe_grades": (_("按重度算的残疾等级"), {}),
    "medical.payer_tie_order": (_("几项都符合时先用哪项"), {}),
    "medical.waiver_channels": (_("哪些途径缴费才代缴"), {}),
    "medical.gap_rule": (
        _("缴费期后、逾期前"),
        {"ordinary": _("照常"), "late": _("按逾期"), "refuse": _("不收")},
    ),
    "medical.late_rule": (_("逾期而方案没写"), {"refer": _("转部门核定"), "accept": _("照收")}),
    "medical.late_waived_groups": (
        _("逾期的代缴人员"),
        {
            "refer": _("转部门核定"),
            "personal_share_only": _("只代缴个人部分"),
            "whole_cost": _("按全额的同样比例代缴"),
            "none": _("不代缴"),
        },
    ),
    "medical.late_no_cover_action": (
        _("逾期后本年已无报销期"),
        {"warn": _("提醒后照收"), "refuse": _("不收")},
    ),
    "medical.waiting_day_count": (
        _("等待期从哪天数起"),
        {"exclude_payment_day": _("缴费次日"), "include_payment_day": _("缴费当天")},
    ),
    "medical.waiting_exempt_categories": (_("免等待期的群体"), {}),
    "medical.waiting_first_missed_year": (
        _("断保的第一年"),
        {"fixed_period": _("含在固定等待期内"), "adds_a_month": _("另加一个月")},
    ),
    "medical.interruption_start": (
        _("断保的等待期从哪天起"),
        {"coverage_start": _("待遇首日"), "payment_date": _("缴费次月")},
    ),
    "medical.waiting_month_count": (
        _("等待期的月怎么数"),
        {"following_months": _("缴费次月起的整月"), "from_payment_day": _("自缴费日起按日对应")},
    ),
    "medical.newborn_rule": (
        _("新生儿"),
        {"special_case": _("由医保局逐人核定"), "from_birth": _("按期参保的自出生享受")},
    ),
    "medical.newborn_days": (_("出生多少天内参保自出生享受"), {}),
    "medical.fiscal_year": (_("用哪个年度的财政补助标准"), {}),
    "medical.window_open": (_("医疗缴费期首日"), {}),
    "medical.band70_with_allowance": (
        _("70 至 79 岁领老龄补贴的"),
        {"refer": _("转部门核定"), "full_price": _("全额自缴")},
    ),
    "medical.registered_poor_scope": (
        _("建档立卡人员"),
        {"all": _("全部"), "not_out_only": _("只算未脱贫的")},
    ),
    "medical.family_child_max_age": (_("随家庭代缴的子女最大年龄"), {}),
    "medical.family_rural_scope": (
        _("“农村”管到哪几类家庭"),
        {"first_two_kinds": _("前两类"), "all_kinds": _("各类")},
    ),
    "pension.max_age_action": (
        _("满 60 周岁参加养老"),
        {"refer": _("转部门核定"), "accept": _("照收"), "refuse": _("不收")},
    ),
    "pension.min_age_reference": (_("满 16 周岁算到哪天"), _AGE_DAYS),
    "pension.late_rule": (_("养老缴费期后"), {"accept": _("照收"), "refer": _("转部门核定")}),
    "pension.government_paid_higher_tier": (
        _("代缴人员自选高档次"),
        {
            "offset": _("补差额"),
            "on_top": _("全额自缴，代缴另加"),
            "tier_100_only": _("不能选"),
            "none": _("不再代缴"),
        },
    ),
    "pension.government_paid_categories_extra": (_("另外代缴养老的群体"), {}),
    "pension.tier100_categories_extra": (_("另外可用 100 元档次的群体"), {}),
    "pension.subsidy_on_government_paid": (_("代缴的也给政府补贴"), _YES_NO),
    "pension.fp_subsidy_mode": (_("计生补贴"), {"credit": _("另记入个人账户"), "offset": _("抵个人缴费")}),
    "pension.fp_age_reference": (_("计生补贴年龄算到哪天"), _AGE_DAYS),
    "pension.fp_subsidy_stacking": (_("代缴和计生补贴可同时享受"), _YES_NO),
    "pension.window": (_("养老缴费期"), {"stage": _("按缴费阶段"), "window": _("按缴费期")}),
    "scope.employee_exclusion_mode": (
        _("已参加职工保险"),
        {"per_insurance": _("两险分别判断"), "either": _("参加其一都不收")},
    ),
    "scope.students_at_school_place": (_("收在本地就读的外地学生"), _YES_NO),
    "scope.accompanying_children": (_("随迁子女不必有居住证"), _YES_NO),
    "scope.pension_permit_holders": (_("居住证持有人可参加养老"), _YES_NO),
    "scope.postgraduates": (_("研究生"), {"admit": _("收"), "refer": _("转部门核定")}),
    "waiver.requires_local_registration": (_("只给本地户籍代缴"), _YES_NO),
    "money.rounding": (
        _("一分钱分不开时"),
        {"personal_down": _("本人少一分"), "personal_half_up": _("四舍五入")},
    ),
    "money.odd_cent": (
        _("几方分不开的一分钱"),
        {"higher_level": _("上级财政出"), "lower_level": _("下级财政出")},
    ),
    "dates.before_is_inclusive": (_("“某日前”含当日"), _YES_NO),
    "plan.window_vs_stage": (_("按时与否看什么"), {"window": _("缴费期"), "stage": _("缴费阶段")}),
}

# Settings of work rather than of prices: named beside their rules, not offered in a budget.
OTHERS: Final[dict[str, tuple[Word, dict[str, Word]]]] = {
    "medical.personal": (_("医疗个人缴费"), {}),
    "medical.fiscal": (_("医疗财政补助"), {}),
    "medical.multi_category_rule": (
        _("一人多种身份"),
        {"lowest_personal_amount": _("只取一项，本人缴得最少的")},
    ),
    "medical.household_mode": (_("整户参保"), {"warn": _("没登记全的提醒"), "ignore": _("不管")}),
    "medical.arrival_rule": (
        _("按时与否看哪天"),
        {"paid_in_time_arrived_by_close": _("缴费日，款项期末前到"), "arrival_date": _("到账日")},
    ),
    "pension.multi_category_rule": (_("一人多种身份"), {"once": _("只代缴一份")}),
    "pension.student_definition": (_("在校学生"), {"any_full_time": _("各类全日制在读")}),
    "lists.elderly_source": (
        _("老年人名单从哪里来"),
        {"birth_dates": _("按出生日期算出"), "department_list": _("部门报送名单")},
    ),
    "waiver.cover_by": (_("代缴人员待遇从何时算"), {"certification_date": _("认定之日")}),
    "waiver.determined_at": (_("身份认定到哪天"), {}),
    "waiver.late_entrants": (_("缴费后才取得身份"), {"keep_as_paid": _("不退"), "refund": _("退费")}),
    "waiver.lost_after_payment": (
        _("缴费时多减免了"),
        {"keep_as_paid": _("按缴费时的不补"), "collect": _("补缴差额")},
    ),
    "plan.amendment_for_paid": (
        _("方案修订时已缴费的人"),
        {"settle": _("多退少补"), "keep_as_paid": _("按缴费时的不补不退")},
    ),
    "sponsor.enabled": (_("允许资助人代付"), _YES_NO),
    "plan.allow_retroactive": (_("允许补录已过的日期"), _YES_NO),
    "deadlines.roll_over": (
        _("期限遇节假日"),
        {"none": _("不顺延"), "next_working_day": _("顺延到工作日")},
    ),
    "channels.cash": (_("代办员可收现金"), _YES_NO),
    "publicity.day_count": (
        _("公示天数怎么数"),
        {"calendar_days": _("自然日"), "working_days": _("工作日")},
    ),
    "publicity.min_days": (_("公示最少天数"), {}),
    "publicity.columns": (_("公示栏目"), {}),
    "targets.count_half_payers": (_("半额缴费者计入任务"), _YES_NO),
    "targets.includes_exempt": (_("免缴费人员计入任务"), _YES_NO),
    "targets.total_mode": (
        _("任务总数用哪个"),
        {"sum_of_rows": _("各行之和"), "printed": _("印刷合计")},
    ),
    "targets.band_overlap": (
        _("两档都印的年龄"),
        {"upper_band": _("计入高年龄档"), "lower_band": _("计入低年龄档")},
    ),
    "refund.death_before_cover": (
        _("待遇开始前死亡"),
        {"review": _("人工复核"), "refund": _("退费"), "keep": _("不退")},
    ),
    "refund.charged_before_list": (
        _("名单到之前已缴的代缴人员"),
        {"refund": _("退费"), "review": _("人工复核")},
    ),
    "receipt.when": (
        _("村里何时开收据"),
        {"agent_takes_cash": _("收现金时"), "every_collection": _("每次收缴"), "never": _("不开")},
    ),
    "oneticket.mode": (
        _("两险一票"),
        {"one_visit_reason_recorded": _("一次上门，缺一险写明原因"), "separate": _("分开")},
    ),
}


def setting_name(name: str) -> str:
    """A setting's name as people say it, else the name itself."""
    return str((NAMES.get(name) or OTHERS.get(name) or (name,))[0])


def setting_choice(name: str, value: str) -> str:
    """A value of a setting in words."""
    known = NAMES[name][1] if name in NAMES else OTHERS[name][1] if name in OTHERS else {}
    return str(known.get(value, _YES_NO.get(value, value)))
