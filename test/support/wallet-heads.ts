import type { Connection } from 'mysql2/promise';

/**
 * Makes row 0 of every wallet what the wallet's last entry says, as the statement that appends an entry does. `days`: how
 * long ago.
 */
export const writeHeads = (mysql: Connection, days = 0) =>
  mysql.query(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, last_seq,
       created_at)
     SELECT e.app_id, e.user_id, e.asset, 0, 0, e.balance_after, 'head',
            SHA2(CONCAT_WS('/', e.app_id, e.user_id, e.asset), 256), '', e.seq,
            NOW(3) - INTERVAL ${days} DAY
       FROM ledger_entries e
       LEFT JOIN ledger_entries n
              ON n.app_id = e.app_id AND n.user_id = e.user_id AND n.asset = e.asset AND n.seq = e.seq + 1
      WHERE n.seq IS NULL AND e.seq > 0
     ON DUPLICATE KEY UPDATE balance_after = VALUES(balance_after), last_seq = VALUES(last_seq)`,
  );
