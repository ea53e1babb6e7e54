-- A month can be closed although a difference remains that nobody can remove: a person settles it and says why.

-- What the books had when the day was compared, so that a later change of them is seen. NULL: compared by a release that
-- did not read the bills of the neighbouring days; such a day is compared again.
ALTER TABLE reconciliations
  ADD COLUMN booked_fen BIGINT NULL,
  ADD COLUMN booked_refunds_fen BIGINT NULL,
  ADD COLUMN explained MEDIUMTEXT NULL COMMENT 'what another day has, as JSON';

-- The amounts are a part of the key: a difference whose amounts change is another one, and is open again.
CREATE TABLE settled_differences (
  difference VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'provider, merchant, kind and number',
  bill_fen BIGINT NOT NULL COMMENT '0: the bill has none',
  ledger_fen BIGINT NOT NULL COMMENT '0: the books have none',
  reason VARCHAR(200) NOT NULL,
  settled_by VARCHAR(100) NOT NULL,
  settled_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (difference, bill_fen, ledger_fen)
) DEFAULT CHARSET = utf8mb4;
