-- The callers (apps and their keys) and the users and their sessions.
-- Identifiers are ascii_bin: with the default collation of MySQL 8, aB and Ab would be the same key.

CREATE TABLE apps (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(100) NOT NULL,
  methods VARCHAR(60) CHARACTER SET ascii NOT NULL COMMENT 'allowed signature methods, comma separated',
  scopes VARCHAR(255) CHARACTER SET ascii NOT NULL COMMENT 'permissions (row A1), comma separated',
  plugins TEXT CHARACTER SET ascii NULL COMMENT 'plugin ids it may issue tokens for, comma separated; NULL: all',
  validates VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'set on the app of a plugin server: the one plugin it validates',
  user_fields JSON NULL COMMENT 'JSON Schema of the extra user fields this app registered (row B4)',
  disabled_at TIMESTAMP(3) NULL DEFAULT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (app_id),
  KEY apps_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE app_keys (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  key_id VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sealed_key TEXT CHARACTER SET ascii NOT NULL COMMENT 'privateKey, AES-256-GCM under the master key whose id it carries',
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  ends_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'a rotated key lives 24 h more',
  revoked_at TIMESTAMP(3) NULL DEFAULT NULL,
  PRIMARY KEY (app_id, key_id)
) DEFAULT CHARSET = utf8mb4;

-- One row for each account, whatever the kind of login: NULL values do not collide in a unique key.
CREATE TABLE users (
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  account VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'lower case',
  password_hash VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'PHC string',
  wechat_openid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  channel VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  channel_user_id VARCHAR(128) COLLATE utf8mb4_bin NULL,
  account_address VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of a channel account (row C1)',
  profile JSON NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1 COMMENT 'moves when sessions must be asked again: disabled, password changed',
  disabled_at TIMESTAMP(3) NULL DEFAULT NULL,
  erased_at TIMESTAMP(3) NULL DEFAULT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (user_id),
  UNIQUE KEY users_account (account),
  UNIQUE KEY users_wechat (wechat_openid),
  UNIQUE KEY users_channel (channel, channel_user_id),
  UNIQUE KEY users_address (account_address),
  KEY users_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE user_fields (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fields JSON NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (app_id, user_id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE sessions (
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  session_id CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'first 128 bits of SHA-256(secret), hex',
  user_version BIGINT UNSIGNED NOT NULL COMMENT 'users.version at login: a session of an older version is dead',
  device VARCHAR(120) NOT NULL DEFAULT '',
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  last_seen_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  idle_until TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  ends_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'absolute end',
  ended_at TIMESTAMP(3) NULL DEFAULT NULL,
  ended_by VARCHAR(20) CHARACTER SET ascii NULL COMMENT 'logout, revoked, pushed-out, password, disabled, erased',
  PRIMARY KEY (app_id, user_id, session_id),
  KEY sessions_user (user_id, ended_at),
  KEY sessions_ends (ends_at),
  KEY sessions_ended (ended_at)
) DEFAULT CHARSET = utf8mb4;
