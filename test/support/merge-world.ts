import { randomBytes, randomUUID } from 'node:crypto';
import type { RowDataPacket } from 'mysql2/promise';
import { mergeUsers } from '../../shared/account/merge.ts';
import { BOOKING } from './own-record-world.ts';
import { startTestStack } from './stack.ts';

export interface MergePerson {
  userId: string;
  openid: string;
  session: string;
}

/** The seeded service, with people who log in by WeChat, and a merge that runs in this process. */
export async function startMergeWorld() {
  const stack = await startTestStack({ seeded: true });
  const app = await stack.createApp();

  const send = (method: string, path: string, session: string, body?: object, query?: string) =>
    stack.call(app, method, path, {
      session,
      ...(body && { body, headers: { 'idempotency-key': randomUUID() } }),
      ...(query !== undefined && { query }),
    });
  const logIn = (openid: string) =>
    stack.call(app, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode(openid) } });
  async function newPerson(): Promise<MergePerson> {
    const openid = `openid-${randomBytes(6).toString('hex')}`;
    const { token, user } = (await logIn(openid)).body;
    return { openid, session: token, userId: user.userId };
  }
  const book = async ({ session }: MergePerson): Promise<string> =>
    (await send('POST', '/data/booking', session, BOOKING)).body.id;
  const bookings = async ({ session }: MergePerson): Promise<string[]> =>
    (await send('GET', '/data/booking', session, undefined, 'list=mine')).body.items.map(
      ({ id }: { id: string }) => id,
    );
  const order = async ({ session }: MergePerson) =>
    send('POST', '/recharge', session, { productId: 'coins-100', provider: 'sandbox' });
  const merge = (from: MergePerson, into: MergePerson) =>
    mergeUsers({ from: from.userId, into: into.userId }, { wallets: false }, 'tester');
  const me = async (session: string) => {
    const { status, body } = await send('GET', '/me', session);
    return status === 200 ? body.userId : body.code;
  };
  async function rows(sql: string, values: string[]): Promise<RowDataPacket[]> {
    return (await stack.mysql.query<RowDataPacket[]>(sql, values))[0];
  }
  const merges = ({ userId }: MergePerson) =>
    rows("SELECT detail FROM audit_log WHERE subject = ? AND action = 'user.merge'", [userId]);
  return { stack, app, send, logIn, newPerson, book, bookings, order, merge, me, rows, merges };
}

export type MergeWorld = Awaited<ReturnType<typeof startMergeWorld>>;
