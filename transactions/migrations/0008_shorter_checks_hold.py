from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Reads the whole table without blocking its readers and writers."""

    atomic = False
    dependencies = [("transactions", "0007_shorter_checks")]

    operations = [
        ValidateConstraint("transaction", "amount_has_the_currencys_decimals"),
        ValidateConstraint("transaction", "type_is_credit_or_debit"),
        ValidateConstraint("transaction", "external_id_is_not_empty"),
        ValidateConstraint("transaction", "category_is_not_empty"),
    ]
