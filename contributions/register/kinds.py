"""What the comparisons of lists call things: kinds of difference, lists, and reasons why somebody is not in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Word = str | Promise


@dataclass(frozen=True)
class Kind:
    """A kind of difference: what it is called, what it may mean, and the act that corrects ours."""

    code: str
    title: Word
    meaning: Word
    act: str = ""
    button: Word = ""


KINDS: Final[tuple[Kind, ...]] = (
    Kind("dead_there", _("公安登记死亡，我们还在世"), _("先核实，再登记死亡"), "death", _("登记死亡")),
    Kind("cancelled_there", _("公安已注销或迁出，我们还在册"), _("核实后登记迁出"), "leave", _("登记迁出")),
    Kind("only_theirs", _("公安有，我们没有"), _("可能是新生儿、新迁入，或者没登记过"), "new", _("新参保登记")),
    Kind("only_ours", _("我们有，公安没有"), _("可能已迁出，或者户口在别处"), "leave", _("登记迁出")),
    Kind("place", _("村居不一样"), _("核实现在住哪里"), "move", _("迁移")),
    Kind("household", _("不在同一户"), _("公安把他和另一户的户主放在一起"), "move", _("迁到那一户")),
    Kind("birth_date", _("出生日期不一样"), _("以身份证号为准"), "number", _("按号码更正")),
    Kind("sex", _("性别不一样"), _("以身份证号为准"), "number", _("按号码更正")),
    Kind("name", _("姓名不一样"), _("号码相同就是同一个人，核实写法"), "name", _("更正姓名")),
    Kind(
        "dead_here", _("我们登记死亡，公安还在册"), _("公安可能还没销户，也可能我们登错了"), "undo-death",
        _("撤销死亡登记"),
    ),
)  # fmt: skip
BY_CODE: Final = {kind.code: kind for kind in KINDS}

# Why somebody of one list is not in another, in the order of the page. Codes of the evaluator keep their own words.
REASONS: Final[dict[str, Word]] = {
    "dead": _("已登记死亡"),
    "left": _("户口已迁出或注销"),
    "unknown": _("本辖区没有这个人的档案"),
    "elsewhere": _("现住别的地方，档案在那边"),
    "not_registered": _("没有参保登记"),
    "can_register": _("应参保，还没有登记"),
    "closed": _("已销号"),
    "government": _("政府代缴，本人不用缴"),
    "unpaid": _("登记了，还没缴"),
    "outsider": _("户口不在本县区"),
    "no_number": _("没有身份证号（新生儿或其他证件）"),
    "not_with_police": _("公安户籍里没有"),
    "cancelled_there": _("公安已注销"),
    "new_this_year": _("今年新参保"),
    "did_not_pay": _("上年没有缴费记录"),
    "lapsed": _("以前在名单上，已到期"),
    "not_listed": _("从来不在名单上"),
    "refer": _("转部门核定"),
}
