import { exportRecords } from '../data/records-of-user.ts';
import { query, type Row } from '../db.ts';
import { SealError } from '../master-key.ts';
import { exportMoney } from '../recharge/money.ts';
import { asObject } from '../session/session.ts';
import { exportUploads } from '../uploads/lives.ts';
import { type IdentifiedUser, readUser } from './identified-user.ts';
import type { Identity } from './identity.ts';
import { numberOf } from './phone.ts';

/**
 * What is stored about a user, at all apps: what erasing deletes, and what it keeps (orders, refunds, ledger entries).
 * Hashes that only this service can use, and the operator log, are not in it. A list has at most EXPORTED_ROWS rows, the
 * newest ones.
 */
const EXPORTED_ROWS = 5_000;
const MOST_BYTES = 5_000_000;

/** null: there is no such user. Throws EngineError. */
export async function exportUser(userId: string): Promise<Exported | null> {
  const user = await readUser(userId);
  if (!user) return null;
  const [[row], fields, sessions, records, uploads, money] = await Promise.all([
    query('SELECT profile, created_at, updated_at FROM users WHERE user_id = ?', [userId]),
    query('SELECT app_id, fields, updated_at FROM user_fields WHERE user_id = ?', [userId]),
    query(
      `SELECT app_id, device, network, created_at, last_seen_at, ends_at, ended_at, ended_by FROM sessions
        WHERE user_id = ? ORDER BY created_at DESC LIMIT ${EXPORTED_ROWS}`,
      [userId],
    ),
    exportRecords(userId, EXPORTED_ROWS),
    exportUploads(userId, EXPORTED_ROWS),
    exportMoney(userId, EXPORTED_ROWS),
  ]);
  return cutToSize({
    complete: true,
    userId,
    account: user.account,
    createdAt: row?.created_at,
    updatedAt: row?.updated_at,
    profile: asObject(row?.profile),
    identities: identitiesOf(user),
    fields: fields.map((of) => ({ appId: of.app_id, fields: asObject(of.fields), updatedAt: of.updated_at })),
    sessions: sessions.map(session),
    records,
    uploads,
    ...money,
  });
}

type Exported = Record<string, unknown> & { complete: boolean };

/** A function can answer 6 MB. Each list loses its older half until the export fits; `complete` is then false. */
function cutToSize(exported: Exported): Exported {
  let fitting = exported;
  while (Buffer.byteLength(JSON.stringify(fitting)) > MOST_BYTES)
    fitting = { ...(halved(fitting) as Exported), complete: false };
  return fitting;
}

function halved(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, Math.ceil(value.length / 2));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, halved(member)]));
}

const identitiesOf = ({ account, accountSince, identities }: IdentifiedUser) => [
  ...(account === null ? [] : [{ platform: 'password', account, createdAt: accountSince }]),
  ...identities.map(identity),
];

function identity(of: Identity) {
  const { platform, platformApp, subject, createdAt } = of;
  switch (platform) {
    case 'wechat':
      return { platform, wechatAppid: platformApp, openid: subject, createdAt };
    case 'wechat-union':
      return { platform, unionid: subject, createdAt };
    case 'channel':
      return { platform, channel: platformApp, channelUserId: subject, accountAddress: of.address ?? null, createdAt };
    case 'phone':
      return { platform, number: numberOrLabel(of), createdAt };
  }
}

/** Masked, if no master key opens the number any more. */
function numberOrLabel(of: Identity): string {
  try {
    return numberOf(of);
  } catch (error) {
    if (error instanceof SealError) return of.label ?? '';
    throw error;
  }
}

const session = (row: Row) => ({
  appId: row.app_id,
  device: row.device,
  network: row.network,
  createdAt: row.created_at,
  lastSeenAt: row.last_seen_at,
  endsAt: row.ends_at,
  endedAt: row.ended_at,
  endedBy: row.ended_by,
});
