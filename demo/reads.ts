import { randomInt, randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import { resourceKey } from '../shared/data/records.ts';
import { getResource } from '../shared/data/resources.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

const absentId = (): string => String(randomInt(2 ** 40, 2 ** 47));

/** Rows A6, A7 and A9 to A11 (cache): reads stay fast under attack. */
export async function cachedReads({ story, caller, portal, tape, app }: Scene): Promise<void> {
  const { step } = story;

  await step(
    'A6',
    'keys follow naming rules; a key that breaks them is refused before any engine is called',
    async () => {
      tape.note('the key of notice 1', resourceKey(getResource('notice'), '1'));
      for (const id of ['0', '1;DROP', '*', 'abc', '99999999999999999']) {
        answers(await caller.call(app, 'GET', `/data/notice/${id}`), 400, 'INVALID_KEY');
      }
    },
    { redis: 0, mysql: 0 },
  );

  const id = String(randomInt(900_000_000, 999_999_999));
  const put = (title: string) => {
    const record = { title, body: 'Written by npm run demo.', publishedAt: new Date().toISOString() };
    return portal('data', 'put', 'notice', id, '--json-body', JSON.stringify(record));
  };
  await step(
    'A9',
    'writes go to MySQL, reads to Redis: the first read fills the cache, the next one is a hit',
    async () => {
      await put('First');
      const first = answers(await caller.call(app, 'GET', `/data/notice/${id}`), 200);
      must(first.title === 'First', 'the record that was written');
      const second = await caller.call(app, 'GET', `/data/notice/${id}`);
      must(
        answers(second, 200).title === 'First' && second.headers.get('x-cache') === 'hit',
        'the second read is a hit',
      );
    },
  );
  await step(
    'A9',
    'a cached read costs one request to Redis in all, and none to MySQL',
    async () => {
      answers(await caller.call(app, 'GET', `/data/notice/${id}`), 200);
    },
    { redis: 1, mysql: 0 },
  );
  await step('A9', 'after a write the next read returns the new value', async () => {
    await put('Second');
    must(answers(await caller.call(app, 'GET', `/data/notice/${id}`), 200).title === 'Second', 'the new value');
  });

  await step('A10', 'hot records are found by measurement', async () => {
    const read = () => caller.call(app, 'GET', `/data/notice/${id}`);
    const isHot = async (): Promise<boolean> =>
      JSON.stringify(await portal('hot', '--limit', '1000')).includes(`notice:${id}"`);
    // One of 64 reads is counted, in the request that it makes anyway.
    let rounds = 0;
    do await Promise.all(Array.from({ length: 50 }, read));
    while (!(await isHot()) && ++rounds < 20);
    must(rounds < 20, 'the record is in the table of hot keys');
  });
  await step('A10', 'a schedule writes hot records to the cache in advance: the next read is a hit', async () => {
    const { handler } = await import('../functions/cache-warm.ts');
    await portal('data', 'invalidate', 'notice', id);
    const context = { awsRequestId: randomUUID(), getRemainingTimeInMillis: () => 50_000 } as Context;
    tape.note('the schedule cache-warm', JSON.stringify(await handler({ kind: 'cache-warm' }, context)));
    const first = await caller.call(app, 'GET', `/data/notice/${id}`);
    answers(first, 200);
    must(first.headers.get('x-cache') === 'hit', 'the first read is a hit');
  });

  await step('A9', 'a deleted record is gone at once', async () => {
    await portal('data', 'delete', 'notice', id);
    answers(await caller.call(app, 'GET', `/data/notice/${id}`), 404, 'NOT_FOUND');
  });
  await step(
    'A7',
    'the cache remembers that a record does not exist: the next read costs one request to Redis',
    async () => {
      const absent = await caller.call(app, 'GET', `/data/notice/${id}`);
      answers(absent, 404, 'NOT_FOUND');
      must(absent.headers.get('x-cache') === 'null', 'x-cache: null');
    },
    { redis: 1, mysql: 0 },
  );

  await floods({ step, caller, app });
}

async function floods({ step, caller, app }: Pick<Scene, 'caller' | 'app'> & { step: Scene['story']['step'] }) {
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

  await step(
    'A11',
    '100 calls with invented AppIDs reach no engine',
    async () => {
      const callers = times(100, () => ({ appId: randomUUID(), privateKey: 'guessed' }));
      const all = await Promise.all(callers.map((one) => caller.call(one, 'GET', '/data/notice/1')));
      for (const answer of all) answers(answer, 403);
    },
    { redis: 0, mysql: 0 },
  );

  const ids = times(100, absentId);
  const flood = async () => {
    // Ten at a time, so that on a busy machine none of them passes its time limit for Redis.
    for (let start = 0; start < ids.length; start += 10) {
      const ten = ids.slice(start, start + 10).map((id) => caller.call(app, 'GET', `/data/service/${id}`));
      for (const answer of await Promise.all(ten)) answers(answer, 404, 'NOT_FOUND');
    }
  };
  await step('A11', '100 random ids: each is loaded at most once', flood, { mysql: { most: 100 } });
  await step('A11 A7', 'the same 100 again: MySQL is not asked', flood, { redis: 100, mysql: 0 });

  // On a busy machine some readers load the record themselves, because they wait only a short time.
  await step(
    'A11',
    '100 readers of one absent id at once: one load, the others wait for it',
    async () => {
      const one = absentId();
      const all = await Promise.all(times(100, () => caller.call(app, 'GET', `/data/service/${one}`)));
      for (const answer of all) answers(answer, 404, 'NOT_FOUND');
    },
    { mysql: { most: 20 } },
  );
}
