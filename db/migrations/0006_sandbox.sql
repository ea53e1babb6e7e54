-- The provider's side of the sandbox: the payments that `sync` and reconciliation find. Without SANDBOX_KEY nothing
-- reads this table.

CREATE TABLE sandbox_payments (
  order_no VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  transaction_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen INT UNSIGNED NOT NULL,
  currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  paid_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (order_no),
  KEY sandbox_paid (paid_at)
) DEFAULT CHARSET = utf8mb4;
