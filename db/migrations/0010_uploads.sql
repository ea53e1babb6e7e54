-- Uploads: objects in the store that users put there by a signed address. The keys of the object follow from the row:
-- new/<app_id>/<user_id>/<upload_id>, where the user puts it, and kept/..., where the service copies it at its first
-- use. The function upload-sweep works through the rows by check_at.
CREATE TABLE uploads (
  upload_id CHAR(22) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  content_type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bytes INT UNSIGNED NOT NULL,
  sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  used_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'resource:id of the record; NULL: unused; -: ended',
  etag VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'of the object that was checked, and may be copied',
  cleared TINYINT NOT NULL DEFAULT 0 COMMENT '1: the object below new/ is deleted',
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  ends_at TIMESTAMP(3) NOT NULL DEFAULT '2030-01-01 00:00:00' COMMENT 'an unused upload ends then',
  check_at TIMESTAMP(3) NOT NULL DEFAULT '2030-01-01 00:00:00',
  PRIMARY KEY (upload_id),
  KEY uploads_user (user_id, used_by),
  KEY uploads_used (used_by),
  KEY uploads_check (check_at)
) DEFAULT CHARSET = utf8mb4;

-- Pictures of users: records with an uploaded object. `picture` is the key of the object below kept/. Its index is for
-- upload-sweep, which deletes no object that a record names.
CREATE TABLE photos (
  id BIGINT UNSIGNED NOT NULL,
  made_by CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  picture VARCHAR(160) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  caption VARCHAR(200) NOT NULL,
  created_at DATETIME(3) NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id),
  KEY photos_mine (user_id, deleted_at, created_at),
  KEY photos_picture (picture),
  KEY photos_deleted (deleted_at),
  KEY photos_updated (updated_at)
) DEFAULT CHARSET = utf8mb4;
