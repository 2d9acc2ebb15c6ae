CREATE TABLE users (
    id bigint PRIMARY KEY,
    full_name bytea,
    currency text NOT NULL,
    is_active boolean NOT NULL,
    epoch text NOT NULL
);
CREATE TABLE transactions (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    full_name bytea,
    full_name_index bytea,
    description bytea,
    transaction_date timestamptz NOT NULL,
    transaction_amount numeric(19, 4) NOT NULL CHECK (transaction_amount > 0),
    transaction_type text NOT NULL CHECK (transaction_type IN ('credit', 'debit')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    external_id text,
    category text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX history ON transactions (user_id, transaction_date, id);
CREATE INDEX history_by_name ON transactions (user_id, full_name_index, transaction_date, id);
CREATE UNIQUE INDEX external_ids ON transactions (user_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE TABLE idempotency_keys (
    user_id bigint NOT NULL REFERENCES users,
    key_digest bytea NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, key_digest)
);
