"""The special groups the plans name, with what departments call them and who certifies them."""

from __future__ import annotations

from typing import Any

from django.db import migrations

# code, name, certifying office, other names found in lists and papers.
CATEGORIES = (
    ("dibao", "低保对象", "civil_affairs", "低保 城乡低保 城乡低保对象 低保户 最低生活保障对象 城乡最低生活保障对象 最低生活保障家庭成员 农村低保 城市低保"),
    ("dibao_edge", "低保边缘家庭成员", "civil_affairs", "低保边缘 低保边缘户 低保边缘家庭 最低生活保障边缘家庭成员"),
    ("tekun", "农村特困人员", "civil_affairs", "特困 特困人员 特困供养 特困供养人员 农村特困 特困救助供养人员 分散供养特困人员 集中供养特困人员"),
    ("tekun_urban", "城市特困人员", "civil_affairs", "城市特困 城市三无人员"),
    ("wubao", "五保供养对象", "civil_affairs", "五保 五保户 五保对象 五保供养 农村五保"),
    ("fanpin", "返贫致贫人口", "rural_revival", "返贫致贫 返贫致贫人员 返贫人口"),
    ("monitored", "防止返贫监测帮扶对象", "rural_revival", "防止返贫监测 监测帮扶对象 防返贫监测对象 监测对象 防止返贫监测对象"),
    ("fupin", "扶贫户", "rural_revival", "扶贫对象 扶贫户人员 脱贫享受政策人口"),
    ("registered_poor_not_out", "建档立卡未标注脱贫人口", "rural_revival", "建档立卡未标注脱贫 建档立卡贫困人口 未标注脱贫 建档立卡未标注脱贫的贫困人口"),
    ("registered_poor_out", "建档立卡已标注脱贫人口", "rural_revival", "建档立卡已标注脱贫 已标注脱贫 建档立卡已脱贫人口"),
    ("out_of_poverty_still_enjoying", "已脱贫仍享受政策人口", "rural_revival", "已脱贫仍享受政策 脱贫不脱政策 已脱贫享受政策人口"),
    ("disabled", "残疾人", "disabled_federation", "残疾 持证残疾人 残疾人员 重度残疾人 重度残疾"),
    ("youfu", "优抚对象", "veterans", "优抚 优抚人员 重点优抚对象"),
    ("youfu_regular_allowance", "抚恤定补优抚对象", "veterans", "抚恤定补 定期抚恤 定补优抚对象 享受抚恤定补优抚对象"),
    ("orphan", "孤儿", "civil_affairs", "孤儿童"),
    ("defacto_unsupported_child", "事实无人抚养儿童", "civil_affairs", "事实无人抚养 事实孤儿"),
    ("key_child_in_difficulty", "重点困境儿童", "civil_affairs", "困境儿童"),
    ("illness_hardship_approved", "因病困难（政府已批准）", "medical", "因病致困（已批准） 因病致贫（已批准） 因病致困 因病困难已批准"),
    ("illness_hardship_unapproved", "因病困难（未经批准）", "medical", "因病致困（未批准） 因病致贫（未批准） 因病困难未批准"),
    ("rural_one_daughter", "农村一女家庭", "health", "农村一女 一女户 农村独女"),
    ("rural_two_daughters", "农村双女家庭", "health", "双女 双女户 农村双女 农村二女"),
    ("only_child_loss", "独生子女伤亡病残家庭", "health", "独生子女伤亡病残 独生子女伤残死亡 失独家庭"),
    ("only_child_loss_urban", "独生子女伤亡病残家庭（城镇）", "health", "独生子女伤亡病残（城镇）"),
    ("old_age_allowance", "领取老龄补贴", "civil_affairs", "老龄补贴 高龄补贴 领取高龄补贴 高龄津贴"),
)  # fmt: skip


def lay_down(apps: Any, schema_editor: Any) -> None:
    """Add what is missing; an office's own names stay."""
    category = apps.get_model("enrollment", "Category")
    for position, (code, name, agency, aliases) in enumerate(CATEGORIES, start=1):
        category.objects.get_or_create(
            code=code,
            defaults={
                "name": name,
                "aliases": aliases.split(),
                "agency_kind": agency,
                "position": position,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0003_import_staging")]

    operations = [migrations.RunPython(lay_down, migrations.RunPython.noop)]
