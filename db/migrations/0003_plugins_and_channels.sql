-- Row D4 (plugin server): the map from plugin id to server. Row C1 (channel login): channels whose users may log in.

CREATE TABLE plugins (
  plugin_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the plugin server''s own app',
  server_url VARCHAR(500) NOT NULL,
  sealed_secret TEXT CHARACTER SET ascii NOT NULL COMMENT 'whsec_ push secret, sealed as app_keys.sealed_key',
  sealed_old_secret TEXT CHARACTER SET ascii NULL COMMENT 'signs beside the new one while it rotates',
  old_secret_ends_at TIMESTAMP(3) NULL DEFAULT NULL,
  removed_at TIMESTAMP(3) NULL DEFAULT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (plugin_id),
  KEY plugins_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE channels (
  channel VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  verify_url VARCHAR(500) NOT NULL,
  login_host VARCHAR(255) CHARACTER SET ascii NOT NULL,
  login_port SMALLINT UNSIGNED NOT NULL,
  removed_at TIMESTAMP(3) NULL DEFAULT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (channel),
  KEY channels_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;
