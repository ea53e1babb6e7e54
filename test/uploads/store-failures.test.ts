import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Fault } from '../../local/simulators/loopback-server.ts';
import { lockCounters } from '../support/lock-counters.ts';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

/** The store is asked by HEAD for the new object and by PUT for the copy. Each of both fails in each way. */
let world: UploadWorld;
let owner: Person;
let output: string[];
beforeAll(async () => {
  output = [];
  // Log lines are read: one of them must not contain a signature.
  vi.spyOn(console, 'log').mockImplementation((line: unknown) => void output.push(String(line)));
  world = await startUploadWorld({ env: { LOG: 'on', UPLOADS_TIMEOUT_MS: '1500' } });
  owner = await world.newPerson();
});

const ERROR = '<Error><Code>SlowDown</Code><Message>secret words</Message></Error>';
const FAULTS: Array<[string, Fault]> = [
  ['is down', { kind: 'refuse' }],
  ['does not answer in time', { kind: 'hang' }],
  ['answers 503', { kind: 'answer', status: 503, body: ERROR }],
  ['refuses the key of the service', { kind: 'answer', status: 403, body: ERROR }],
  ['does what is asked, and its answer is lost', { kind: 'lose-ack' }],
];
const cases = (['HEAD', 'PUT'] as const).flatMap((method) => FAULTS.map(([what, fault]) => ({ method, what, fault })));

describe('a call whose store fails', () => {
  test.each(cases)('at $method, because it $what, is a 503 and may be sent again', async ({ method, fault }) => {
    const body = picture();
    const upload = await world.uploaded(owner, body);
    const key = randomUUID();
    world.stack.objectStore.misbehave((request) => (request.method === method ? fault : null));
    const failed = await world.create(owner, { picture: upload }, key);
    world.stack.objectStore.misbehave(null);
    expect(codeOf(failed)).toEqual([503, 'UNAVAILABLE']);
    expect(failed.headers.get('retry-after')).toMatch(/^\d+$/);
    // The breaker of the store closes after two seconds.
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    const created = await world.create(owner, { picture: upload }, key);
    expect(created.status).toBe(201);
    expect(Buffer.from(await (await fetch(created.body.picture)).arrayBuffer())).toEqual(body);
  });

  test('at the end of the copy, in an answer with status 200, is a 503', async () => {
    const upload = await world.uploaded(owner);
    world.stack.objectStore.misbehave(({ method }) =>
      method === 'PUT' ? { kind: 'answer', status: 200, body: `<?xml version="1.0"?>\n${ERROR}` } : null,
    );
    expect(codeOf(await world.create(owner, { picture: upload }))).toEqual([503, 'UNAVAILABLE']);
    world.stack.objectStore.misbehave(null);
  });

  test('is charged nothing, and reads and new uploads need no store', async () => {
    const upload = await world.uploaded(owner);
    const made = await world.create(owner, { picture: await world.uploaded(owner) });
    const before = await lockCounters(world.stack.redis);
    world.stack.objectStore.misbehave({ kind: 'refuse' });
    for (let i = 0; i < 5; i++) expect((await world.create(owner, { picture: upload })).status).toBe(503);
    const after = Object.entries(await lockCounters(world.stack.redis));
    expect(after.filter(([key, value]) => value !== (before[key] ?? '0'))).toEqual([]);
    expect((await world.read(owner, made.body.id)).body.picture).toContain('X-Amz-Signature');
    expect((await world.ask(owner, { contentType: 'image/png', bytes: 5 })).status).toBe(201);
    world.stack.objectStore.misbehave(null);
  });
});

test('log lines name what the store refused, and contain no signature, secret or address', () => {
  const log = output.join('\n');
  expect(log).toContain('"code":"store-refused"');
  expect(log).toContain('"reason":"SlowDown"');
  expect(log).toContain('"store.failed":1');
  expect(log).not.toMatch(/X-Amz|AWS4|Signature=|secret words|http:\/\/127/);
  expect(log).not.toContain(world.stack.env.UPLOADS_SECRET);
});
