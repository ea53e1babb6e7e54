import { randomInt, randomUUID } from 'node:crypto';
import { getResource } from '../../shared/data/resources.ts';
import { putResource } from '../../shared/data/write.ts';
import { sessionsOf } from './session-engines.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from './stack.ts';

export interface Person {
  userId: string;
  session: string;
}

interface Sent {
  as?: Person;
  app?: TestApp;
  key?: string;
  /** A number becomes an `if-match` header of that version. */
  version?: number | string;
  query?: string;
  signature?: 'v1' | 'v2';
}

export const BOOKING = { serviceId: '1', day: '2030-05-01', note: 'ring twice' };
export const codeOf = ({ status, body }: TestAnswer) => [status, body?.code];

/** The seeded service, with an app whose users write records and a server app that writes for them. */
export async function startOwnRecordWorld() {
  const stack: TestStack = await startTestStack({ seeded: true });
  const app = await stack.createApp({ scopes: ['data:read', 'data:own'] });
  const server = await stack.createApp({ scopes: ['data:read', 'data:write'] });
  const sessions = sessionsOf(stack, app);

  async function newPerson(): Promise<Person> {
    const [userId = ''] = await sessions.newUsers(1);
    return { userId, session: (await sessions.openAt(userId)).token };
  }
  async function send(method: string, path: string, body?: unknown, sent: Sent = {}): Promise<TestAnswer> {
    const { as, app: caller = app, key, version, query, signature } = sent;
    const headers = {
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(version !== undefined && { 'if-match': typeof version === 'number' ? `"${version}"` : version }),
    };
    return stack.call(caller, method, `/data/${path}`, {
      headers,
      ...(body !== undefined && { body: body as Record<string, unknown> }),
      ...(query !== undefined && { query }),
      ...(as && { session: as.session }),
      ...(signature && { signature }),
    });
  }
  const create = (as: Person, members: object = BOOKING, key: string = randomUUID(), resource = 'booking') =>
    send('POST', resource, members, { as, key });
  const mine = async (as: Person, query = 'list=mine', resource = 'booking') =>
    (await send('GET', resource, undefined, { as, query })).body.items as Array<{ id: string; version: number }>;
  /** A service of its own, which the cache and the filter know. */
  async function newService(): Promise<{ id: string }> {
    const id = String(randomInt(1_000_000, 1_000_000_000));
    await putResource(getResource('service'), id, { name: 'Walk', description: 'Half an hour', priceFen: 1 });
    await send('GET', `service/${id}`);
    return { id };
  }
  async function cost(work: () => Promise<TestAnswer>) {
    await stack.resetCounters();
    const { status, body } = await work();
    const { redisRequests, mysqlRequests } = await stack.counters();
    return { status, body, cost: [redisRequests, mysqlRequests] };
  }
  return { stack, app, server, newPerson, newService, send, create, mine, cost };
}

export type OwnRecordWorld = Awaited<ReturnType<typeof startOwnRecordWorld>>;
