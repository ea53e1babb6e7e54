-- Money. A credit, a spend and a refund are one statement each on ledger_entries; entries are never changed. There is
-- no balance column: the balance is balance_after of the last entry. Each such statement first locks the row of the
-- user, which always exists, so that the statements do not deadlock.

CREATE TABLE products (
  product_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title VARCHAR(100) NOT NULL,
  amount_fen INT UNSIGNED NOT NULL,
  currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'CNY',
  units BIGINT NOT NULL,
  asset VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'coin',
  active TINYINT NOT NULL DEFAULT 1,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (product_id),
  KEY products_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE recharge_orders (
  order_no VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'derived from app, user and Idempotency-Key',
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  asset VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  product_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  merchant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  amount_fen INT UNSIGNED NOT NULL,
  currency CHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  units BIGINT NOT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending' COMMENT 'pending, paid, partial_refund, refunded, closed',
  refunded_fen INT UNSIGNED NOT NULL DEFAULT 0,
  transaction_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  checks SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'how often the sweeper has asked the provider',
  next_check_at TIMESTAMP(3) NULL DEFAULT NULL,
  expires_at TIMESTAMP(3) NULL DEFAULT NULL,
  paid_at TIMESTAMP(3) NULL DEFAULT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (order_no),
  KEY orders_user (app_id, user_id, created_at),
  KEY orders_check (status, next_check_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE ledger_entries (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  asset VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  delta BIGINT NOT NULL,
  balance_after BIGINT NOT NULL,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'recharge, spend, refund, refund_reversal, grant, adjust',
  ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  contra VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the other leg of the double entry',
  ext_ref VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'provider:transaction id, one order each',
  reason VARCHAR(200) NULL,
  request_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (app_id, user_id, asset, seq),
  UNIQUE KEY ledger_ref (kind, ref),
  UNIQUE KEY ledger_ext (ext_ref)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE refunds (
  refund_no VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  order_no VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_fen INT UNSIGNED NOT NULL,
  units BIGINT NOT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'accepted' COMMENT 'accepted, processing, success, closed, abnormal',
  reason VARCHAR(80) NULL,
  checks SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  next_check_at TIMESTAMP(3) NULL DEFAULT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (refund_no),
  KEY refunds_order (order_no),
  KEY refunds_check (status, next_check_at)
) DEFAULT CHARSET = utf8mb4;

-- The settings that a merchant needs to call a provider; secrets are sealed under the master key.
CREATE TABLE merchants (
  provider VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sealed_config MEDIUMTEXT CHARACTER SET ascii NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (provider),
  KEY merchants_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;
