from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Reads the whole table without blocking its readers and writers."""

    atomic = False
    dependencies = [("wallets", "0003_shorter_checks")]

    operations = [
        ValidateConstraint("balance", "balance_has_the_currencys_decimals"),
        ValidateConstraint("balance", "opening_has_the_currencys_decimals"),
    ]
