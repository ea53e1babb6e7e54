import { query, type Row, type SqlValue, type Transaction, writeRepeatably } from '../db.ts';
import { ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { count, logLine } from '../telemetry.ts';
import type { Identity, NewIdentity, Platform } from './identity.ts';

/** Statements on the rows of `identities`. */

/** For withTransaction(): many first logins of one person may come at once, and each waits for the others. */
export const IDENTITY_CHANGE = { lostAnswers: true, tries: 8 };

/** The statement failed because a value of a unique key exists already. */
export const isTaken = (error: unknown): boolean => error instanceof SqlError && error.errno === ER_DUP_ENTRY;

/** Throws SqlError ER_DUP_ENTRY if a subject has a row already. */
export const insertStatement = (userId: string, ...identities: readonly NewIdentity[]): [string, SqlValue[]] => [
  `INSERT INTO identities (platform, platform_app, subject, user_id, unionid, address, sealed, label)
   VALUES ${identities.map(() => '(?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
  identities.flatMap(
    ({ platform, platformApp, subject, unionid = null, address = null, sealed = null, label = null }) => [
      platform,
      platformApp,
      subject,
      userId,
      unionid,
      address,
      sealed,
      label,
    ],
  ),
];

export const deleteStatement = ({ platform, platformApp, subject }: NewIdentity): [string, string[]] => [
  'DELETE FROM identities WHERE platform = ? AND platform_app = ? AND subject = ?',
  [platform, platformApp, subject],
];

/** Also renews unionid and address of a row that the user has. A row of somebody else stays as it is. */
export function putStatement(userId: string, identity: NewIdentity): [string, SqlValue[]] {
  const [insert, values] = insertStatement(userId, identity);
  return [
    `${insert} ON DUPLICATE KEY UPDATE
       unionid = IF(user_id = VALUES(user_id), COALESCE(VALUES(unionid), unionid), unionid),
       address = IF(user_id = VALUES(user_id), COALESCE(VALUES(address), address), address)`,
    values,
  ];
}

/** The unionid of a user's openid belongs to another account. They are of one person, and an operator can merge them. */
export function reportUnionOf(userId: string, other: string): void {
  count('identity.unionid-of-another');
  logLine({ level: 'warning', code: 'identity.unionid-of-another', userId, other });
}

/**
 * The rows of an erased user, which the former release leaves, do not keep a subject from others. They are looked for
 * first: a DELETE that finds nothing would still lock the place of the row, against everybody who inserts it.
 */
export async function deleteRowsOfErased(wanted: readonly NewIdentity[]): Promise<void> {
  const rows = await query(
    `SELECT DISTINCT i.user_id
       FROM identities i JOIN users u ON u.user_id = i.user_id AND u.erased_at IS NOT NULL
      WHERE ${anyOf(wanted)}`,
    subjectsOf(wanted),
  );
  for (const row of rows) await writeRepeatably('DELETE FROM identities WHERE user_id = ?', [String(row.user_id)]);
}

const anyOf = (wanted: readonly NewIdentity[]): string =>
  wanted.map(() => '(i.platform = ? AND i.platform_app = ? AND i.subject = ?)').join(' OR ');

const subjectsOf = (wanted: readonly NewIdentity[]): string[] =>
  wanted.flatMap(({ platform, platformApp, subject }) => [platform, platformApp, subject]);

const COLUMNS = 'platform, platform_app, subject, user_id, unionid, address, sealed, label, created_at';

/** All rows of a user, the oldest first. `query`: of a transaction that has locked the user, where they are changed. */
export const identitiesOf = (userId: string, query: Transaction['query']): Promise<Identity[]> =>
  identitiesOfAll([userId], query);

export async function identitiesOfAll(userIds: readonly string[], query: Transaction['query']): Promise<Identity[]> {
  const marks = userIds.map(() => '?').join(', ');
  const sql = `SELECT ${COLUMNS} FROM identities WHERE user_id IN (${marks}) ORDER BY created_at, platform`;
  return (await query(sql, userIds)).map(identityFromRow);
}

/** The owners of these subjects, in any order. */
export async function ownersOf(wanted: readonly NewIdentity[], query: Transaction['query']): Promise<Identity[]> {
  const columns = COLUMNS.split(', ').map((column) => `i.${column}`);
  const rows = await query(
    `SELECT ${columns.join(', ')} FROM identities i JOIN users u ON u.user_id = i.user_id AND u.erased_at IS NULL
      WHERE ${anyOf(wanted)}`,
    subjectsOf(wanted),
  );
  return rows.map(identityFromRow);
}

const identityFromRow = (row: Row): Identity => ({
  platform: row.platform as Platform,
  platformApp: String(row.platform_app),
  subject: String(row.subject),
  userId: String(row.user_id),
  unionid: row.unionid as string | null,
  ...(row.address !== null && { address: String(row.address) }),
  ...(row.sealed !== null && { sealed: String(row.sealed) }),
  ...(row.label !== null && { label: String(row.label) }),
  createdAt: String(row.created_at),
});
