"""Header names as they are found in the files of bureaus, departments, townships and banks.

A field is the name the importers use; the first header is how the screen calls it. Order matters only where
two headers of one field stand in the same file: the leftmost column counts. An import mapping saved for a
sender comes before this table.
"""

from __future__ import annotations

from typing import Final

SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "id_number": (
        "身份证号",
        "身份证号码",
        "公民身份号码",
        "证件号码",
        "身份证件号码",
        "身份证",
        "身份号码",
        "社会保障号",
        "社会保障号码",
        "缴费人识别号",
        "居民身份证号码",
        "公民身份证号",
        "公民身份证号码",
        "证件号",
        "残疾证号",
        "残疾人证号",
    ),
    "id_kind": ("证件类型", "证件种类", "身份证件类型"),
    "name": ("姓名", "参保人姓名", "缴费人姓名", "人员姓名", "缴费人名称", "参保人", "缴费人", "居民姓名"),
    "sex": ("性别",),
    "birth_date": ("出生日期", "出生年月日", "出生时间"),
    "ethnicity": ("民族",),
    "township": ("镇街", "镇(街)", "街道乡镇", "乡镇", "所属乡镇", "乡镇街道", "乡镇(街道)", "镇街名称"),
    "village": (
        "村居",
        "村(居)",
        "村(社区)",
        "社区村",
        "村委会",
        "行政村",
        "村居名称",
        "村",
        "村(居)委会",
        "村名",
        "村(居)名称",
    ),
    "village_code": ("村居代码", "行政区划代码", "村(居)代码", "村代码"),
    "unit": ("征收单位", "代收单位", "参保单位", "缴费单位", "单位名称"),
    "unit_kind": ("类型", "单位类型", "单位性质"),
    "agent": ("代办员", "代办员姓名", "协办员", "经办人", "负责人"),
    "account_name": ("账户户名", "户名", "开户名称"),
    "account": ("账号", "对公账号", "银行账号", "开户账号"),
    "pos_number": ("POS机号", "POS终端号", "POS机编号", "终端号"),
    "unit_code": ("单位编码", "单位代码", "单位编号"),
    "region": ("行政区划", "居民医保所属区划", "主管税务所", "所属区划"),
    "group": ("村组", "村小组", "组别", "村民组", "小组", "组", "村民小组"),
    "household": ("户编号", "户号", "家庭编号", "公安户籍编号", "户籍编号"),
    "house_number": ("门牌号", "住宅编号", "门牌"),
    "head": ("户主", "户主姓名"),
    "head_id_number": ("户主身份证号", "户主身份证号码", "户主证件号码", "户主公民身份号码"),
    "relation": ("与户主关系", "关系", "家庭关系"),
    "phone": ("电话", "联系电话", "手机号", "联系方式", "手机号码", "手机"),
    "address": ("住址", "户籍地址", "家庭住址", "居住地址", "户籍所在地", "地址"),
    "household_registration": ("户籍类型", "户籍情况", "户口所在", "户籍性质"),
    "residence_permit": ("居住证", "持居住证"),
    "permit_kind": ("持证方式", "持证人", "持证情况", "居住证类别"),
    "enrolled_at": ("参保地", "参保地区", "参保所在地", "异地参保地", "参保统筹区", "统筹区"),
    "enrolled_at_kind": ("参保地类型", "异地类型", "参保地类别"),
    "husband_name": ("丈夫姓名", "男方姓名", "夫姓名"),
    "husband_number": ("丈夫身份证号", "丈夫身份证号码", "男方身份证号", "男方身份证号码", "夫身份证号"),
    "wife_name": ("妻子姓名", "女方姓名", "妻姓名"),
    "wife_number": ("妻子身份证号", "妻子身份证号码", "女方身份证号", "女方身份证号码", "妻身份证号"),
    "spouse_name": ("配偶姓名",),
    "spouse_number": ("配偶身份证号", "配偶身份证号码"),
    "family_kind": ("家庭类型", "计生类型", "计生家庭类型", "计划生育家庭类型"),
    "lawful_birth": ("是否合法生育", "合法生育"),
    "wife_birth_date": ("妻子出生日期", "女方出生日期", "妻子出生年月日"),
    "nickname": ("绰号", "小名", "外号", "别名"),
    "category": (
        "人员类别",
        "代缴类别",
        "身份类别",
        "医疗救助身份",
        "特殊人员身份",
        "参保身份",
        "救助类别",
        "对象类别",
    ),
    "disability_grade": ("残疾等级", "等级"),
    "out_of_poverty": ("是否标注脱贫", "标注脱贫", "是否脱贫", "脱贫标注"),
    "approved": ("是否批准", "是否经政府批准", "批准情况", "审批结果"),
    "certified_by": ("认定部门", "认定单位"),
    "certified_on": ("认定时间", "认定日期"),
    "valid_from": ("生效日期", "起始日期", "享受开始时间"),
    "valid_until": ("止期", "终止日期", "截止日期", "有效期止"),
    "insurance": ("险种", "征收品目", "征收项目", "缴费类型", "险种类型", "参保险种"),
    "year": ("缴费年度", "费款所属期", "费款所属期起", "所属年度", "年度", "参保年度"),
    "year_end": ("费款所属期止",),
    "tier": ("档次", "缴费档次", "缴费标准", "养老档次"),
    "due": ("应缴金额", "应缴费额", "应补(退)费额", "应缴"),
    "paid": ("实缴金额", "金额", "个人缴费金额", "个人实缴金额", "缴费金额", "实缴费额"),
    "subsidy": ("代缴金额", "资助金额"),
    "paid_at": ("缴费时间", "缴费日期", "个人缴费日期", "开票日期"),
    "settled_at": ("入库日期", "入国库日期", "上解时间"),
    "channel": ("缴费渠道", "缴费方式", "征收方式"),
    "voucher": ("电子税票号码", "税票号", "税票号码", "凭证号码", "票号", "凭证号"),
    "booked_on": ("交易日期", "记账日期", "交易时间", "入账日期", "记账时间"),
    "serial": ("交易流水号", "流水号", "交易序号", "核心流水号", "交易流水"),
    "summary": ("摘要", "用途", "附言", "交易摘要"),
    "counterparty": ("对方户名", "对方名称", "对方账户名称", "付款人名称", "交易对手"),
    "amount_in": ("收入金额", "贷方金额", "贷方发生额", "转入金额", "存入金额", "收入"),
    "amount_out": ("支出金额", "借方金额", "借方发生额", "转出金额", "支取金额", "支出"),
    "amount": ("交易金额", "发生额"),
    "debit_credit": ("借贷标志", "借贷方向", "收支标志", "借贷"),
    "balance": ("余额", "账户余额"),
    "payment_count": ("笔数", "明细笔数"),
    "agency": ("征收机关", "税务机关", "代征单位"),
    "death_date": ("死亡时间", "死亡日期", "火化日期"),
    "cancelled_on": ("注销日期", "销户日期", "户口注销时间", "迁出日期"),
    "cancelled_why": ("注销原因", "销户原因", "变动原因"),
    "person_number": ("个人编号", "人员编号", "个人编码"),
    "is_new": ("是否新参保", "新参保"),
    "missed_years": ("中断年数", "断缴年数", "中断缴费年数"),
    "repaired_years": ("补缴年数", "已补年数", "修复年数", "已补缴年数"),
    "first_enrolment": ("首次参保", "是否首次参保", "首次参保年度", "首次参保时间"),
    "school": ("学校", "学校名称", "就读学校"),
    "school_kind": ("学段", "学校类别"),
    "state": ("参保状态", "状态"),
    "employer": ("工作单位", "用人单位"),
    "headcount": ("任务数", "人数", "参保任务数", "任务人数"),
    "pension_heads": ("养老人数", "养老任务数", "居民养老人数", "养老参保任务数"),
    "medical_heads": ("医疗人数", "医疗任务数", "居民医疗人数", "医保任务数", "医疗参保任务数"),
    "village_count": ("村居数", "村(居)数", "村居个数", "村数"),
    "position": ("职务",),
    "note": ("备注", "说明"),
}

WEAK: Final = frozenset(
    [
        "证件号",
        "残疾证号",
        "残疾人证号",
        "社会保障号",
        "社会保障号码",
        "缴费人识别号",
        "参保人",
        "缴费人",
        "组",
        "小组",
        "村",
        "等级",
        "状态",
        "金额",
        "应缴",
        "单位名称",
        "人数",
        "说明",
        "地址",
        "关系",
        "电话",
        "行政区划",
        "征收方式",
        "缴费类型",
        "门牌",
        "档次",
    ]
)
"""Headers that may mean other things too: they give way where a column says it more clearly. Written as
`headers.normalise_header` gives them back."""

ASKED: Final = frozenset(
    {
        "id_number",
        "name",
        "due",
        "paid",
        "subsidy",
        "tier",
        "category",
        "insurance",
        "township",
        "village",
        "death_date",
    }
)
"""Fields that money or identity hang on: of two columns that differ a person chooses."""

OWN_CELL: Final = frozenset(
    {"due", "paid", "subsidy", "tier", "headcount", "voucher", "missed_years", "repaired_years", "note"}
)
"""Fields that a merged cell gives to its first row alone: an amount that spans a household is one amount."""

NOTHING_HANGS_ON: Final = frozenset({"note"})
"""Fields whose cell may be blank though it holds a formula."""

ERROR_HEADER: Final = "错误原因"
"""Header of the column that is added to files sent back; ignored when such a file comes in again."""
