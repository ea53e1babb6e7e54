import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { dumpRedis } from '../support/engine-dump.ts';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  world = await startUploadWorld();
  owner = await world.newPerson();
});

const bytesAt = async (address: string): Promise<Buffer> => Buffer.from(await (await fetch(address)).arrayBuffer());

describe('a record with an upload', () => {
  test('is created, read and listed with an address that a client can read', async () => {
    const person = await world.newPerson();
    const body = picture();
    const created = await world.create(person, { picture: await world.uploaded(person, body), caption: 'a cat' });
    expect([created.status, created.body]).toEqual([
      201,
      {
        id: expect.any(String),
        userId: person.userId,
        picture: expect.stringContaining('X-Amz-Signature='),
        caption: 'a cat',
        createdAt: expect.any(String),
        version: 1,
      },
    ]);
    expect(await bytesAt(created.body.picture)).toEqual(body);
    for (let i = 0; i < 2; i++) {
      const { body: one } = await world.read(person, created.body.id);
      expect(await bytesAt(one.picture)).toEqual(body);
      const sent = { session: person.session };
      const list = await world.stack.call(world.app, 'GET', '/data/photo', { ...sent, query: 'list=mine' });
      expect(await bytesAt(list.body.items[0].picture)).toEqual(body);
      const ids = await world.stack.call(world.app, 'GET', '/data/photo', { ...sent, query: `ids=${one.id}` });
      expect(await bytesAt(ids.body.items[one.id].picture)).toEqual(body);
    }
    const dump = await dumpRedis(world.stack.redis);
    expect(dump).toContain('kept/');
    expect(dump).not.toContain('X-Amz');
  });

  test('costs three requests to Redis, three to MySQL and two to the store', async () => {
    await world.create(owner, { picture: await world.uploaded(owner) });
    const upload = await world.uploaded(owner);
    const other = await world.uploaded(owner);
    const cost = async (work: () => Promise<{ status: number; body: { id: string } }>) => {
      await world.stack.resetCounters();
      const before = world.stack.objectStore.received.length;
      const { status, body } = await work();
      const { redisRequests, mysqlRequests } = await world.stack.counters();
      const store = world.stack.objectStore.received.slice(before).map((line) => line.split('/', 3).join('/'));
      return { id: body?.id, all: [status, redisRequests, mysqlRequests, store] };
    };
    const made = await cost(() => world.create(owner, { picture: upload }));
    expect(made.all).toEqual([201, 3, 3, ['HEAD /uploads/new', 'PUT /uploads/kept']]);
    await world.read(owner, made.id);
    expect((await cost(() => world.read(owner, made.id))).all).toEqual([200, 1, 0, []]);
    const changed = await cost(() => world.change(owner, made.id, { picture: other }, 1));
    expect(changed.all).toEqual([200, 2, 4, ['HEAD /uploads/new', 'PUT /uploads/kept']]);
    await world.read(owner, made.id);
    const caption = await cost(() => world.change(owner, made.id, { caption: 'x' }, 2));
    expect(caption.all).toEqual([200, 2, 1, []]);
    expect((await cost(() => world.remove(owner, made.id))).all).toEqual([204, 2, 2, []]);
  });

  test('keeps its object when a change leaves it out, and gets another one', async () => {
    const [first, second] = [picture(), picture()];
    const { id } = (await world.create(owner, { picture: await world.uploaded(owner, first) })).body;
    const captioned = await world.change(owner, id, { caption: 'new words' }, 1);
    expect([captioned.status, captioned.body.caption, captioned.body.version]).toEqual([200, 'new words', 2]);
    expect(await bytesAt(captioned.body.picture)).toEqual(first);
    const other = await world.uploaded(owner, second);
    const changed = await world.change(owner, id, { picture: other, caption: '' }, 2);
    expect(await bytesAt(changed.body.picture)).toEqual(second);
    const again = await world.change(owner, id, { picture: other, caption: '' }, 2);
    expect([again.status, again.body.version]).toEqual([200, 3]);
    expect(await bytesAt((await world.read(owner, id)).body.picture)).toEqual(second);
  });
});

describe('an upload', () => {
  test('that is absent, of another user, used, unfinished or different answers alike', async () => {
    const other = await world.newPerson();
    const used = await world.uploaded(owner);
    expect((await world.create(owner, { picture: used })).status).toBe(201);
    const unfinished = (await world.issue(owner)).uploadId;
    const larger = await world.issue(owner);
    world.stack.objectStore.objects.set(world.keyOf(owner, larger.uploadId, 'new'), {
      ...{ body: picture(2_001), contentType: 'image/png', more: {} },
    });
    const html = await world.issue(owner);
    world.stack.objectStore.objects.set(world.keyOf(owner, html.uploadId, 'new'), {
      ...{ body: picture(), contentType: 'text/html', more: {} },
    });
    const uploads = ['A'.repeat(22), await world.uploaded(other), used, unfinished, larger.uploadId, html.uploadId];
    const told = [];
    for (const upload of uploads) {
      const { status, body } = await world.create(owner, { picture: upload });
      told.push(JSON.stringify([status, { ...body, requestId: '', instance: '' }]));
    }
    expect(new Set(told).size).toBe(1);
    expect(JSON.parse(told[0] ?? '')).toMatchObject([400, { code: 'INVALID_INPUT', errors: [{ path: 'picture' }] }]);
  });

  test('made at another app cannot be used', async () => {
    const elsewhere = await world.stack.createApp({ scopes: ['data:own', 'data:read'] });
    const upload = await world.uploaded(owner);
    await world.stack.mysql.query('UPDATE uploads SET app_id = ? WHERE upload_id = ?', [elsewhere.appId, upload]);
    const object = { body: picture(), contentType: 'image/png', more: {} };
    world.stack.objectStore.objects.set(`new/${elsewhere.appId}/${owner.userId}/${upload}`, object);
    expect(codeOf(await world.create(owner, { picture: upload }))).toEqual([400, 'INVALID_INPUT']);
  });

  test.each(['kept/a/b/c', '../../etc', '', 'https://example.com/a.png', 7, null])(
    'cannot be named by its key or an address: %j',
    async (named) => {
      expect(codeOf(await world.create(owner, { picture: named }))).toEqual([400, 'INVALID_INPUT']);
    },
  );

  test('of two records at once gets one', async () => {
    const upload = await world.uploaded(owner);
    const answers = await Promise.all(Array.from({ length: 4 }, () => world.create(owner, { picture: upload })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400]);
  });

  test('that is put again after its use does not change the record', async () => {
    const [first, second] = [picture(), picture()];
    const issued = await world.issue(owner);
    await world.put(issued, first);
    const key = randomUUID();
    const { picture: address } = (await world.create(owner, { picture: issued.uploadId }, key)).body;
    expect((await world.put(issued, second)).status).toBe(200);
    expect(await bytesAt(address)).toEqual(first);
    // The same call continues its own claim, and does not copy the other object.
    expect((await world.create(owner, { picture: issued.uploadId }, key)).status).toBe(201);
    expect(await bytesAt(address)).toEqual(first);
  });

  test('that is put again between the check and the copy is refused, and can be used then', async () => {
    const [first, second] = [picture(), picture()];
    const issued = await world.issue(owner);
    await world.put(issued, first);
    const key = world.keyOf(owner, issued.uploadId, 'new');
    world.stack.objectStore.misbehave(({ method }) => {
      if (method === 'PUT')
        world.stack.objectStore.objects.set(key, { body: second, contentType: 'image/png', more: {} });
      return null;
    });
    const refused = await world.create(owner, { picture: issued.uploadId });
    world.stack.objectStore.misbehave(null);
    expect(codeOf(refused)).toEqual([400, 'INVALID_INPUT']);
    const created = await world.create(owner, { picture: issued.uploadId });
    expect(await bytesAt(created.body.picture)).toEqual(second);
  });

  test('loses headers that the client added', async () => {
    const issued = await world.issue(owner);
    await world.put(issued, picture(), { 'content-encoding': 'br', 'content-disposition': 'attachment' });
    await world.create(owner, { picture: issued.uploadId });
    const kept = world.stack.objectStore.objects.get(world.keyOf(owner, issued.uploadId, 'kept'));
    expect(kept?.contentType).toBe('image/png');
    expect(kept?.more).toEqual({ 'cache-control': 'max-age=86400' });
  });
});

describe('the same key', () => {
  test('is the same record, also after the record and its object were deleted', async () => {
    const person = await world.newPerson();
    const upload = await world.uploaded(person);
    const key = randomUUID();
    const first = await world.create(person, { picture: upload }, key);
    const second = await world.create(person, { picture: upload }, key);
    expect([second.status, second.body.id]).toEqual([201, first.body.id]);
    await world.remove(person, first.body.id);
    await world.pass(60);
    await world.sweep();
    expect(world.stored(person, upload, 'kept')).toBeUndefined();
    expect((await world.create(person, { picture: upload }, key)).body.id).toBe(first.body.id);
  });

  test('with other members is refused, and the upload of the record stays', async () => {
    const upload = await world.uploaded(owner);
    const key = randomUUID();
    const { id } = (await world.create(owner, { picture: upload }, key)).body;
    const other = await world.uploaded(owner);
    const refused = [422, 'IDEMPOTENCY_KEY_REUSED'];
    expect(codeOf(await world.create(owner, { picture: upload, caption: 'x' }, key))).toEqual(refused);
    expect(codeOf(await world.create(owner, { picture: other }, key))).toEqual(refused);
    expect((await world.row(upload))?.used_by).toBe(`photo:${id}`);
    expect((await world.create(owner, { picture: other })).status).toBe(201);
  });

  test('is needed before anything is claimed, and a full quota frees the upload', async () => {
    const person = await world.newPerson();
    const rows = Array.from({ length: 50 }, (_, i) => [`${8_000_000 + i}`, person.userId, 'kept/none', '', new Date()]);
    await world.stack.mysql.query('INSERT INTO photos (id, user_id, picture, caption, created_at) VALUES ?', [rows]);
    const upload = await world.uploaded(person);
    expect(codeOf(await world.create(person, { picture: upload }))).toEqual([409, 'QUOTA_REACHED']);
    expect((await world.row(upload))?.used_by).toBeNull();
    await world.remove(person, '8000000');
    expect((await world.create(person, { picture: upload })).status).toBe(201);
  });
});

test('a change that comes too late frees the upload that it named', async () => {
  const { id } = (await world.create(owner, { picture: await world.uploaded(owner) })).body;
  const other = await world.uploaded(owner);
  expect(codeOf(await world.change(owner, id, { picture: other }, 7))).toEqual([412, 'VERSION_MISMATCH']);
  expect((await world.row(other))?.used_by).toBeNull();
  expect((await world.change(owner, id, { picture: other }, 1)).status).toBe(200);
});

test('a server app uses an upload of the user that it names', async () => {
  const server = await world.stack.createApp({ scopes: ['data:write'] });
  const upload = await world.uploaded(owner);
  const send = (userId: string) =>
    world.stack.call(server, 'POST', '/data/photo', {
      ...{ body: { picture: upload, userId }, headers: { 'idempotency-key': randomUUID() } },
    });
  expect(codeOf(await send((await world.newPerson()).userId))).toEqual([400, 'INVALID_INPUT']);
  expect((await send(owner.userId)).status).toBe(201);
});
