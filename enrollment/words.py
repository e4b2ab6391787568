"""What codes of the register are called on the screen."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PAPERS: Final[dict[str, str | Promise]] = {
    "id_paper": _("身份证或户口簿原件和复印件"),
    "form": _("参保登记表，本人签字"),
    "photo": _("近期一寸照片"),
    "permit": _("居住证"),
    "birth_certificate": _("出生医学证明"),
    "group_paper": _("特殊群体的证件（残疾证、低保证等）"),
}
