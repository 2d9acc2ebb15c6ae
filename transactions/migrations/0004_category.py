from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    """Neither step reads the table, so nobody waits for it."""

    dependencies = [
        ("transactions", "0003_history_by_currency_and_type"),
        ("wallets", "0002_balance_of_the_users_own_wallet"),
    ]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="category",
            field=models.CharField(
                blank=True,
                help_text="What it was for, in the client's own words.",
                max_length=50,
                null=True,
            ),
        ),
        AddConstraintNotValid(
            model_name="transaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("category__isnull", True))
                | models.Q(("category", ""), _negated=True),
                name="category_is_not_empty",
            ),
        ),
    ]
