import type { ReadAnswer } from '../cache/cache.ts';
import { isRecentSecondString } from '../channel/second-string.ts';
import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import type { CurrentUser } from '../session/session.ts';
import { withWechatPerson } from '../wechat/exchange.ts';
import { miniProgramOf } from '../wechat/mini-program.ts';
import { findAccount } from './account.ts';
import { verifyPassword } from './password.ts';

/**
 * Proof that the caller is the person, and not somebody with a copied session token: for what cannot be undone, and for
 * the ways to log in.
 */
export interface Proof {
  /** In its normal form. */
  password?: string | undefined;
  /** Of a fresh wx.login of the same person. */
  code?: string | undefined;
  /** Of a channel login of the same account, verified at this app within ten minutes. */
  secondString?: string | undefined;
}

export interface ProvingCall {
  appId: string;
  user: CurrentUser;
  proof: Proof;
  /** The address of the caller. */
  ip: string;
  leaseId: string;
  /** With a code: what is kept of an earlier exchange of it, and the mini-programs. */
  reads: ReadonlyArray<ReadAnswer | undefined>;
}

/** A session that is not older needs no further proof. */
const FRESH_MS = 600_000;
/** The clock of this function may be behind that of MySQL by this much. */
const SKEW_MS = 60_000;

/** Runs `work` if the session is fresh, or if the proof is that of this user. Throws PROOF_REQUIRED, what `work` throws. */
export async function withFreshProof<T>(call: ProvingCall, work: () => Promise<T>, now = Date.now()): Promise<T> {
  const age = now - Date.parse(call.user.sessionOpenedAt);
  const isFresh = age <= FRESH_MS && age >= -SKEW_MS;
  return isFresh && isEmpty(call.proof) ? work() : withProof(call, work);
}

/** Runs `work` if the proof is that of this user. Throws PROOF_REQUIRED, UNAVAILABLE, EngineError; what `work` throws. */
export async function withProof<T>(call: ProvingCall, work: () => Promise<T>): Promise<T> {
  const { appId, user, proof, leaseId, reads } = call;
  const { code } = proof;
  if (code === undefined) {
    if (!(await isProven(call))) throw noProof();
    return work();
  }
  const [kept, programs] = reads;
  const program = await miniProgramOf(leaseId, appId, programs);
  let isOwn = false;
  const proven = withWechatPerson({ appId, code, program }, kept, async (person) => {
    isOwn = (await findAccount({ by: 'wechat', person }, appId))?.userId === user.userId;
    if (!isOwn) throw noProof();
    return work();
  });
  return proven.catch((error: unknown) => {
    const isBadCode = !isOwn && error instanceof AppError && error.code === 'BAD_CREDENTIALS';
    throw isBadCode ? noProof() : error;
  });
}

const isEmpty = ({ password, code, secondString }: Proof): boolean =>
  password === undefined && code === undefined && secondString === undefined;

const noProof = (): AppError => new AppError('PROOF_REQUIRED');

async function isProven({ appId, user, proof, ip }: ProvingCall): Promise<boolean> {
  const { password, secondString } = proof;
  if (password !== undefined) {
    const [row] = await query('SELECT password_hash FROM users WHERE user_id = ? AND erased_at IS NULL', [user.userId]);
    const hash = (row?.password_hash ?? null) as string | null;
    const verdict = await verifyPassword(password, hash, { address: ip, account: user.userId });
    return verdict !== 'wrong';
  }
  if (secondString === undefined) return false;
  for (const address of await addressesOf(user.userId)) {
    if (await isRecentSecondString(appId, address, secondString)) return true;
  }
  return false;
}

async function addressesOf(userId: string): Promise<string[]> {
  const rows = await query(
    `SELECT account_address AS address FROM users WHERE user_id = ? AND erased_at IS NULL
      UNION SELECT address FROM identities WHERE user_id = ? AND platform = 'channel'`,
    [userId, userId],
  );
  return rows.flatMap(({ address }) => (typeof address === 'string' ? [address] : []));
}
