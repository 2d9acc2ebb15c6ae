"""The rules that the contract names, with its thresholds. Staff may edit them."""

from django.db import migrations

DEFAULTS = [
    (1100, "large-withdrawal", {"amount": "100"}),
    (30, "only-withdrawals", {"count": 3}),
    (300, "rising-deposits", {"count": 3}),
    (123, "deposits-in-window", {"amount": "200", "seconds": 30}),
]


def add(apps, schema_editor):
    rules = apps.get_model("alerts", "Rule")
    rules.objects.bulk_create(
        rules(code=code, kind=kind, parameters=parameters, position=10 * place)
        for place, (code, kind, parameters) in enumerate(DEFAULTS, start=1)
    )


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]

    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
