from django.db import migrations

# The key covers user and wallet, so a balance can only be in a wallet of its own user.
REFER = """
ALTER TABLE wallets_balance ADD CONSTRAINT balance_in_own_wallet
FOREIGN KEY (user_id, wallet_id) REFERENCES wallets_wallet (user_id, id)
"""
FORGET = "ALTER TABLE wallets_balance DROP CONSTRAINT balance_in_own_wallet"


class Migration(migrations.Migration):
    accepted = {
        "constraint-missing-not-valid": "It ran on an empty table, before the first release.",
        "adding-foreign-key-constraint": "It ran on an empty table, before the first release.",
    }
    dependencies = [("wallets", "0001_initial")]

    operations = [migrations.RunSQL(REFER, FORGET)]
