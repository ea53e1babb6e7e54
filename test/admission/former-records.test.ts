import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nonceKey, SINCE_SHARDS, signatureKey, sinceKey } from '../../shared/admission/replay-record.ts';
import type { AdmissionRequest } from '../../shared/admission/request.ts';
import { requestOf, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

/** What a version before this one left in Redis: one key for each record, and since marks that are a number. */
let world: AdmissionWorld;
const begun = Math.floor(Date.now() / 1000) - 3_600;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
beforeEach(async () => {
  await world.redis.flushall();
  for (const shard of SINCE_SHARDS) await world.redis.set(sinceKey(shard), String(begun), 'PX', 86_400_000);
});
afterAll(() => world.stop());

const v1 = (request: AdmissionRequest): AdmissionRequest => ({ ...request, token: { ...request.token, version: 1 } });
const store = (key: string): Promise<unknown> => world.redis.set(key, `${randomUUID()};1`, 'PX', 600_000);

describe('after a deploy from records that were keys', () => {
  test('a token that was used before is refused, for reads and for changes', async () => {
    for (const unsafe of [false, true]) {
      const request = requestOf([], { unsafe });
      await store(signatureKey(request.token.signature));
      expect(await verdictOf(request)).toMatchObject({ verdict: 'REPLAYED' });
    }
  });

  test('a nonce of v1 that was used before is refused', async () => {
    const request = v1(requestOf([]));
    await store(nonceKey(request.token.appId, request.token.nonce));
    expect(await verdictOf(request)).toMatchObject({ verdict: 'REPLAYED' });
  });

  test('a change that was signed before the deploy and not used passes', async () => {
    const request = requestOf([], { unsafe: true });
    const token = { ...request.token, timeStamp: request.token.timeStamp - 20 };
    expect(await verdictOf({ ...request, token })).toMatchObject({ verdict: 'admitted' });
  });

  test('the keys are no longer sent when no such record can be alive', async () => {
    const second = Math.floor(Date.now() / 1000);
    const mark = (age: number) => `${begun};${second - age};0;;`;
    for (const shard of SINCE_SHARDS) await world.redis.set(sinceKey(shard), mark(621), 'PX', 86_400_000);
    await verdictOf(requestOf([]));
    const request = requestOf([]);
    await store(signatureKey(request.token.signature));
    expect(await verdictOf(request)).toMatchObject({ verdict: 'admitted' });
    // A mark that was set again: records may have been lost, and functions of the former version may be at work.
    for (const shard of SINCE_SHARDS) await world.redis.set(sinceKey(shard), mark(0), 'PX', 86_400_000);
    await verdictOf(requestOf([]));
    const later = requestOf([]);
    await store(signatureKey(later.token.signature));
    expect(await verdictOf(later)).toMatchObject({ verdict: 'REPLAYED' });
  });
});
