"""Papers: complete, masked, the same each time, and with a glyph for every name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from foundation.documents import (
    Cell,
    ListingData,
    PostedListData,
    SlipData,
    SlipLine,
    fonts,
    listing,
    missing_characters,
    payment_columns,
    posted_list,
    registration_slip,
)
from foundation.money import in_words

RARE_NAMES = ["刘䶮", "㛃㛃", "𬀩小明", "赵𠅤", "𫘝𬭎", "葛\U000e0101明"]

SLIP = SlipData(
    slip_number="370406-23-0081926",
    made_at=datetime(2022, 11, 28, 10, 42),  # noqa: DTZ001 local time, as printed
    place="店子镇柳泉村 3 组 5 号",
    head="周永顺",
    lines=[
        SlipLine("周永顺", "医疗", Decimal("175.00")),
        SlipLine("周建国", "医疗", Decimal("350.00")),
        SlipLine("周建国", "养老", Decimal("500.00")),
    ],
    coverage="2023 年度。12月31日前缴，1月1日起管全年。",
    payment="周建国付，裕农通刷卡，没有代扫",
    state="待税务回传",
    voucher_hint="正式凭证是税务的电子缴费凭证，在“爱山东”或电子税务局查。",
    handled_by="柳泉村代办员",
)

POSTER = PostedListData(
    title="店子镇柳泉村2023年度城乡居民基本医疗保险缴费情况公示",
    subject="我村2023年度城乡居民基本医疗保险缴费情况",
    rows=[[str(n // 40 + 1), "周永顺", "3", "2", f"3704062300{n:04d}"] for n in range(100)],
    columns=payment_columns(),
    first_day=date(2023, 1, 6),
    last_day=date(2023, 1, 15),
    objections_to="村民委员会",
    telephone="0632-0000000",
    signed_by="柳泉村村民委员会",
    signed_on=date(2023, 1, 6),
    note="应缴、已缴为人数",
)


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without spaces and line breaks."""
    return ["".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def test_a_slip_says_what_was_registered_and_that_it_is_no_proof_of_payment() -> None:
    (text,) = pages(registration_slip(SLIP))
    for part in (
        "缴费登记回执",
        "（不作缴费凭证）",
        "登记号370406-23-0081926",
        "2022年11月28日10:42",
        "店子镇柳泉村3组5号",
        "周永顺医疗175.00",
        "周建国养老500.00",
        "1,025.00元",
        "人民币壹仟零贰拾伍元整",
        "周建国付，裕农通刷卡，没有代扫",
        "待税务回传",
        "“爱山东”",
        "柳泉村代办员",
    ):
        assert part in text, part


@pytest.mark.parametrize("count", [1, 9, 12, 13, 34, 35, 60])
def test_a_slip_of_any_length_keeps_every_line_its_sum_and_its_foot(count: int) -> None:
    lines = [SlipLine(f"某{n}", "医疗", Decimal("350.00")) for n in range(count)]
    texts = pages(registration_slip(replace(SLIP, lines=lines)))
    whole = "".join(texts)
    assert all(f"某{n}医疗350.00" in whole for n in range(count))
    assert in_words(Decimal(350 * count)) in whole
    assert "待税务回传" in texts[-1]
    assert all("（不作缴费凭证）" in text for text in texts)
    assert len(texts) == 1 or f"第{len(texts)}页共{len(texts)}页" in texts[-1]


def test_a_slip_taken_back_says_so() -> None:
    assert "本笔已撤销" in pages(registration_slip(replace(SLIP, reversed=True)))[0]
    assert "撤销" not in pages(registration_slip(SLIP))[0]


def test_every_sheet_of_a_posted_list_stands_alone_with_48_households() -> None:
    reader = PdfReader(BytesIO(posted_list(POSTER)))
    texts = pages(posted_list(POSTER))
    assert len(texts) == 3
    for number, text in enumerate(texts, start=1):
        assert "现将我村2023年度城乡居民基本医疗保险缴费情况予以公示，公示期2023年1月6日至1月15日。" in text
        assert "监督电话：0632-0000000。" in text
        assert "应缴" in text
        assert "柳泉村村民委员会（章）2023年1月6日" in text
        assert f"第{number}页共3页" in text
    assert [text.count("周*顺") for text in texts] == [48, 48, 4]
    assert (round(reader.pages[0].mediabox.width), round(reader.pages[0].mediabox.height)) == (595, 842)


def test_a_posted_list_shows_no_whole_name_and_no_whole_voucher() -> None:
    whole = "".join(pages(posted_list(POSTER)))
    assert "周永顺" not in whole
    assert "37040623" not in whole
    assert "0099" in whole


def test_a_list_already_masked_stays_as_it_is() -> None:
    rows = [["1", name, "1", "1", "7766"] for name in ("周*顺", "汪*", "欧阳*", "阿卜杜·*")]
    text = pages(posted_list(replace(POSTER, rows=rows)))[0]
    assert all(name in text for name in ("周*顺", "汪*", "欧阳*", "阿卜杜·*", "7766"))


def test_an_empty_posted_list_is_one_sheet_that_says_so() -> None:
    (text,) = pages(posted_list(replace(POSTER, rows=[])))
    assert "没有可以公示的记录" in text


def test_a_code_is_drawn_only_where_there_is_a_page_to_lead_to() -> None:
    with_code = posted_list(replace(POSTER, url="https://example.test/p/1"))
    assert "扫下方二维码" in pages(with_code)[0]
    assert "扫码查自家记录" in pages(with_code)[0]
    assert "二维码" not in pages(posted_list(POSTER))[0]


def test_a_plain_list_repeats_its_header_and_signs_at_the_end() -> None:
    cells = [Cell("序号", 1), Cell("姓名", 2), Cell("金额", 2, "right")]
    rows = [[str(n), "某", "350.00"] for n in range(1, 91)]
    texts = pages(
        listing(ListingData("征收清册", cells, rows, unit_line="店子镇", signatures=["制表人：", "审核人："]))
    )
    assert len(texts) == 3
    assert all("序号姓名金额" in text for text in texts)
    assert ["制表人：" in text for text in texts] == [False, False, True]
    assert "90某350.00" in texts[-1]


@pytest.mark.parametrize("name", RARE_NAMES)
def test_rare_names_have_glyphs_and_are_on_the_paper(name: str) -> None:
    assert missing_characters(name) == ""
    assert all(run != fonts.UNKNOWN for _font, run in fonts.runs(name, fonts.BOLD))
    text = pages(registration_slip(replace(SLIP, head=name, lines=[SlipLine(name, "医疗", Decimal("1"))])))[0]
    assert text.count(name.replace("\U000e0101", "")) == 2


def test_what_no_font_has_is_drawn_as_a_mark_and_can_be_asked_for() -> None:
    assert missing_characters("张\ue000三\ue000") == "\ue000"
    assert fonts.runs("张\ue000") == ((fonts.REGULAR, "张〓"),)


def test_the_same_data_give_the_same_bytes() -> None:
    assert registration_slip(SLIP) == registration_slip(SLIP)
    assert posted_list(POSTER) == posted_list(POSTER)


def test_lines_break_as_chinese_is_set() -> None:
    text = "公示期2023年1月6日至1月15日。如有异议，请向（村民委员会）反映。监督电话：0632-0000000。" * 3
    for room in range(60, 300, 7):
        lines = fonts.wrap(text, room, 13)
        assert "".join(lines) == text
        assert all(line[0] not in "，。：）" and line[-1] != "（" for line in lines)
        assert all(fonts.width(line, 13) <= room + 0.01 for line in lines if len(line) > 1)
        if room > 120:
            assert any("0632-0000000。" in line for line in lines)
