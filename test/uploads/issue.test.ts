import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  world = await startUploadWorld();
  owner = await world.newPerson();
});

describe('an upload', () => {
  test('is a PUT of the promised type and size, which needs one request to Redis and one to MySQL', async () => {
    await world.ask(owner, { contentType: 'image/png', bytes: 1 });
    await world.stack.resetCounters();
    const before = Date.now();
    const answer = await world.ask(owner, { contentType: 'image/jpeg', bytes: 3_000 });
    const { redisRequests, mysqlRequests } = await world.stack.counters();
    expect([answer.status, redisRequests, mysqlRequests]).toEqual([201, 1, 1]);
    expect(answer.body).toEqual({
      uploadId: expect.stringMatching(/^[\w-]{22}$/),
      method: 'PUT',
      url: expect.any(String),
      headers: { 'content-type': 'image/jpeg' },
      expiresAt: expect.any(String),
    });
    expect(Date.parse(answer.body.expiresAt) - before).toBeGreaterThanOrEqual(900_000);
    const url = new URL(answer.body.url);
    expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host');
    expect(url.pathname).toBe(`/uploads/${world.keyOf(owner, answer.body.uploadId, 'new')}`);
    expect((await world.put(answer.body, picture(3_000))).status).toBe(200);
  });

  test('cannot be put with another type, another length or another key', async () => {
    const issued = await world.issue(owner);
    const status = async (sent: Promise<Response>) => {
      const response = await sent;
      return [response.status, /<Code>(\w+)/.exec(await response.text())?.[1]];
    };
    const mismatch = [403, 'SignatureDoesNotMatch'];
    expect(await status(world.put(issued, picture(), { 'content-type': 'text/html' }))).toEqual(mismatch);
    expect(await status(world.put(issued, picture(2_001)))).toEqual(mismatch);
    const elsewhere = { ...issued, url: issued.url.replace('/new/', '/kept/') };
    expect(await status(world.put(elsewhere))).toEqual(mismatch);
    const longer = { ...issued, url: issued.url.replace('X-Amz-Expires=900', 'X-Amz-Expires=90000') };
    expect(await status(world.put(longer))).toEqual(mismatch);
    expect(await status(world.put(issued, picture(), { 'x-amz-acl': 'public-read' }))).toEqual([403, 'AccessDenied']);
    expect(world.stored(owner, issued.uploadId, 'new')).toBeUndefined();
  });

  test('with a sha256 takes this body alone', async () => {
    const body = picture();
    const issued = await world.issue(owner, { sha256: createHash('sha256').update(body).digest('hex') });
    expect(Object.keys(issued.headers)).toEqual(['content-type', 'x-amz-content-sha256']);
    const wrong = await world.put(issued, picture());
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('XAmzContentSHA256Mismatch')]);
    const { 'x-amz-content-sha256': _, ...less } = issued.headers;
    expect((await world.put({ ...issued, headers: less }, body)).status).toBe(403);
    expect((await world.put(issued, body)).status).toBe(200);
  });

  test.each([
    ['an unknown type', { contentType: 'image/svg+xml' }, 'contentType'],
    ['no type', { contentType: undefined }, 'contentType'],
    ['too many bytes', { bytes: 10 * 1024 * 1024 + 1 }, 'bytes'],
    ['no bytes', { bytes: 0 }, 'bytes'],
    ['half a byte', { bytes: 1.5 }, 'bytes'],
    ['a hash that is none', { sha256: 'A'.repeat(64) }, 'sha256'],
    ['a key of its own', { key: 'kept/a/b/c' }, 'key'],
  ])('with %s is refused', async (_, members, path) => {
    const answer = await world.ask(owner, { contentType: 'image/png', bytes: 5, ...members });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path }] } });
  });

  test('needs the permission and a login', async () => {
    const reader = await world.stack.createApp({ scopes: ['data:read', 'data:write'] });
    const body = { contentType: 'image/png', bytes: 5 };
    expect(codeOf(await world.ask(owner, body, reader))).toEqual([403, 'SCOPE_DENIED']);
    expect(codeOf(await world.stack.call(world.app, 'POST', '/uploads', { body }))).toEqual([401, 'LOGIN_REQUIRED']);
    const weak = { body, session: owner.session, signature: 'v1' } as const;
    expect(codeOf(await world.stack.call(world.app, 'POST', '/uploads', weak))).toEqual([403, 'SIGNATURE_TOO_WEAK']);
  });
});

describe('the quota of unused uploads', () => {
  test('holds for calls at once, and a record that uses one makes room', async () => {
    const person = await world.newPerson();
    const first = await world.uploaded(person);
    for (let i = 0; i < 16; i++) await world.issue(person);
    const small = { contentType: 'image/png', bytes: 5 };
    const answers = await Promise.all(Array.from({ length: 8 }, () => world.ask(person, small)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(new Set(refused.map((answer) => codeOf(answer).join()))).toEqual(new Set(['409,QUOTA_REACHED']));
    expect((await world.create(person, { picture: first })).status).toBe(201);
    expect((await world.ask(person, small)).status).toBe(201);
    expect((await world.ask(await world.newPerson(), small)).status).toBe(201);
  });

  test('is not used twice by one call whose answer was lost', async () => {
    const person = await world.newPerson();
    let dropped = false;
    world.stack.faults.mysql = ({ sql }) => {
      if (dropped || !sql?.includes('INSERT INTO uploads')) return undefined;
      dropped = true;
      return { kind: 'drop-after' };
    };
    const answer = await world.ask(person, { contentType: 'image/png', bytes: 2_000 });
    world.stack.faults.mysql = undefined;
    expect([dropped, answer.status]).toEqual([true, 201]);
    const [rows] = await world.stack.mysql.query('SELECT upload_id FROM uploads WHERE user_id = ?', [person.userId]);
    expect(rows).toEqual([{ upload_id: answer.body.uploadId }]);
  });
});
