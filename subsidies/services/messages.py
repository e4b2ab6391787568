"""What is wrong with a plan file, a setting or an example, in words for people."""

from __future__ import annotations

from collections import defaultdict

from django.utils.translation import gettext as _

from subsidies.rules.source import PlanError


def _reasons() -> dict[str, str]:
    return {
        "not_yaml": _("不是有效的YAML文件：{problem}"),
        "not_a_mapping": _("这里应是“名称: 值”的列表"),
        "not_a_list": _("这里应是用“-”分行的列表"),
        "alias": _("不使用YAML的锚点和引用，请写全"),
        "key_not_text": _("名称应是文字"),
        "key_twice": _("“{key}”写了两次"),
        "unknown_key": _("不认识“{key}”，这里可用：{known}"),
        "missing_key": _("缺少“{key}”"),
        "no_clause": _("规则没有条文出处（缺少 {missing}）"),
        "not_lines": _("行号“{value}”应写成 L12 或 L12-14"),
        "not_text": _("这里应填文字"),
        "not_a_code": _("“{value}”不是代码（小写字母、数字、下划线）"),
        "not_a_choice": _("“{value}”不在可选值内：{known}"),
        "not_a_date": _("“{value}”不是日期（应为 2022-10-01）"),
        "not_a_whole_number": _("“{value}”不是整数"),
        "out_of_range": _("“{value}”不在 {least} 至 {most} 之间"),
        "not_an_amount": _("“{value}”不是金额（元，最多两位小数）"),
        "not_a_share": _("“{value}”不是比例（应为 50% 或 1/2）"),
        "empty_list": _("列表是空的"),
        "empty_condition": _("条件是空的"),
        "code_twice": _("代码“{code}”已在第 {first} 行用过"),
        "undefined_category": _("没有群体代码“{name}”"),
        "undefined_waiver": _("方案里没有代缴条款“{name}”"),
        "undefined_group": _("“{name}”没有在 groups 里写明对应哪些群体"),
        "undefined_payer": _("“{name}”没有在 payers 里写明"),
        "undefined_rule": _("没有规则“{name}”"),
        "rule_on_two_lists": _("“{name}”已经在另一份名单上"),
        "group_not_on_list": _("“{name}”不在这份名单的规则里"),
        "certified_twice": _("“{name}”由两个部门认定，应只有一个"),
        "certified_by_nobody": _("“{name}”没有写由哪个部门认定"),
        "undefined_stage": _("没有阶段“{name}”"),
        "unknown_setting": _("没有设置“{name}”"),
        "unknown_change": _("没有可改的“{key}”。可用的：{known}"),
        "not_a_change": _("“{value}”应写成 名称=值"),
        "bad_setting": _("设置“{name}”的值无法使用"),
        "printed_band": _("方案印的是出生日期，不能另设年龄计算日"),
        "insurance_not_in_plan": _("方案不含险种 {insurance}"),
        "label_twice": _("同一年度标签写了两次"),
        "no_such_label": _("没有标为 {year} 年度的财政补助，已有：{known}"),
        "nobody_admitted": _("没有写明 {insurance} 的参保范围"),
        "nobody_else_pays": _("没有写明其余部分由谁承担"),
        "shares_not_whole": _("各方比例合计 {total}%，应为 100%"),
        "amounts_not_standard": _("各方金额合计 {sum}，个人缴费标准是 {standard}"),
        "too_many_payers": _("代缴部分最多由两方承担，这里有 {count} 方"),
        "total_not_sum": _("总额 {total} 不等于个人与财政之和 {sum}"),
        "band_gap": _("“{band}”的年龄段之间有空档"),
        "band_overlap": _("“{band}”的年龄段有重叠"),
        "band_mixed": _("“{band}”不能既用年龄又用出生日期"),
        "band_backwards": _("起点在终点之后"),
        "window_overlap": _("逾期期间“{late}”与集中缴费期“{first}”重叠"),
        "route_outside": _("途径的起止应在 {first} 至 {last} 之内，起点不在终点之后"),
        "windows_wrong": _("{insurance} 应有一个集中缴费期，至多一个逾期期间"),
        "tiers_not_ascending": _("档次应由低到高、不重复"),
        "count_differs": _("写明 {printed} 个，实有 {counted} 个"),
        "unknown_tier": _("没有 {amount} 元档次"),
        "subsidy_twice": _("{amount} 元档次写了两种补贴"),
        "tier_without_subsidy": _("{amount} 元档次没有补贴"),
        "above_lowest_tier": _("代缴 {amount} 元超过最低档次"),
        "no_such_plan": _("没有方案文件 {path}"),
        "no_such_file": _("没有文件 {path}"),
        "unreadable": _("文件 {path} 无法读取（{problem}）"),
        "fact_missing": _("缺少事实 {key}"),
        "subject_twice": _("同一个 subject 出现两次"),
        "not_json": _("{path} 不是有效的JSON文件（第 {at} 行）"),
        "not_examples": _("{path} 不是算例文件：{problem}"),
        "no_examples": _("{path} 里没有算例"),
        "example_twice": _("{path} 里有两个算例叫“{name}”"),
        "examples_fail": _("方案 {plan} 自己的算例没有全部通过，先用 check_plan 查看"),
        "other_plan": _("算例属于方案 {other}，不是 {plan}"),
        "unknown_county": _("没有载入县区 {code}，请先运行 load_county"),
        "unknown_township": _("县区里没有镇街 {code}"),
        "unknown_parent": _("没有载入上级方案 {code}"),
        "not_a_number": _("“{value}”不是文号，应写成 山政办发〔2023〕1号"),
        "changes_nothing": _("没有改动任何一条，请先填要改的内容"),
        "no_amendment": _("方案 {plan} 没有待生效的修订"),
        "other_township": _("修订不能改方案适用的镇街"),
        "examples_differ": _("第 {version} 版有 {n} 个算例和预期不同，逐个核对并确认后才能生效"),
        "not_issued": _(
            "方案 {plan} 的文件还没有印发（没有发文日期），只能预计，不能发布；印发后载入正式文本"
        ),
        "amends": _("方案 {plan} 已有发布的版本，第 {version} 版要按修订生效"),
        "not_a_step": _("方案 {plan} 第 {version} 版现在是“{before}”，不能变为“{after}”"),
        "unpublished_version": _("方案 {plan} 第 {version} 版还没有发布，请直接修改那一版，不另起版本"),
        "older_version": _("方案 {plan} 现行的是第 {version} 版，新版本号要更大"),
        "amendment_open": _("方案 {plan} 有一份还没生效的修订，请先让它生效或撤回"),
        "amends_other_year": _("修订不能改县区和保障年度（{year}），另一个年度请写新的方案"),
        "not_closed": _("方案 {plan} 没有结束，不用重新开启"),
        "closed": _("方案 {plan} 已结束，不能再修订，也不再核定"),
        "frozen": _("方案 {plan} 第 {version} 版已发布，不能改动；请写新的版本"),
    }


def describe(error: PlanError) -> str:
    """One line: where, and what is wrong. Codes without a sentence are shown as they are."""
    reason = _reasons().get(error.code, error.code)
    said = reason.format_map(defaultdict(str, error.detail))
    if error.line:
        return _("第 {line} 行（{place}）：{reason}").format(
            line=error.line, place=error.place or "-", reason=said
        )
    return _("{place}：{reason}").format(place=error.place, reason=said) if error.place else said
