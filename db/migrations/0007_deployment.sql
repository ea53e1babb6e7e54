-- What operators' tools compare before they act: which stage this database serves, and which master key seals its
-- secrets. Functions do not read it.

CREATE TABLE deployment (
  id TINYINT UNSIGNED NOT NULL COMMENT 'always 1',
  stage VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  master_key_probe VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'a known text, sealed; NULL: no key was seen yet',
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (id)
) DEFAULT CHARSET = utf8mb4;
