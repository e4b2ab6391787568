"""What the page calls a finding, its two sides, its fields and their values."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.utils.translation import gettext_lazy

from foundation.imports.engine.tables import field_label


class _Section(NamedTuple):
    title: Any
    before: Any
    after: Any
    # What somebody should do about it; empty where nothing is wrong.
    advice: Any = ""


_HERE: Final = gettext_lazy("库里")
_FILE: Final = gettext_lazy("这份文件")
_SECTIONS: Final[dict[str, _Section]] = {
    "changed": _Section(gettext_lazy("变更的内容"), _HERE, _FILE),
    "closing": _Section(
        gettext_lazy("没有列出、将要停掉的人"), gettext_lazy("现在"), gettext_lazy("写入后"),
        gettext_lazy("核对是不是漏报。漏报的补进名单再传"),
    ),
    "turning": _Section(gettext_lazy("转到另一类的人"), gettext_lazy("原来"), gettext_lazy("写入后")),
    "dead_listed": _Section(
        gettext_lazy("死亡名单有，仍在享受待遇"), gettext_lazy("别的名单"), _FILE,
        gettext_lazy("请认定部门核实，去世的从名单去掉"),
    ),
    "dead_employed": _Section(
        gettext_lazy("死亡名单有，仍按职工参保"), gettext_lazy("职工参保名单"), _FILE,
        gettext_lazy("请社保核实"),
    ),
    "dead_registered": _Section(
        gettext_lazy("死亡名单有，已登记参保"), gettext_lazy("参保登记"), _FILE,
        gettext_lazy("写入后不再收缴；已缴的转退费核对"),
    ),
    "dead_in_police": _Section(
        gettext_lazy("死亡名单有，公安户籍没有销户"), gettext_lazy("公安户籍"), _FILE,
        gettext_lazy("请公安核实"),
    ),
    "listed_employed": _Section(
        gettext_lazy("列入名单，又按职工参保"), gettext_lazy("职工参保名单"), _FILE,
        gettext_lazy("职工参保的不享受居民代缴，请两边核实"),
    ),
    "listed_twice": _Section(
        gettext_lazy("同时在别的部门名单里"), gettext_lazy("别的名单"), _FILE,
        gettext_lazy("只按最高的一项资助，不重复"),
    ),
    "employed_registered": _Section(
        gettext_lazy("按职工参保，又登记了居民保险"), gettext_lazy("参保登记"), _FILE,
        gettext_lazy("核实后销号，避免重复参保"),
    ),
    "employed_listed": _Section(
        gettext_lazy("按职工参保，又在特殊群体名单里"), gettext_lazy("别的名单"), _FILE,
        gettext_lazy("请认定部门核实"),
    ),
    "employed_dead": _Section(
        gettext_lazy("按职工参保，库里已去世"), gettext_lazy("死亡名单"), _FILE, gettext_lazy("请社保和民政核实")
    ),
    "student_registered": _Section(
        gettext_lazy("在校，又登记了居民养老"), gettext_lazy("参保登记"), _FILE, gettext_lazy("在校学生不参加居民养老")
    ),
    "student_employed": _Section(
        gettext_lazy("在校，又按职工参保"), gettext_lazy("职工参保名单"), _FILE, gettext_lazy("请学校和社保核实")
    ),
    "permit_local": _Section(
        gettext_lazy("持居住证，户籍却在本县区"), _HERE, _FILE, gettext_lazy("核对户籍性质")
    ),
    "elsewhere_registered": _Section(
        gettext_lazy("异地已参保，这里也登记了"), gettext_lazy("参保登记"), _FILE,
        gettext_lazy("核实后销号，避免重复参保"),
    ),
    "elsewhere_listed": _Section(
        gettext_lazy("异地已参保，又在特殊群体名单里"), gettext_lazy("别的名单"), _FILE,
        gettext_lazy("不重复资助，请认定部门核实"),
    ),
    "registered_dead": _Section(
        gettext_lazy("登记参保，库里已去世"), gettext_lazy("死亡名单"), _FILE, gettext_lazy("请镇街核实")
    ),
    "registered_employed": _Section(
        gettext_lazy("登记居民保险，又按职工参保"), gettext_lazy("职工参保名单"), _FILE,
        gettext_lazy("核实后销号，避免重复参保"),
    ),
    "registered_elsewhere": _Section(
        gettext_lazy("登记居民医保，异地已参保"), gettext_lazy("异地已参保名单"), _FILE,
        gettext_lazy("核实后销号，避免重复参保"),
    ),
    "police_differs": _Section(
        gettext_lazy("公安和居民库不一致"), gettext_lazy("居民库"), gettext_lazy("公安户籍"),
        gettext_lazy("以身份证为准，在居民页更正"),
    ),
    "police_dead": _Section(
        gettext_lazy("公安已销户或死亡，居民库还在"), gettext_lazy("居民库"), gettext_lazy("公安户籍"),
        gettext_lazy("核实后登记死亡或迁出"),
    ),
    "police_missing": _Section(
        gettext_lazy("居民库有，公安户籍没有"), gettext_lazy("居民库"), gettext_lazy("公安户籍"),
        gettext_lazy("外来人口、空挂户或号码写错，请核实"),
    ),
}  # fmt: skip
# What a batch does by itself, what ends first; every other section contradicts somebody.
DOINGS: Final = ("closing", "turning", "changed")
# Fields of the register that no file has a column for.
_FIELDS: Final[dict[str, Any]] = {
    "unit_id": gettext_lazy("代收单位"), "township_id": gettext_lazy("镇街"), "village_id": gettext_lazy("村居"),
    "household_id": gettext_lazy("户编号"), "household_number": gettext_lazy("公安户号"), "head_name": gettext_lazy("户主"),
    "group_name": gettext_lazy("村组"), "is_head": gettext_lazy("是否户主"), "registration_area": gettext_lazy("户籍性质"),
    "phone_tail": gettext_lazy("电话尾号"), "grade": gettext_lazy("残疾等级"), "valid_to": gettext_lazy("止期"),
    "certified_by_id": gettext_lazy("认定部门"), "employee_pension": gettext_lazy("职工养老"),
    "employee_medical": gettext_lazy("职工医保"), "in_school": gettext_lazy("在校"), "school": gettext_lazy("学段"),
    "other_enrolment": gettext_lazy("异地参保"), "paid_on": gettext_lazy("缴费日期"), "amount": gettext_lazy("金额"),
    "kind": gettext_lazy("类型"), "spouse_id": gettext_lazy("配偶"), "agent_name": gettext_lazy("代办员"),
    "agent_phone_tail": gettext_lazy("代办员电话尾号"), "settled_on": gettext_lazy("入库日期"),
    "membership": gettext_lazy("特殊群体"), "registration": gettext_lazy("参保登记"), "employment": gettext_lazy("职工参保"),
    "death": gettext_lazy("死亡日期"), "police": gettext_lazy("户籍"), "elsewhere": gettext_lazy("异地参保"),
    "student": gettext_lazy("在校"), "headcount": gettext_lazy("任务数"),
}  # fmt: skip
_VALUES: Final[dict[str, Any]] = {
    "true": gettext_lazy("是"), "false": gettext_lazy("否"), "parent": gettext_lazy("随父母"), "local": gettext_lazy("本县区"),
    "same_city_other_county": gettext_lazy("本市其他县区"), "outside": gettext_lazy("市外"),
    "medical_outside_pool_city": gettext_lazy("市外"), "medical_other_county_same_city": gettext_lazy("本市其他县区"),
    "primary": gettext_lazy("小学或初中"), "senior_high": gettext_lazy("高中"), "vocational": gettext_lazy("中职"),
    "technician_college": gettext_lazy("技师学院"), "university": gettext_lazy("大学"),
    "postgraduate": gettext_lazy("研究生"), "only_child": gettext_lazy("独生子女"),
    "two_daughters_sterilised": gettext_lazy("两女绝育"), "two_daughters_not_sterilised": gettext_lazy("两女未绝育"),
    "male": gettext_lazy("男"), "female": gettext_lazy("女"), "village": gettext_lazy("村居"),
    "health_station": gettext_lazy("社区卫生服务站"), "zone": gettext_lazy("园区"), "medical": gettext_lazy("居民医保"),
    "pension": gettext_lazy("居民养老"), "listed": gettext_lazy("在名单里"), "ended": gettext_lazy("停止"),
    "alive": gettext_lazy("没有死亡登记"), "absent": gettext_lazy("没有"), "employed": gettext_lazy("已参加职工保险"),
    "in_school": gettext_lazy("在校"), "permit": gettext_lazy("持居住证"), "registered": gettext_lazy("登记参保"),
}  # fmt: skip
_GRADES: Final = {"1": "一级", "2": "二级", "3": "三级", "4": "四级"}
# Fields whose values are somebody's words and no codes.
_WORDS: Final = frozenset({"name", "head_name", "address", "relation", "nickname", "agent_name", "unit_id"})


def section_word(section: str) -> str:
    """A finding's title."""
    return str(_SECTIONS[section].title)


def before_word(section: str) -> str:
    """What stands on its left side."""
    return str(_SECTIONS[section].before)


def after_word(section: str) -> str:
    """What stands on its right side."""
    return str(_SECTIONS[section].after)


def advice_word(section: str) -> str:
    """What to do about it; empty where nothing is wrong."""
    return str(_SECTIONS[section].advice)


def field_word(field: str) -> str:
    """A field in the words of the screen."""
    return str(_FIELDS.get(field) or field_label(field))


def value_word(field: str, value: str) -> str:
    """A value in words; nothing stands for what is not known."""
    if not value or field in _WORDS:
        return value
    if field == "grade" and value in _GRADES:
        return _GRADES[value]
    return str(_VALUES.get(value, value))
