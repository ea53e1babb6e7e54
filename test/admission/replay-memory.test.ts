import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pack } from '../../shared/admission/pack.ts';
import { recordId, signatureRecord } from '../../shared/admission/replay-record.ts';
import { admissionScript } from '../../shared/admission/script.ts';
import { askLock } from '../../shared/lock/api-lock.ts';
import { requestOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

/**
 * How much memory the replay records of calls take. Measured on a real Redis with its default settings: `used_memory`
 * after the calls minus `used_memory` before them, divided by their number. The calls have no session, rule or read.
 * They are signed as if they had come one after the other at the given rate; so each hash gets as many records as it
 * would.
 */
let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
afterAll(() => world.stop());

const usedMemory = async (): Promise<number> =>
  Number(/^used_memory:(\d+)/m.exec(await world.redis.info('memory'))?.[1]);

async function bytesPerCall(version: 1 | 2, perSecond: number, seconds: number): Promise<number> {
  await world.redis.flushall();
  const sha = String(await world.redis.script('LOAD', admissionScript.text.replace(/^#!lua.*\n/, '')));
  const begin = Math.floor(Date.now() / 1000) - seconds;
  const send = async (count: number, from: number): Promise<void> => {
    const pipeline = world.redis.pipeline();
    for (let i = 0; i < count; i++) {
      const request = requestOf([]);
      const token = { ...request.token, version, timeStamp: begin + Math.floor((from + i) / perSecond) };
      const record = { ...signatureRecord(token), id: recordId(request.requestId) };
      const [keys, args] = pack({ ...request, token }, askLock(request, record, Date.now()), false);
      pipeline.evalsha(sha, keys.length, ...keys, ...args);
    }
    const answers = (await pipeline.exec()) ?? [];
    for (const [error, answer] of answers) expect([error, (answer as string[])[0]]).toEqual([null, 'admitted']);
  };
  // The since marks, and buffers of the connection.
  await send(500, 0);
  const before = await usedMemory();
  const calls = perSecond * seconds;
  for (let sent = 0; sent < calls; sent += 500) await send(500, sent);
  return ((await usedMemory()) - before) / calls;
}

describe('the replay records of a call take', () => {
  test.each([
    [100, 20],
    [1_000, 10],
  ])('at most 120 bytes for v2 at %i calls a second, for %i s', async (perSecond, seconds) => {
    expect(await bytesPerCall(2, perSecond, seconds)).toBeLessThanOrEqual(120);
  });

  test.each([
    [100, 20],
    [1_000, 10],
  ])('at most 200 bytes for v1 at %i calls a second, for %i s', async (perSecond, seconds) => {
    expect(await bytesPerCall(1, perSecond, seconds)).toBeLessThanOrEqual(200);
  });
});
