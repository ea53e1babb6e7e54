import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { admit } from '../../shared/admission/admission.ts';
import { announceIds, announceScript, filterCheck } from '../../shared/cache/existence-filter.ts';
import { maintainFilter, swapScript } from '../../shared/data/filter-builder.ts';
import type { Resource } from '../../shared/data/resource.ts';
import { getResource } from '../../shared/data/resources.ts';
import { readKey, requestOf } from '../support/admission-call.ts';
import { Interleaving } from '../support/interleaving.ts';
import { mutate } from '../support/mutant.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** Writers announce and commit ids while the filter is built and swapped. The seed chooses the order. */
describe('an id that was announced before its commit', () => {
  let stack: TestStack;
  let undo = (): void => {};
  beforeAll(async () => {
    stack = await startTestStack({ env: { REDIS_TIMEOUT_MS: '30000', MYSQL_TIMEOUT_MS: '30000' } });
  });
  afterEach(() => undo());

  /** Ids that the filter called absent although they were committed. `waits`: the builder waits for older writes. */
  async function falselyAbsent(seed: number, waits = true): Promise<string[]> {
    const schedule = new Interleaving(seed, () => {});
    stack.faults.redis = undefined;
    await stack.mysql.query('DELETE FROM services');
    const resource: Resource = { ...getResource('service'), name: `s${seed}-${waits}-${++runs}` };
    const wrong: string[] = [];
    const open = new Set<string>();
    const committed: string[] = [];

    const check = async (id: string): Promise<void> => {
      const reads = [{ key: readKey(`${resource.name}-${id}`), filter: filterCheck(resource.name, id) }];
      const admission = await admit(requestOf([], { reads }));
      if (admission.verdict === 'admitted' && admission.reads[0]?.state === 'none') wrong.push(id);
    };
    // The builder takes many more steps than a writer. Random pauses spread the writers over all of these steps.
    const pauseUpTo = async (turns: number): Promise<void> => {
      for (let left = Math.floor(schedule.random() * turns); left > 0; left--) await schedule.turn();
    };
    const writer = (id: string) => async () => {
      await pauseUpTo(40);
      open.add(id);
      await announceIds(resource.name, [id]);
      await pauseUpTo(16);
      await stack.mysql.query(`INSERT INTO services (id, name, description, price_fen) VALUES (?, 'n', 'd', 1)`, [id]);
      await schedule.turn();
      open.delete(id);
      committed.push(id);
      await check(id);
    };
    const builder = async (): Promise<void> => {
      for (let build = 0; build < 2; build++) {
        await maintainFilter(resource, Date.now() + 60_000, 0);
        // Stands for the 45 s that the builder waits: every write announced before has ended by then.
        const older = [...open];
        while (waits && older.some((id) => open.has(id))) await schedule.turn();
        await maintainFilter(resource, Date.now() + 60_000, 0);
        await stack.redis.del(...(await stack.redis.keys(`*:filter:built:v1:${resource.name}`)));
      }
    };
    const held = ({ body }: { body?: unknown }) =>
      JSON.stringify(body ?? '').includes(`:${resource.name}`) ? schedule.hold() : undefined;
    stack.faults.redis = held;
    stack.faults.mysql = () => schedule.hold();
    await schedule.run([builder, ...['11', '12', '13', '14'].map(writer)]);
    stack.faults.redis = undefined;
    stack.faults.mysql = undefined;
    for (const id of committed) await check(id);
    return wrong.map((id) => `seed ${seed}: ${id}`);
  }
  let runs = 0;

  async function inSeeds(count: number, waits = true): Promise<string[]> {
    const wrong: string[] = [];
    for (let seed = 1; seed <= count && wrong.length === 0; seed++) wrong.push(...(await falselyAbsent(seed, waits)));
    return wrong;
  }

  test('is never called absent in any order of steps', async () => {
    expect(await inSeeds(50)).toEqual([]);
  }, 120_000);

  test('is called absent if the swap does not apply the journal', async () => {
    undo = mutate(
      swapScript,
      "for _, member in ipairs(redis.call('SMEMBERS', KEYS[2])) do",
      'for _, member in ipairs({}) do',
    );
    expect(await inSeeds(80)).not.toEqual([]);
  }, 120_000);

  test('is called absent if writers add it to the live filter only', async () => {
    undo = mutate(announceScript, "redis.call('SADD', KEYS[1], unpack(ARGV, 2))", '');
    expect(await inSeeds(80)).not.toEqual([]);
  }, 120_000);

  test('is called absent if writers add it to the journal only', async () => {
    undo = mutate(announceScript, 'if size and size > 0 then', 'if false then');
    expect(await inSeeds(80)).not.toEqual([]);
  }, 120_000);

  test('is called absent if the builder does not wait for older writes', async () => {
    expect(await inSeeds(80, false)).not.toEqual([]);
  }, 120_000);
});
