import type { Transaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { seal } from '../master-key.ts';
import { SIGNATURE_METHODS } from './access-token.ts';
import { changeApp, newPrivateKey } from './admin.ts';
import { sealContext } from './app.ts';

/** Keys of an app. At most two are live, so that a client can change to a new key without an outage. */
const OVERLAP_SECONDS = 86_400;

interface RotatedKey {
  keyId: string;
  /** Shown only once. */
  privateKey: string;
  /** The former key; it lives until `oldKeyEndsAt`. null: there was none. */
  oldKeyId: string | null;
  oldKeyEndsAt: string | null;
}

/** Issues a new key; the old one lives 24 h more. Throws NOT_FOUND, INVALID_INPUT if two keys are live already. */
export async function rotateKey(appId: string, actor: string): Promise<RotatedKey> {
  const change = { actor, action: 'app.rotate-key', subject: appId, detail: {} as Record<string, unknown> };
  return changeApp('loosens', change, async (transaction) => {
    await refuseWithoutMethod(transaction, appId);
    const [last] = await transaction.query(
      `SELECT MAX(CAST(SUBSTRING(key_id, 2) AS UNSIGNED)) AS number FROM app_keys
        WHERE app_id = ? AND key_id REGEXP '^k[0-9]+$'`,
      [appId],
    );
    const keyId = `k${Number(last?.number ?? 0) + 1}`;
    change.detail = { keyId };
    const privateKey = newPrivateKey();
    // The statement itself checks the limit, so that a parallel command cannot exceed it.
    const { rowsAffected } = await transaction.write(
      `INSERT INTO app_keys (app_id, key_id, sealed_key)
       SELECT ?, ?, ? FROM (SELECT COUNT(*) AS live FROM app_keys
         WHERE app_id = ? AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > NOW(3))) AS counted
        WHERE counted.live < 2`,
      [appId, keyId, seal(privateKey, sealContext(appId, keyId)), appId],
    );
    if (rowsAffected === 0) {
      const sentence = 'This app has two live keys already: wait until the older one ends, or revoke it ("app show").';
      throw new AppError('INVALID_INPUT', sentence);
    }
    await transaction.write(
      `UPDATE app_keys SET ends_at = NOW(3) + INTERVAL ? SECOND
        WHERE app_id = ? AND key_id <> ? AND revoked_at IS NULL AND ends_at IS NULL`,
      [OVERLAP_SECONDS, appId, keyId],
    );
    await transaction.write('UPDATE apps SET version = version + 1 WHERE app_id = ?', [appId]);
    const [old] = await transaction.query(
      `SELECT key_id, ends_at FROM app_keys
        WHERE app_id = ? AND key_id <> ? AND revoked_at IS NULL AND ends_at > NOW(3)`,
      [appId, keyId],
    );
    return {
      keyId,
      privateKey,
      oldKeyId: old ? String(old.key_id) : null,
      oldKeyEndsAt: old ? String(old.ends_at) : null,
    };
  });
}

/** A key of a public app would be in every package, and it could sign nothing. */
async function refuseWithoutMethod(transaction: Transaction, appId: string): Promise<void> {
  const [row] = await transaction.query('SELECT methods FROM apps WHERE app_id = ?', [appId]);
  const methods = String(row?.methods ?? '').split(',');
  if (!SIGNATURE_METHODS.some((method) => methods.includes(method))) {
    throw new AppError(
      'INVALID_INPUT',
      'This app has no key: of a public app the sessions sign. For one that is neither, run "app public" first.',
    );
  }
}

/** Refused at once for calls that change something, and within 60 s for all. Returns the number of live keys left. */
export async function revokeKey(appId: string, keyId: string, actor: string): Promise<number> {
  const change = { actor, action: 'app.revoke-key', subject: appId, detail: { keyId } };
  return changeApp('tightens', change, async (transaction) => {
    const { rowsAffected } = await transaction.write(
      'UPDATE app_keys SET revoked_at = COALESCE(revoked_at, NOW(3)) WHERE app_id = ? AND key_id = ?',
      [appId, keyId],
    );
    if (rowsAffected === 0) {
      throw new AppError('NOT_FOUND', `This app has no key ${keyId}; "app show --app ${appId}" lists its keys.`);
    }
    await transaction.write('UPDATE apps SET version = version + 1 WHERE app_id = ?', [appId]);
    return countLiveKeys(transaction, appId);
  });
}

export async function countLiveKeys(transaction: Transaction, appId: string): Promise<number> {
  const [row] = await transaction.query(
    `SELECT COUNT(*) AS live FROM app_keys
      WHERE app_id = ? AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > NOW(3))`,
    [appId],
  );
  return Number(row?.live ?? 0);
}
