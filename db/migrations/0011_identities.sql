-- How a user can be recognised, beside the account name, which is a column of `users`: a user has one at most, with its
-- password. First step of a move in two steps: the columns of `users` (wechat_openid, channel, channel_user_id,
-- account_address) are still written and read, so the former release works on these tables while a deployment is in
-- progress. A later migration removes them.
--
-- platform      platform_app           subject
-- wechat        AppID of mini-program  openid
-- wechat-union  ''                     unionid: the same person in all mini-programs of one owner; users do not see it
-- channel       name of the channel    user id at the channel
-- phone         ''                     keyed hash of the number
CREATE TABLE identities (
  platform VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  platform_app VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  subject VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  unionid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of an openid, where WeChat has told it',
  address VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'account address of a channel user',
  sealed VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'phone number, sealed under the master key',
  label VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'phone number, masked',
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (platform, platform_app, subject),
  UNIQUE KEY identities_address (address),
  KEY identities_user (user_id, platform, platform_app)
) DEFAULT CHARSET = utf8mb4;

INSERT IGNORE INTO identities (platform, platform_app, subject, user_id, address, created_at)
  SELECT 'channel', channel, channel_user_id, user_id, account_address, created_at
    FROM users WHERE channel IS NOT NULL AND channel_user_id IS NOT NULL;
-- Only the service knows which mini-program the openids of `users` belong to: it moves each at the next login.

ALTER TABLE users
  ADD COLUMN profile_at TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'when the profile was written; NULL: created_at',
  ADD COLUMN account_since TIMESTAMP(3) NULL DEFAULT NULL COMMENT 'NULL: since created_at',
  ADD COLUMN merged_into VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the user that has taken its place';

-- The mini-programs of the deployment, beside the one of WECHAT_APPID and WECHAT_SECRET.
CREATE TABLE mini_programs (
  wechat_appid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sealed_secret TEXT CHARACTER SET ascii NULL COMMENT 'AppSecret; NULL: that of WECHAT_SECRET',
  sealed_former_secret TEXT CHARACTER SET ascii NULL COMMENT 'while a secret is exchanged: both are tried',
  sealed_push TEXT CHARACTER SET ascii NULL COMMENT 'token and EncodingAESKey of the message push',
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (wechat_appid),
  KEY mini_programs_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;

ALTER TABLE apps ADD COLUMN wechat_appid VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'its mini-program; NULL: WECHAT_APPID';

CREATE TABLE password_resets (
  token_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ends_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  used_at TIMESTAMP(3) NULL DEFAULT NULL,
  PRIMARY KEY (token_hash),
  KEY password_resets_user (user_id),
  KEY password_resets_ends (ends_at)
) DEFAULT CHARSET = utf8mb4;

-- Erasing and the export look for the fields of a user at all apps.
ALTER TABLE user_fields ADD KEY user_fields_user (user_id);
