import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, NOT_READ, type ReadAnswer, settleReads } from '../cache/cache.ts';
import { ignoreEngine, invalidate } from '../cache/write.ts';
import { keyFamily } from '../keys.ts';
import { ASSET } from './catalogue.ts';
import { lastEntry } from './ledger.ts';
import { walletName } from './numbers.ts';

/**
 * The balance as users read it. The ledger is its authority, the cache never: whoever moves money deletes the key
 * before answering, which also takes the lease of a reader who has seen less. Redis away: money moves all the same, and
 * what a reader sees is at most 30 s old.
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
  /** Negative: a debt, after a refund of units that were spent. */
  balance: number;
  asset: string;
}

export const balanceRead = (appId: string, userId: string): CacheRead => ({
  key: balanceKey(walletName(appId, userId)),
});

/** Turns what admission read into the balance: a hit costs no statement. */
export async function balanceFrom(
  requestId: string,
  appId: string,
  userId: string,
  answer: ReadAnswer = NOT_READ,
): Promise<Balance> {
  const { key } = balanceRead(appId, userId);
  const [found] = await settleReads<Balance>(requestId, [key], [answer], POLICY, async () => {
    const last = await lastEntry(appId, userId, ASSET);
    const value = { balance: last?.balanceAfter ?? 0, asset: ASSET };
    return [{ value, version: last?.seq ?? 0, liveSeconds: BALANCE_SECONDS }];
  });
  return found?.value ?? { balance: 0, asset: ASSET };
}

/** After money moved, before it is acknowledged. A Redis that is away loses nothing: the key ends by itself. */
export const forgetBalance = (wallet: string): Promise<void> => invalidate([balanceKey(wallet)]).catch(ignoreEngine);
