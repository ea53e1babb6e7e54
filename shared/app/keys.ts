import { AppError } from '../errors.ts';
import { seal } from '../master-key.ts';
import { changeApp, newPrivateKey } from './admin.ts';
import { sealContext } from './app.ts';

/** Keys of an app: at most two are alive, so that a client can change over without an outage. */
const OVERLAP_SECONDS = 86_400;

interface RotatedKey {
  keyId: string;
  /** Shown once. */
  privateKey: string;
  /** The key it takes over from, alive until then (RFC 3339); null: there was none. */
  oldKeyId: string | null;
  oldKeyEndsAt: string | null;
}

/** A new key; the old one lives 24 h more. Throws NOT_FOUND, INVALID_INPUT when two keys are alive already. */
export async function rotateKey(appId: string, actor: string): Promise<RotatedKey> {
  const change = { actor, action: 'app.rotate-key', subject: appId, detail: {} as Record<string, unknown> };
  return changeApp('loosens', change, async (transaction) => {
    const [last] = await transaction.query(
      `SELECT MAX(CAST(SUBSTRING(key_id, 2) AS UNSIGNED)) AS number FROM app_keys
        WHERE app_id = ? AND key_id REGEXP '^k[0-9]+$'`,
      [appId],
    );
    const keyId = `k${Number(last?.number ?? 0) + 1}`;
    change.detail = { keyId };
    const privateKey = newPrivateKey();
    // The cap stands inside the statement, whoever else inserts.
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

/** Refused at once by calls that change something, within 60 s by all. Answers the number of keys left alive. */
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
    const [left] = await transaction.query(
      `SELECT COUNT(*) AS live FROM app_keys
        WHERE app_id = ? AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > NOW(3))`,
      [appId],
    );
    return Number(left?.live ?? 0);
  });
}
