-- Registration has a scope of its own. Apps that could register users keep it.
UPDATE apps SET scopes = CONCAT(scopes, ',register'), version = version + 1
 WHERE FIND_IN_SET('login', scopes) > 0 AND FIND_IN_SET('register', scopes) = 0;

-- The names of erased accounts, which nobody can register for 30 days. The name itself was erased.
CREATE TABLE reserved_accounts (
  name_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'keyed hash of the account name, hex',
  ends_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (name_hash),
  KEY reserved_ends (ends_at)
) DEFAULT CHARSET = utf8mb4;

ALTER TABLE sessions ADD COLUMN network VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'of the last use: the /16 of IPv4 or the /32 of IPv6';
