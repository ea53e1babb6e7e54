-- Indexes of the lists: the conditions, then deleted_at, then the column that sorts. Without deleted_at a page behind
-- many deleted rows would read all of them.

ALTER TABLE notices
  ADD KEY notices_newest (deleted_at, published_at);

ALTER TABLE services
  ADD COLUMN category VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'other' AFTER price_fen,
  ADD KEY services_cheapest (deleted_at, price_fen),
  ADD KEY services_by_category (category, deleted_at, price_fen);

ALTER TABLE vouchers
  ADD KEY vouchers_mine (user_id, deleted_at, expires_at),
  DROP KEY vouchers_user;

-- Records that users write. made_by: who made the record by which idempotency key, and from which members.
CREATE TABLE bookings (
  id BIGINT UNSIGNED NOT NULL,
  made_by CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  service_id BIGINT UNSIGNED NOT NULL,
  day CHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  note VARCHAR(500) NOT NULL,
  status VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at DATETIME(3) NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY bookings_mine (user_id, deleted_at, created_at),
  KEY bookings_mine_by_status (status, user_id, deleted_at, created_at),
  KEY bookings_deleted (deleted_at),
  KEY bookings_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE reviews (
  id BIGINT UNSIGNED NOT NULL,
  made_by CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  service_id BIGINT UNSIGNED NOT NULL,
  stars TINYINT UNSIGNED NOT NULL,
  words VARCHAR(1000) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY reviews_of_service (service_id, deleted_at, created_at),
  KEY reviews_mine (user_id, deleted_at, created_at),
  KEY reviews_deleted (deleted_at),
  KEY reviews_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;
