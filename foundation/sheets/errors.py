"""The one error of this package, and what each code says to the sender."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_SENTENCES: Final[dict[str, Any]] = {
    "empty": gettext_lazy("文件是空的，里面没有内容。请检查是不是传错了文件"),
    "hidden_only": gettext_lazy("看得见的工作表都是空的，内容在隐藏的工作表里。请取消隐藏再传"),
    "not_a_table": gettext_lazy("这不是表格文件。请传 xlsx、xls、et、csv 或 txt"),
    "archive": gettext_lazy("这是压缩包。请先解压，再把里面的表格传上来，可以一次选多个"),
    "document": gettext_lazy("这是文档或图片，不是表格。请把其中的表格另存为 xlsx 再传"),
    "other_workbook": gettext_lazy(
        "这种格式的表格读不了（如 xlsb、ods）。请在表格软件里打开后另存为 xlsx 再传"
    ),
    "markup": gettext_lazy("这个文件其实是网页，里面没有表格。请在表格软件里打开后另存为 xlsx 再传"),
    "too_big": gettext_lazy("文件太大或内容异常，没有读取。请删去空白行列和图片，或分成几个文件再传"),
    "too_slow": gettext_lazy("文件读了太久还没有读完，已停下。请删去空白行列和公式，或分成几个文件再传"),
    "broken": gettext_lazy("文件已损坏或没有传完整，打不开。请在表格软件里打开后另存为 xlsx 再传"),
    "encrypted": gettext_lazy("文件设了密码，打不开。请取消密码后再传"),
    "formulas": gettext_lazy(
        "表里的公式都没有算出结果。请在表格软件里打开，把公式选择性粘贴为数值，保存后再传"
    ),
}

REFUSALS: Final = frozenset(_SENTENCES)
"""The codes of a file that cannot be read at all."""


class SheetError(ValueError):
    """A file cannot be read as a table.

    `code` is stable and for programs; `message` is for the sender, in Chinese, and says what to do. For
    `missing_columns`, `missing` and `headers` name the fields not found and the headers that were.
    """

    def __init__(
        self, code: str, message: str = "", *, missing: tuple[str, ...] = (), headers: tuple[str, ...] = ()
    ) -> None:
        message = message or str(_SENTENCES[code])
        super().__init__(message)
        self.code = code
        self.message = message
        self.missing = missing
        self.headers = headers


def bad_text(row: int) -> SheetError:
    """The refusal for delimited text that cannot be cut into rows from some row on."""
    return SheetError(
        "bad_text",
        _("第%(row)d行起读不下去，可能少了一个引号。请改正或另存为 xlsx 再传") % {"row": row},
    )
