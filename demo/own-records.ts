import { randomBytes } from 'node:crypto';
import { executeOverHttp } from '../db/execute.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';
import type { TapedAnswer } from './tape.ts';

const BOOKING = { serviceId: '1', day: '2030-05-01' };
const QUOTA = 100;
const newKey = (): string => randomBytes(16).toString('hex');

/** Rows F4 to F7 (records of users): users write their own records, and name what they uploaded. */
export async function ownRecords(scene: Scene): Promise<void> {
  const { step } = scene.story;
  const { caller, portal, app } = scene;
  const owner = await newUser(scene, 'owner');
  const call = (verb: string, path: string, more: object = {}) =>
    caller.call(app, verb, `/data/${path}`, { session: owner.session, ...more });
  const mine = async () =>
    answers(await call('GET', 'booking', { query: 'list=mine' }), 200).items as Array<Record<string, unknown>>;

  const booking = await step(
    'F4',
    'a user creates a record, and the next read of the list of this user has it',
    async () => {
      const idempotencyKey = newKey();
      must((await mine()).length === 0, 'the list is empty');
      const made = answers(await call('POST', 'booking', { body: BOOKING, idempotencyKey }), 201);
      must(made.version === 1 && made.status === 'requested', 'version 1, with the defaults of what was left out');
      const again = await call('POST', 'booking', { body: BOOKING, idempotencyKey, remark: 'the same key again' });
      must(answers(again, 201).id === made.id, 'the same record, as after a lost answer');
      must((await mine()).map(({ id }) => id).join() === made.id, 'one record in the list');
      return made as { id: string };
    },
  );
  await step('F4', 'the record of another user is answered like one that does not exist', async () => {
    const stranger = await newUser(scene, 'stranger');
    const asked = async (id: string) => {
      const as = { session: stranger.session };
      const change = { ...as, ifMatch: '"1"', body: { day: '2030-01-01' } };
      return [
        await call('GET', `booking/${id}`, as),
        await call('PUT', `booking/${id}`, change),
        await call('DELETE', `booking/${id}`, as),
      ];
    };
    const refused = await asked(booking.id);
    for (const answer of refused) answers(answer, 404, 'NOT_FOUND');
    must(alike(refused) === alike(await asked('4242424242')), 'the same bytes as for an id that does not exist');
    await stranger.leave();
  });
  await step('F6', 'a change names the version that was read; when somebody was faster, nothing changes', async () => {
    const change = (status: string, remark: string) =>
      call('PUT', `booking/${booking.id}`, { ifMatch: '"1"', body: { day: '2030-05-02', status }, remark });
    must(answers(await change('cancelled', 'version 1'), 200).version === 2, 'the record has version 2 now');
    answers(await change('requested', 'still version 1'), 412, 'VERSION_MISMATCH');
    must((await mine())[0]?.status === 'cancelled', 'the first change stands, and the list shows it');
  });
  await step('F4', 'a server app changes the record of the user that it names', async () => {
    const shop = await portal('app', 'create', '--name', `demo-shop-${scene.run}`, '--scopes', 'data:read,data:write');
    const path = `/data/booking/${booking.id}`;
    const change = { ifMatch: '"2"', body: { day: '2030-05-02', status: 'confirmed' } };
    answers(await caller.call(shop, 'PUT', path, { ...change, query: `user=${owner.userId}` }), 200);
    const read = await call('GET', `booking/${booking.id}`);
    must(answers(read, 200).status === 'confirmed', 'the user sees what the shop gave');
    await portal('app', 'disable', '--app', shop.appId);
  });
  await step('F5', `a user may have ${QUOTA} records of this kind, and a deletion makes room`, async () => {
    await fill(scene, owner.userId, QUOTA - 1);
    const create = () => call('POST', 'booking', { body: BOOKING, idempotencyKey: newKey() });
    answers(await create(), 409, 'QUOTA_REACHED');
    answers(await call('DELETE', `booking/${booking.id}`), 204);
    answers(await create(), 201);
  });
  await step('F7', 'a picture goes straight to the object store, and a record names it', () =>
    uploads(scene, owner.session, call),
  );
  await owner.leave();
}

async function newUser({ caller, app, run }: Scene, name: string) {
  const account = `${name}-${run}`;
  const password = randomBytes(12).toString('base64url');
  const sdk = caller.sdk(app);
  await sdk.register({ account, password });
  const { token, user } = await sdk.login({ account, password });
  return { session: token, userId: user.userId, leave: () => sdk.deleteAccount({ password }) };
}

const alike = (some: readonly TapedAnswer[]): string =>
  JSON.stringify(some.map(({ status, body }) => [status, { ...(body as object), requestId: '' }]));

/** Fills the quota by one statement, because a hundred calls would meet the limit of calls in a minute. */
async function fill({ env }: Scene, userId: string, count: number): Promise<void> {
  const rows = Array.from({ length: count }, () => [
    String(Number.parseInt(randomBytes(6).toString('hex'), 16) + 1),
    userId,
  ]);
  await executeOverHttp(env.DATABASE_URL ?? '')(
    `INSERT INTO bookings (id, user_id, service_id, day, note, status, created_at) VALUES
     ${rows.map(() => "(?, ?, 1, '2030-01-01', '', 'requested', NOW(3))").join(', ')}`,
    rows.flat(),
  );
}

async function uploads(
  { caller, tape, app }: Scene,
  session: string,
  call: (verb: string, path: string, more?: object) => Promise<TapedAnswer>,
): Promise<void> {
  const bytes = 'the bytes of a picture';
  const body = { contentType: 'image/png', bytes: bytes.length };
  const issued = await caller.call(app, 'POST', '/uploads', { session, body });
  // A server without a store: its operator has not set one up.
  if (issued.status === 404) return void answers(issued, 404, 'NOT_FOUND');
  const { uploadId, method, url, headers } = answers(issued, 201);
  answers(await tape.send(method, url, headers, `${bytes}!`, 'one byte more'), 403);
  answers(await tape.send(method, url, headers, bytes), 200);
  const create = () =>
    call('POST', 'photo', { body: { picture: uploadId, caption: 'A demo' }, idempotencyKey: newKey() });
  const photo = answers(await create(), 201);
  must((await (await fetch(photo.picture)).text()) === bytes, 'the picture, at the address that the record has');
  answers(await create(), 400, 'INVALID_INPUT');
}
