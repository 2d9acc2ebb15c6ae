import django.db.models.deletion
from django.db import migrations, models

# The key covers user and wallet, so a transaction can only be in a wallet of its own user. No row has
# a wallet yet, so the check has no rows to scan while other writers wait.
REFER = """
ALTER TABLE transactions_transaction ADD CONSTRAINT transaction_in_own_wallet
FOREIGN KEY (user_id, wallet_id) REFERENCES wallets_wallet (user_id, id) NOT VALID
"""
FORGET = "ALTER TABLE transactions_transaction DROP CONSTRAINT transaction_in_own_wallet"


class Migration(migrations.Migration):
    accepted = {
        "require-concurrent-index-creation": "It ran on an empty table, before the first release.",
    }
    dependencies = [
        ("transactions", "0001_initial"),
        ("wallets", "0002_balance_of_the_users_own_wallet"),
    ]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="wallet",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                help_text="The wallet whose balance it moves.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="wallets.wallet",
            ),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(
                condition=models.Q(("wallet__isnull", False)),
                fields=["user", "wallet", "transaction_date", "id"],
                name="history_by_wallet",
            ),
        ),
        migrations.RunSQL(REFER, FORGET),
    ]
