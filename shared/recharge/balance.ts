import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, NOT_READ, type ReadAnswer, settleReads } from '../cache/cache.ts';
import { ignoreEngine, invalidate } from '../cache/write.ts';
import { keyFamily } from '../keys.ts';
import { ASSET } from './catalogue.ts';
import { readHolding } from './entry.ts';
import { walletName } from './numbers.ts';

/**
 * The balance that users read. The ledger decides, never the cache. A writer that moves money deletes the key before it
 * answers. This also ends the lease of a reader that loaded the balance before. Redis is down: money still moves, and a
 * reader sees a balance that is at most 30 s old.
 */
const BALANCE_SECONDS = 30;
const balanceKey = keyFamily<[string]>({
  area: 'cache',
  name: 'balance',
  version: 1,
  parts: ['id'],
  ttlSeconds: BALANCE_SECONDS,
});
const POLICY: CachePolicy = { freshSeconds: BALANCE_SECONDS, graceSeconds: 0, nullSeconds: BALANCE_SECONDS };

interface Balance {
  /** Negative: a debt. It comes from a refund of units that were already spent. */
  balance: number;
  asset: string;
  /** Only while holds keep a part of the balance: the other part. */
  available?: number;
}

export const balanceRead = (appId: string, userId: string): CacheRead => ({
  key: balanceKey(walletName(appId, userId)),
});

/** Makes the balance from the answer of admission's read. A cache hit needs no statement. */
export async function balanceFrom(
  leaseId: string,
  appId: string,
  userId: string,
  answer: ReadAnswer = NOT_READ,
): Promise<Balance> {
  const { key } = balanceRead(appId, userId);
  const [found] = await settleReads<Balance>(leaseId, [key], [answer], POLICY, async () => {
    const { balance, held, version } = await readHolding(appId, userId, ASSET);
    const value = { balance, asset: ASSET, ...(held !== 0 && { available: balance - held }) };
    return [{ value, version, liveSeconds: BALANCE_SECONDS }];
  });
  return found?.value ?? { balance: 0, asset: ASSET };
}

/** Called after money moved and before the caller gets an answer. Redis is down: the key ends after its lifetime. */
export const forgetBalance = (wallet: string): Promise<void> => invalidate([balanceKey(wallet)]).catch(ignoreEngine);
