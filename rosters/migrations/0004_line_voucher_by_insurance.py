from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rosters", "0003_line_paid_by_insurance")]

    operations = [
        migrations.RenameField("rosterline", "voucher", "medical_voucher"),
        migrations.AlterField(
            model_name="rosterline",
            name="medical_voucher",
            field=models.CharField(blank=True, max_length=40, verbose_name="医疗凭证号"),
        ),
        migrations.AddField(
            model_name="rosterline",
            name="pension_voucher",
            field=models.CharField(blank=True, default="", max_length=40, verbose_name="养老凭证号"),
            preserve_default=False,
        ),
    ]
