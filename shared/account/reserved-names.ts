import type { SqlValue, Transaction } from '../db.ts';
import { serverMac } from '../server-key.ts';

/** Account names that nobody can register: names that users would trust, and for a time those of erased accounts. */

/** Compared without `. _ @ -`, and with digits as the letters that they look like: `ad.min` and `adm1n` are reserved. */
const TRUSTED = new Set(
  `abuse admin administrator administrators billing help helpdesk hostmaster info moderator noreply nobody null official
  operator postmaster root security service staff superuser support sysadmin system undefined webmaster wechat weixin`
    .split(/\s+/)
    .map(look),
);

/** `1` may stand for i or for l, so both are written as 1. */
function look(name: string): string {
  const letters: Record<string, string> = { '0': 'o', '3': 'e', '4': 'a', '5': 's', i: '1', l: '1' };
  return name.replace(/[._@-]/g, '').replace(/[0345il]/g, (digit) => letters[digit] ?? digit);
}

/** `account`: in its normal form. */
export const isReservedAccount = (account: string): boolean => TRUSTED.has(look(account));

const RESERVED_DAYS = 30;

/** The name of an erased account is personal data, so only a keyed hash of it is stored. */
const hashOf = (account: string): string => serverMac('reserved-account', account).toString('hex');

/** A condition of a statement that creates an account: the name does not belong to an account that was just erased. */
export const notReserved = (account: string): [condition: string, values: SqlValue[]] => [
  'NOT EXISTS (SELECT 1 FROM reserved_accounts WHERE name_hash = ? AND ends_at > NOW(3))',
  [hashOf(account)],
];

/** In the transaction in which the account gives up its name. Throws EngineError. */
export async function reserveAccount(account: string, write: Transaction['write']): Promise<void> {
  await write(
    `INSERT INTO reserved_accounts (name_hash, ends_at) VALUES (?, NOW(3) + INTERVAL ${RESERVED_DAYS} DAY)
     ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at)`,
    [hashOf(account)],
  );
}
