import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { insertAccount, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  world = await startUploadWorld();
});
beforeEach(async () => {
  owner = await world.newPerson();
  await world.stack.mysql.query('DELETE FROM uploads');
});

const DAY = 24 * 60;
const bothOf = (uploadId: string, as = owner) => [
  world.stored(as, uploadId, 'new') !== undefined,
  world.stored(as, uploadId, 'kept') !== undefined,
];

describe('upload-sweep', () => {
  test('deletes an upload that no record uses after a day, and not before', async () => {
    const upload = await world.uploaded(owner);
    await world.pass(DAY - 5);
    expect(await world.sweep()).toEqual({ looked: 0, ended: 0, freed: 0, failed: 0 });
    expect(bothOf(upload)).toEqual([true, false]);
    await world.pass(6);
    expect(await world.sweep()).toMatchObject({ looked: 1, ended: 1 });
    expect([bothOf(upload), await world.row(upload)]).toEqual([[false, false], undefined]);
    expect(codeOf(await world.create(owner, { picture: upload }))).toEqual([400, 'INVALID_INPUT']);
  });

  test('deletes the original of a used one when its address has ended, and never the copy', async () => {
    const upload = await world.uploaded(owner);
    const { id } = (await world.create(owner, { picture: upload })).body;
    await world.pass(11);
    await world.sweep();
    expect(bothOf(upload)).toEqual([true, true]);
    for (let day = 0; day < 4; day++) {
      await world.pass(DAY);
      await world.sweep();
      expect(bothOf(upload)).toEqual([false, true]);
    }
    const { body } = await world.read(owner, id);
    expect((await fetch(body.picture)).status).toBe(200);
  });

  test('deletes what a record named before it was changed or deleted, minutes later', async () => {
    const [first, second] = [await world.uploaded(owner), await world.uploaded(owner)];
    const { id } = (await world.create(owner, { picture: first })).body;
    await world.change(owner, id, { picture: second }, 1);
    await world.sweep();
    expect(bothOf(first)).toEqual([true, true]);
    await world.pass(11);
    await world.sweep();
    expect([bothOf(first), bothOf(second)]).toEqual([
      [false, false],
      [true, true],
    ]);
    await world.remove(owner, id);
    await world.pass(11);
    await world.sweep();
    expect(bothOf(second)).toEqual([false, false]);
  });

  test('deletes an object once more that was put after the end of its upload', async () => {
    const issued = await world.issue(owner);
    await world.put(issued);
    const { id } = (await world.create(owner, { picture: issued.uploadId })).body;
    await world.remove(owner, id);
    await world.pass(11);
    await world.sweep();
    expect((await world.put(issued)).status).toBe(200);
    expect(bothOf(issued.uploadId)).toEqual([true, false]);
    await world.pass(20);
    await world.sweep();
    expect([bothOf(issued.uploadId), await world.row(issued.uploadId)]).toEqual([[false, false], undefined]);
  });

  test('deletes the objects of an erased user', async () => {
    const { app } = world;
    const { account } = await insertAccount(world.stack.mysql, { quick: true });
    const login = { account, password: PASSWORD };
    const { token: session, user } = (await world.stack.call(app, 'POST', '/login', { body: login })).body;
    const person = { userId: user.userId, session };
    const [used, unused] = [await world.uploaded(person), await world.uploaded(person)];
    const made = await world.create(person, { picture: used });
    expect(made.status).toBe(201);
    const erased = await world.stack.call(app, 'DELETE', '/me', { session, body: { password: PASSWORD } });
    expect(erased.status).toBe(204);
    await world.pass(11);
    await world.sweep();
    expect([bothOf(used, person), bothOf(unused, person)]).toEqual([
      [false, false],
      [false, false],
    ]);
  });

  test('leaves the uploads of a resource alone that it does not know', async () => {
    const upload = await world.uploaded(owner);
    await world.create(owner, { picture: upload });
    await world.stack.mysql.query("UPDATE uploads SET used_by = 'later:1' WHERE upload_id = ?", [upload]);
    for (let day = 0; day < 3; day++) {
      await world.pass(DAY);
      await world.sweep();
    }
    expect(bothOf(upload)).toEqual([true, true]);
  });

  test('tries again later what the store refused, and does the others', async () => {
    const [stuck, other] = [await world.uploaded(owner), await world.uploaded(owner)];
    await world.pass(DAY + 1);
    world.stack.objectStore.misbehave(({ path }) =>
      path.endsWith(stuck) ? { kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } : null,
    );
    expect(await world.sweep()).toMatchObject({ ended: 1, failed: 1 });
    world.stack.objectStore.misbehave(null);
    expect([bothOf(stuck), bothOf(other)]).toEqual([
      [true, false],
      [false, false],
    ]);
    expect(codeOf(await world.create(owner, { picture: stuck }))).toEqual([400, 'INVALID_INPUT']);
    expect((await world.sweep()).looked).toBe(0);
    await world.pass(11);
    expect(await world.sweep()).toMatchObject({ ended: 1, failed: 0 });
    expect([bothOf(stuck), await world.row(stuck)]).toEqual([[false, false], undefined]);
  });

  test('does nothing beyond its time', async () => {
    await world.uploaded(owner);
    await world.pass(DAY + 1);
    const { sweepUploads } = await import('../../shared/upkeep/upload-sweep.ts');
    expect((await sweepUploads({ stopAt: Date.now() - 1 })).looked).toBe(0);
  });

  test('works through more rows than one batch', async () => {
    const rows = Array.from({ length: 450 }, () => [
      randomUUID().slice(0, 22),
      world.app.appId,
      owner.userId,
      'image/png',
      1,
    ]);
    await world.stack.mysql.query(
      `INSERT INTO uploads (upload_id, app_id, user_id, content_type, bytes, created_at, ends_at, check_at)
       SELECT j.id, ?, ?, 'image/png', 1, NOW(3) - INTERVAL 2 DAY, NOW(3) - INTERVAL 1 DAY, NOW(3) - INTERVAL 1 DAY
         FROM JSON_TABLE(?, '$[*]' COLUMNS (id CHAR(22) PATH '$')) j`,
      [world.app.appId, owner.userId, JSON.stringify(rows.map(([id]) => id))],
    );
    expect(await world.sweep()).toMatchObject({ looked: 450, ended: 450, failed: 0 });
  });

  test('is a function of its own, once a minute', async () => {
    const upload = await world.uploaded(owner);
    await world.pass(DAY + 1);
    await world.stack.api.runSchedule('upload-sweep');
    expect(bothOf(upload)).toEqual([false, false]);
  });
});

/** A call whose process ends at its statement on this table. */
async function diesAt(statement: string, work: () => Promise<unknown>): Promise<void> {
  world.stack.faults.mysql = ({ sql }) => (sql?.includes(statement) ? { kind: 'drop-before' } : undefined);
  await work();
  world.stack.faults.mysql = undefined;
  await new Promise((resolve) => setTimeout(resolve, 2_100)); // until the breaker of MySQL closes
}

describe('a call that ends in the middle', () => {
  test('is completed by the same call, whenever it is sent again within a day', async () => {
    for (const minutes of [0, 11, 12 * 60]) {
      const body = picture();
      const upload = await world.uploaded(owner, body);
      const key = randomUUID();
      await diesAt('INSERT INTO photos', () => world.create(owner, { picture: upload }, key));
      expect((await world.row(upload))?.used_by).toMatch(/^photo:/);
      await world.pass(minutes);
      await world.sweep();
      const created = await world.create(owner, { picture: upload }, key);
      expect(created.status).toBe(201);
      expect(Buffer.from(await (await fetch(created.body.picture)).arrayBuffer())).toEqual(body);
    }
  });

  test('is completed with the object that it has copied, although another one was put meanwhile', async () => {
    const body = picture();
    const issued = await world.issue(owner);
    await world.put(issued, body);
    const key = randomUUID();
    await diesAt('INSERT INTO photos', () => world.create(owner, { picture: issued.uploadId }, key));
    await world.put(issued, picture());
    const created = await world.create(owner, { picture: issued.uploadId }, key);
    expect(created.status).toBe(201);
    expect(world.stored(owner, issued.uploadId, 'kept')).toEqual(body);
  });

  test('and is not sent again leaves an upload that can be used minutes later, and ends after a day', async () => {
    const [first, second] = [await world.uploaded(owner), await world.uploaded(owner)];
    await diesAt('INSERT INTO photos', () => world.create(owner, { picture: first }));
    await diesAt('INSERT INTO photos', () => world.create(owner, { picture: second }));
    expect(codeOf(await world.create(owner, { picture: first }))).toEqual([400, 'INVALID_INPUT']);
    await world.pass(31);
    expect(await world.sweep()).toMatchObject({ freed: 2 });
    expect((await world.create(owner, { picture: first })).status).toBe(201);
    await world.pass(DAY);
    await world.sweep();
    expect([bothOf(first)[1], bothOf(second)]).toEqual([true, [false, false]]);
  });
});
