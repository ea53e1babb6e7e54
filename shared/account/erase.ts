import type { ReadAnswer } from '../cache/cache.ts';
import { ignoreEngine, invalidate, writeStrict } from '../cache/write.ts';
import { isRecentSecondString } from '../channel/second-string.ts';
import { eraseRecordsOf } from '../data/erased-records.ts';
import { query, type Row, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import type { Key } from '../keys.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { withWechatPerson } from '../wechat/exchange.ts';
import { miniProgramOf } from '../wechat/mini-program.ts';
import { revokeAllPluginTokens } from './change.ts';
import { verifyPassword } from './password.ts';
import { reserveAccount } from './reserved-names.ts';

/** Erasing an account. It cannot be undone, so a session alone is not enough: a copied token must not do it. */
interface Proof {
  /** In its normal form. */
  password?: string | undefined;
  /** Of a fresh wx.login of the same person. */
  code?: string | undefined;
  /** Of a channel login of the same account, verified at this app within ten minutes. */
  secondString?: string | undefined;
}

interface ErasingCall {
  appId: string;
  user: CurrentUser;
  proof: Proof;
  /** The address of the caller. */
  ip: string;
  leaseId: string;
  /** With a code: what is kept of an earlier exchange of it, and the mini-programs. */
  reads: readonly ReadAnswer[];
}

/** Throws PROOF_REQUIRED if there is no proof, or if it is not that of this user; UNAVAILABLE; EngineError. */
export async function eraseAccount(call: ErasingCall): Promise<void> {
  const { appId, user, proof, leaseId, reads } = call;
  if (proof.password === undefined && proof.code === undefined && proof.secondString === undefined) throw noProof();
  const [row] = await query(
    'SELECT account, account_address, password_hash, wechat_openid FROM users WHERE user_id = ? AND erased_at IS NULL',
    [user.userId],
  );
  if (!row) throw noProof();
  const { code } = proof;
  if (code === undefined) {
    if (!(await isProven(call, row))) throw noProof();
    return erase(appId, user, row);
  }
  const [kept, programs] = reads;
  const program = await miniProgramOf(leaseId, appId, programs);
  const erased = withWechatPerson({ appId, code, program }, kept, async ({ openid }) => {
    if (openid !== row.wechat_openid) throw noProof();
    await erase(appId, user, row);
  });
  await erased.catch((error: unknown) => {
    throw error instanceof AppError && error.code === 'BAD_CREDENTIALS' ? noProof() : error;
  });
}

const noProof = (): AppError => new AppError('PROOF_REQUIRED');

async function isProven({ appId, user, proof, ip }: ErasingCall, row: Row): Promise<boolean> {
  if (proof.password !== undefined) {
    const hash = (row.password_hash ?? null) as string | null;
    const verdict = await verifyPassword(proof.password, hash, { address: ip, account: user.userId });
    return verdict !== 'wrong';
  }
  const address = row.account_address;
  return typeof address === 'string' && isRecentSecondString(appId, address, proof.secondString ?? '');
}

/** The extra fields are erased in the same statement: a parallel write of fields then finds an erased user. */
const ERASE = `UPDATE users u LEFT JOIN sessions s ON s.user_id = u.user_id LEFT JOIN user_fields f ON f.user_id = u.user_id
     SET f.fields = '{}', u.account = NULL, u.password_hash = NULL, u.wechat_openid = NULL, u.channel = NULL,
         u.channel_user_id = NULL, u.account_address = NULL, u.profile = '{}', u.erased_at = NOW(3),
         u.version = u.version + 1, s.device = '', s.network = '', s.ended_at = COALESCE(s.ended_at, NOW(3)),
         s.ended_by = COALESCE(s.ended_by, 'erased')
   WHERE u.user_id = ? AND u.erased_at IS NULL`;

/**
 * Erases all personal data of the user and ends all sessions. Orders and ledger entries stay, with a user id that no
 * longer identifies a person. The account name stays reserved for a time; an openid or channel id is free again: a
 * later login with it creates a new account.
 */
async function erase(appId: string, user: CurrentUser, { account }: Row): Promise<void> {
  await writeStrict([userVersionKey(user.userId), sessionKey(appId, user.userId, user.sessionId)], async () => {
    if (typeof account === 'string') await reserveAccount(account);
    const spoiled = { keys: [] as Key[], generations: [] as Key[] };
    const statements = async (transaction: Transaction): Promise<void> => {
      const [row] = await transaction.query('SELECT 1 FROM users WHERE user_id = ? FOR UPDATE', [user.userId]);
      if (row) await eraseRecordsOf(user.userId, transaction, spoiled);
      await transaction.write(ERASE, [user.userId]);
    };
    await withTransaction(statements, { lostAnswers: true });
    // Whatever this misses, the sweep of changed rows deletes.
    await invalidate([...new Set(spoiled.keys)], [...new Set(spoiled.generations)]).catch(ignoreEngine);
  });
  await revokeAllPluginTokens(user.userId);
}
