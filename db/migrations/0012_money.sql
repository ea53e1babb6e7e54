-- Money: the end of each wallet, holds, units that expire, several merchants, and what an accountant needs.

-- Row 0 of a wallet is its head: number, balance, held units and chain of its last entry. The statement that appends an
-- entry moves the head, too, so an entry that is missing at the end is found. The head is the only row that changes.
-- `chain_hash` is the SHA-256 of an entry and of the chain before it; NULL: written by a release that had no chain.
ALTER TABLE ledger_entries
  ADD COLUMN held_delta BIGINT NOT NULL DEFAULT 0 COMMENT 'units that this entry holds, or no longer holds',
  ADD COLUMN held_after BIGINT NOT NULL DEFAULT 0 COMMENT 'units that are held after it; they are a part of the balance',
  ADD COLUMN expires_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'end of a hold, or of units that expire',
  ADD COLUMN chain_hash BINARY(32) NULL,
  ADD COLUMN last_seq BIGINT UNSIGNED NULL COMMENT 'of a head: number of the last entry; NULL: an entry',
  ADD KEY ledger_expiry (expires_at),
  ADD KEY ledger_created (created_at);

INSERT IGNORE INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, last_seq)
  SELECT e.app_id, e.user_id, e.asset, 0, 0, e.balance_after, 'head',
         SHA2(CONCAT_WS('/', e.app_id, e.user_id, e.asset), 256), '', e.seq
    FROM ledger_entries e
    LEFT JOIN ledger_entries n ON n.app_id = e.app_id AND n.user_id = e.user_id AND n.asset = e.asset AND n.seq = e.seq + 1
   WHERE n.seq IS NULL AND e.seq > 0;

-- Until which time a job has done all that was due, or until which time the books were checked.
CREATE TABLE ledger_marks (
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  done_until TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (name)
) DEFAULT CHARSET = utf8mb4;

-- What was sent to the provider first is sent again: a provider refuses other values under the same order number.
ALTER TABLE recharge_orders
  ADD COLUMN title VARCHAR(127) NULL COMMENT 'what the payer sees; NULL: of a former release',
  ADD COLUMN payer_openid VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN notify_url VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN delivery VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'report to WeChat that the units were delivered: due, reported, refused; NULL: none is needed',
  ADD COLUMN delivery_checks SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN delivery_check_at TIMESTAMP(3) NULL DEFAULT NULL,
  DROP KEY orders_check,
  ADD KEY orders_check (next_check_at),
  ADD KEY orders_open (app_id, user_id, status),
  ADD KEY orders_paid (provider, paid_at),
  ADD KEY orders_delivery (delivery_check_at),
  ADD KEY orders_updated (updated_at);

-- A refund ends as success, or as closed: refused, cancelled, or closed by the provider. Then its units were returned.
ALTER TABLE refunds
  ADD COLUMN origin VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'here' COMMENT 'here, or elsewhere: made at the provider',
  ADD COLUMN refusal VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'why it was closed',
  ADD COLUMN provider_refund_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN provider_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'accepted by the provider; its bill of that day has the refund',
  ADD COLUMN sent_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'last sent to the provider',
  DROP KEY refunds_check,
  ADD KEY refunds_check (next_check_at),
  ADD KEY refunds_day (provider_at, created_at),
  ADD KEY refunds_provider_id (provider_refund_id),
  ADD KEY refunds_updated (updated_at);

-- Several merchants of one provider. `is_default`: the one of apps that name none.
ALTER TABLE merchants
  ADD COLUMN is_default TINYINT NOT NULL DEFAULT 1,
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (provider, merchant_id, provider_app_id);

CREATE TABLE app_merchants (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (app_id, provider),
  KEY app_merchants_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

-- What users can spend units on by themselves. The server knows the price.
CREATE TABLE items (
  item_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title VARCHAR(100) NOT NULL,
  amount BIGINT NOT NULL,
  active TINYINT NOT NULL DEFAULT 1,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (item_id)
) DEFAULT CHARSET = utf8mb4;

-- Apps of a former release keep what they could do: their users name the amount of a spend.
ALTER TABLE apps
  ADD COLUMN client_spend VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'free' COMMENT 'free, items or off',
  ADD COLUMN acts_for VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the app whose wallets and records this server app works on';

-- Movements of money that wait for a second operator.
CREATE TABLE money_requests (
  request_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'adjust, grant, refund, refund-book',
  subject VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'a wallet or an order',
  detail TEXT NOT NULL COMMENT 'what was requested, as JSON',
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open' COMMENT 'open, approved, rejected',
  asked_by VARCHAR(100) NOT NULL,
  asked_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  decided_by VARCHAR(100) NULL,
  decided_at TIMESTAMP(3) NULL DEFAULT NULL,
  PRIMARY KEY (request_id),
  KEY money_requests_open (status, asked_at)
) DEFAULT CHARSET = utf8mb4;

-- Which days of which merchant were compared with its bill, and how the comparison ended last.
CREATE TABLE reconciliations (
  provider VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  merchant_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  provider_app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  day DATE NOT NULL COMMENT 'in China',
  payments INT UNSIGNED NOT NULL,
  refunds INT UNSIGNED NOT NULL,
  billed_fen BIGINT NOT NULL,
  refunded_fen BIGINT NOT NULL,
  differences MEDIUMTEXT NOT NULL COMMENT 'as JSON; []: bill and books agree',
  compared_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  compared_by VARCHAR(100) NOT NULL,
  PRIMARY KEY (provider, merchant_id, provider_app_id, day)
) DEFAULT CHARSET = utf8mb4;

-- Orders and payments that arrive for a user who was merged go to the user who took its place.
ALTER TABLE users ADD KEY users_merged (merged_into);
