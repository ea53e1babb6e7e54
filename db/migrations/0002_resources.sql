-- Business data that is read through the cache. Every such table has updated_at with an index (cache-warm sweeps rows
-- that other tools changed), a version (fills from a lagging replica are refused) and soft deletion (a deleted row is a
-- changed row, too).

CREATE TABLE notices (
  id BIGINT UNSIGNED NOT NULL,
  title VARCHAR(200) NOT NULL,
  body TEXT NOT NULL,
  published_at DATETIME(3) NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY notices_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE services (
  id BIGINT UNSIGNED NOT NULL,
  name VARCHAR(200) NOT NULL,
  description TEXT NOT NULL,
  price_fen INT UNSIGNED NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY services_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE vouchers (
  id BIGINT UNSIGNED NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title VARCHAR(200) NOT NULL,
  amount_fen INT UNSIGNED NOT NULL,
  expires_at DATETIME(3) NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY vouchers_user (user_id),
  KEY vouchers_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;
