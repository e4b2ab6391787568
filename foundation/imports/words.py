"""What the page says of codes: reasons why rows go back and how to correct them, warnings, and what an import did."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from foundation.imports.models import ImportBatch

REASONS: dict[str, Any] = {
    "shifted_cells": gettext_lazy("列数和表头对不上"),
    "uncached_formula": gettext_lazy("公式没有算出结果"),
    "failed_formula": gettext_lazy("公式出错"),
    "masked": gettext_lazy("身份证号打了星号"),
    "empty": gettext_lazy("没有填身份证号"),
    "bad_length": gettext_lazy("身份证号位数不对"),
    "bad_characters": gettext_lazy("身份证号里有不该有的字符"),
    "bad_date": gettext_lazy("日期不对"),
    "bad_check_digit": gettext_lazy("身份证号校验位不对"),
    "scientific_notation": gettext_lazy("科学计数，号码已丢位"),
    "bad_paper_number": gettext_lazy("证件号码不像这种证件"),
    "no_birth_date": gettext_lazy("没有填出生日期"),
    "newborn_household": gettext_lazy("新生儿没有填户编号"),
    "no_name": gettext_lazy("没有填姓名"),
    "name_too_long": gettext_lazy("姓名太长"),
    "broken_characters": gettext_lazy("姓名里有乱码"),
    "unknown_village": gettext_lazy("没有这个村居"),
    "out_of_scope": gettext_lazy("不在您的管辖范围"),
    "unknown_insurance": gettext_lazy("险种不认识或不在方案内"),
    "other_year": gettext_lazy("年度和方案不同"),
    "unknown_tier": gettext_lazy("不是方案的缴费档次"),
    "used_number": gettext_lazy("号码已是另一位居民的"),
    "duplicate": gettext_lazy("表内重复"),
    "unknown_person": gettext_lazy("没有这个人"),
    "name_differs": gettext_lazy("姓名和号码不是同一人"),
    "deceased": gettext_lazy("已去世"),
    "other_category": gettext_lazy("身份类别和名单不同"),
    "unknown_category": gettext_lazy("身份类别不认识"),
    "no_grade": gettext_lazy("没有填残疾等级"),
    "no_poverty_flag": gettext_lazy("没有说是否标注脱贫"),
    "no_approval_flag": gettext_lazy("没有说是否批准"),
    "bad_grade": gettext_lazy("残疾等级不对"),
    "no_death_date": gettext_lazy("没有填死亡时间"),
    "not_insured_now": gettext_lazy("没有在参加职工保险"),
    "unknown_school": gettext_lazy("学段看不懂"),
    "bad_amount": gettext_lazy("金额不对"),
    "no_invoice_date": gettext_lazy("没有填开票日期"),
    "no_voucher": gettext_lazy("没有填税票号码"),
    "duplicate_voucher": gettext_lazy("税票号重复"),
    "voucher_conflict": gettext_lazy("和以前的回传不一致"),
    "not_registered": gettext_lazy("没有参保登记"),
    "not_assessed": gettext_lazy("应缴还没有核定"),
    "permit_over": gettext_lazy("居住证已过期"),
    "unclear_place": gettext_lazy("参保地看不出是哪里"),
    "own_county": gettext_lazy("参保地就是本县区"),
    "bad_years": gettext_lazy("年数不对"),
    "bad_first": gettext_lazy("首次参保看不懂"),
    "no_place": gettext_lazy("看不出是哪个村居"),
    "unknown_family": gettext_lazy("家庭类型看不懂"),
    "wife_differs": gettext_lazy("妻子出生日期和号码不符"),
    "bad_flag": gettext_lazy("是否一栏看不懂"),
    "bad_headcount": gettext_lazy("人数不对"),
    "unknown_township": gettext_lazy("没有这个镇街"),
    "unknown_unit_kind": gettext_lazy("单位类型看不懂"),
    "no_unit_name": gettext_lazy("没有填单位名称"),
    "other_township": gettext_lazy("单位编码是别的镇街的"),
    "unit_name_taken": gettext_lazy("单位重名"),
    "no_booking_date": gettext_lazy("没有填交易日期"),
    "bad_way": gettext_lazy("借贷标志看不懂"),
    "bad_count": gettext_lazy("笔数不对"),
    "duplicate_serial": gettext_lazy("流水号重复"),
    "serial_conflict": gettext_lazy("和以前的流水不一致"),
}
_ADVICE: dict[str, Any] = {
    "shifted_cells": gettext_lazy("检查这一行的分隔符和引号，使各格对齐表头"),
    "uncached_formula": gettext_lazy("在表格软件里打开保存一次，或粘贴为数值"),
    "failed_formula": gettext_lazy("改成应有的内容"),
    "broken_characters": gettext_lazy("照身份证把这个字写对"),
    "masked": gettext_lazy("请用号码完整的表"),
    "empty": gettext_lazy("照身份证或户口本补上"),
    "bad_length": gettext_lazy("照身份证核对，应为18位"),
    "bad_characters": gettext_lazy("照身份证核对，只能是数字和末位 X"),
    "bad_check_digit": gettext_lazy("末位和前17位对不上，照户口本核对"),
    "scientific_notation": gettext_lazy("恢复不了。原表这列设成文本再填"),
    "unknown_village": gettext_lazy("照区划名称改，或请管理员加别名"),
    "out_of_scope": gettext_lazy("这些行请交给所属镇街或区里导入"),
    "unknown_tier": gettext_lazy("改成方案里的档次"),
    "used_number": gettext_lazy("照身份证核对这个号码是谁的"),
    "duplicate": gettext_lazy("留一行，删掉其余"),
    "unknown_person": gettext_lazy("核对号码；确是本地人的，先办参保登记"),
    "name_differs": gettext_lazy("核对姓名和号码，改正写错的一项"),
    "deceased": gettext_lazy("从名单去掉；还健在的，先更正死亡登记"),
    "other_category": gettext_lazy("移到那一类的名单里"),
    "no_grade": gettext_lazy("照残疾证补上一级到四级"),
    "no_poverty_flag": gettext_lazy("加一列“是否标注脱贫”，填是或否"),
    "no_approval_flag": gettext_lazy("加一列“是否批准”，填是或否"),
    "bad_grade": gettext_lazy("写成一级、二级、三级或四级"),
    "not_registered": gettext_lazy("先补参保登记，再导入这几行"),
    "not_assessed": gettext_lazy("先做核定，再导入这几行"),
}
# Which cells a reason is about, where the problem does not name one itself.
_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "empty", "bad_length", "bad_characters", "bad_check_digit", "scientific_notation", "bad_paper_number",
            "used_number", "unknown_person", "duplicate",
        ),
        ("id_number",),
    ),
    **dict.fromkeys(("no_name", "name_too_long", "broken_characters", "deceased"), ("name",)),
    "bad_date": (),
    "name_differs": ("name", "id_number"),
    "no_birth_date": ("birth_date",),
    "newborn_household": ("household",),
    "unknown_village": ("township", "village"),
    "out_of_scope": ("township", "village"),
    **dict.fromkeys(("unknown_insurance", "not_insured_now"), ("insurance",)),
    "other_year": ("year",),
    "unknown_tier": ("tier",),
    **dict.fromkeys(("other_category", "unknown_category"), ("category",)),
    "no_poverty_flag": ("category", "out_of_poverty"),
    "no_approval_flag": ("category", "approved"),
    **dict.fromkeys(("no_grade", "bad_grade"), ("disability_grade",)),
    "no_death_date": ("death_date",),
    "unknown_school": ("school_kind", "school"),
    "bad_amount": ("paid",),
    "permit_over": ("valid_until",),
    **dict.fromkeys(("unclear_place", "own_county"), ("enrolled_at", "enrolled_at_kind")),
    "bad_first": ("first_enrolment",),
    "unknown_township": ("township",),
    "unknown_unit_kind": ("unit_kind",),
    "no_booking_date": ("booked_on",),
    "bad_way": ("debit_credit",),
    "bad_count": ("payment_count",),
    **dict.fromkeys(("duplicate_serial", "serial_conflict"), ("serial",)),
    "no_unit_name": ("unit",),
    **dict.fromkeys(("other_township", "unit_name_taken"), ("unit_code",)),
    "unknown_family": ("family_kind",),
    "wife_differs": ("wife_birth_date", "wife_number"),
    "no_place": ("address", "township", "village"),
    "no_invoice_date": ("paid_at",),
    **dict.fromkeys(("no_voucher", "duplicate_voucher", "voucher_conflict"), ("voucher",)),
}  # fmt: skip
_INSURANCES: dict[str, Any] = {"medical": gettext_lazy("医疗"), "pension": gettext_lazy("养老")}
_OTHERWISE = gettext_lazy("照“错误原因”改正后重新上传")


def reason(code: str) -> str:
    """A reason in a few words."""
    return str(REASONS.get(code, code))


def advice(code: str) -> str:
    """How to correct it."""
    return str(_ADVICE.get(code, _OTHERWISE))


def fields_of(code: str, field: str = "") -> tuple[str, ...]:
    """The fields a problem is about: the one it names, else those its code stands for."""
    return (field,) if field else _FIELDS.get(code, ())


# Reasons found in the row itself; any other was found by looking into the register or at other rows.
_SELF_EVIDENT: frozenset[str] = frozenset(
    {
        "empty", "bad_length", "bad_characters", "bad_date", "bad_check_digit", "scientific_notation", "bad_paper_number",
        "no_birth_date", "newborn_household", "no_name", "name_too_long", "broken_characters", "unknown_village",
        "unknown_insurance", "other_year", "unknown_tier", "other_category", "unknown_category", "no_grade",
        "bad_grade", "no_death_date", "unknown_school", "bad_amount", "permit_over", "unclear_place", "own_county",
        "bad_years", "bad_first", "unknown_family", "wife_differs", "bad_flag", "bad_headcount", "unknown_township",
        "unknown_unit_kind", "no_unit_name", "no_booking_date", "bad_way", "bad_count", "no_poverty_flag",
        "no_approval_flag", "no_invoice_date", "no_voucher",
    }
)  # fmt: skip


def outside_words(faults: list[list[str]]) -> str:
    """What is wrong with a row, for who helps to find the person but did not send the list."""
    told = [reason(code) for code, _field in faults if code in _SELF_EVIDENT]
    if len(told) < len(faults):
        told.append(_("和居民库对不上，由报送单位核对"))
    return "；".join(dict.fromkeys(told))


_ACTS: dict[str, Any] = {
    "import.receive": gettext_lazy("上传"),
    "import.mapping": gettext_lazy("指定列"),
    "import.apply": gettext_lazy("写入"),
    "import.undo": gettext_lazy("整批撤回"),
    "import.abandon": gettext_lazy("放弃"),
    "import.errors": gettext_lazy("下载退回表"),
    "import.findings": gettext_lazy("下载核对明细"),
    "import.download": gettext_lazy("下载原文件"),
    "import.row.close": gettext_lazy("销掉退回的行"),
    "import.row.tell": gettext_lazy("告知本人"),
}


def act_word(action: str, detail: dict[str, Any]) -> str:
    """What somebody did with a file, with how many rows where that says something."""
    word = str(_ACTS.get(action, action))
    rows = detail.get("count", detail.get("rows") if isinstance(detail.get("rows"), int) else None)
    return _("%(act)s（%(n)s 行）") % {"act": word, "n": f"{rows:,}"} if rows else word


def warning_lines(batch: ImportBatch) -> list[str]:
    """What was let in, and should be looked at."""
    lines = []
    found = batch.summary.get("warnings", {})
    if n := found.get("name_spelled_otherwise"):
        lines.append(_("%(n)s 人的姓名写法和库里略有不同，按身份证号认作同一人，库里的写法没有改") % {"n": n})
    if n := found.get("not_in_register"):
        lines.append(_("%(n)s 人没有在居民库里，没有要改的，已略过") % {"n": n})
    if n := found.get("paid_not_registered"):
        lines.append(_("%(n)s 笔缴费的人今年没有登记，按文件里的村居记下，可以去问原因") % {"n": n})
    if n := found.get("certifier_unknown"):
        lines.append(_("%(n)s 行的认定部门不在机构表里，没有记下；可请管理员补上机构") % {"n": n})
    if n := found.get("balance_breaks"):
        lines.append(_("余额有 %(n)s 处和上一笔对不上，流水可能不全，请和银行核对") % {"n": n})
    for insurance, (printed, total) in batch.summary.get("totals", {}).items():
        if printed is not None and printed != total:
            lines.append(
                _("%(what)s：印的合计是 %(printed)s，各镇街相加是 %(sum)s，相差 %(n)s。两个都记下")
                % {
                    "what": _INSURANCES[insurance],
                    "printed": printed,
                    "sum": total,
                    "n": abs(printed - total),
                }
            )
    return lines


def effect_lines(batch: ImportBatch) -> list[str]:
    """What followed from an applied batch."""
    told = batch.summary
    words = {
        "newcomers": _("新登记居民 %(n)s 人"),
        "to_assess": _("%(n)s 人的应缴要重新核定"),
        "confirmed": _("确认已登记的缴费 %(n)s 笔"),
        "appeared": _("自动补上缴费 %(n)s 笔"),
        "contradicted": _("与登记金额不符 %(n)s 笔"),
        "cases": _("待处理事项 %(n)s 件"),
        "closed": _("停掉未列出的 %(n)s 人"),
        "turned": _("转到另一类，原类别停止 %(n)s 人"),
        "last_tiers": _("上年档次带到 %(n)s 条登记"),
        "corrected": _("以前退回的 %(n)s 行已更正"),
    }
    return [text % {"n": f"{told[key]:,}"} for key, text in words.items() if told.get(key)]


_LISTED = 8


def file_lines(table: dict[str, Any]) -> list[tuple[str, str]]:
    """What a file's reader noticed, each with how it should look: ``wait`` asks for a look, ``quiet`` only tells.

    ``table`` is what ``engine.tables.describe`` and ``noticed`` found.
    """
    lines: list[tuple[str, str]] = []

    def tell(look: str, text: str, **values: Any) -> None:
        lines.append((look, text % values))

    if found := table.get("broken"):
        tell("wait", _("第 %(rows)s 行有读不出的字，已用 \ufffd 代替：请核对这几行"), rows=_row_list(found))
    if found := table.get("skipped"):
        tell("wait", _("第 %(rows)s 行没有姓名也没有号码，没有读"), rows=_row_list(found))
    if table.get("groups", 1) > 1:
        tell("quiet", _("一行里并排了 %(n)s 组，已按每组一人读"), n=table["groups"])
    sheets = table.get("sheets", [])
    if len(sheets) > 1:
        tell("quiet", _("读了 %(n)s 个工作表，共约 %(rows)s 行"), n=len(sheets), rows=f"{table['rows']:,}")
    if table.get("other_sheets"):
        tell("wait", _("没有读的工作表：%(names)s"), names=_name_list(table["other_sheets"]))
    if table.get("hidden_sheets"):
        tell("wait", _("隐藏的工作表没有读：%(names)s"), names=_name_list(table["hidden_sheets"]))
    notes = table.get("notes", [])
    if "macros" in notes:
        tell("quiet", _("文件带宏：宏没有运行，只读了单元格里的内容"))
    if "links" in notes:
        tell("quiet", _("文件引用了别的文件：读的是上次保存时的结果"))
    return lines


def _row_list(found: dict[str, Any]) -> str:
    rows = "、".join(map(str, found["rows"][:_LISTED]))
    return _("%(rows)s 等 %(n)s") % {"rows": rows, "n": found["count"]} if found["count"] > _LISTED else rows


def _name_list(names: list[str]) -> str:
    shown = "、".join(names[:_LISTED])
    return _("%(names)s 等 %(n)s 个") % {"names": shown, "n": len(names)} if len(names) > _LISTED else shown
