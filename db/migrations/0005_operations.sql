-- Settings of operators at run time: lock rules and blocks (rows E1 to E5; Redis holds a copy), and the operator log.

-- Each change of rules or blocks raises the version. `lock clear` raises the generation: counts of another generation
-- are taken as zero.
CREATE TABLE lock_policies (
  target VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'data:<resource> or a route key',
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  generation BIGINT UNSIGNED NOT NULL DEFAULT 1,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (target)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE lock_rules (
  target VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  identities VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'app, user, ip or a tuple, comma separated',
  call_limit INT UNSIGNED NOT NULL,
  window_seconds INT UNSIGNED NOT NULL,
  lock_seconds INT UNSIGNED NULL,
  PRIMARY KEY (target, identities)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE lock_blocks (
  target VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  app_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'empty: any',
  user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ip VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ends_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (target, app_id, user_id, ip)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE audit_log (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  actor VARCHAR(100) NOT NULL,
  action VARCHAR(60) CHARACTER SET ascii NOT NULL,
  subject VARCHAR(200) NOT NULL,
  detail JSON NOT NULL,
  PRIMARY KEY (id),
  KEY audit_subject (subject, id)
) DEFAULT CHARSET = utf8mb4;
