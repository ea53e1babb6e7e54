import { randomBytes, randomUUID } from 'node:crypto';
import { sweepUploads } from '../../shared/upkeep/upload-sweep.ts';
import { sessionsOf } from './session-engines.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from './stack.ts';

export interface Person {
  userId: string;
  session: string;
}

interface Issued {
  uploadId: string;
  url: string;
  headers: Record<string, string>;
}

const BYTES = 2_000;
export const picture = (bytes = BYTES): Buffer => randomBytes(bytes);

/** The service with users who upload pictures, and the store that they upload to. */
export async function startUploadWorld(options: Parameters<typeof startTestStack>[0] = {}) {
  const stack: TestStack = await startTestStack(options);
  const app = await stack.createApp({ scopes: ['login', 'data:read', 'data:own'] });
  const sessions = sessionsOf(stack, app);

  async function newPerson(): Promise<Person> {
    const [userId = ''] = await sessions.newUsers(1);
    return { userId, session: (await sessions.openAt(userId)).token };
  }
  const ask = (as: Person, body: unknown, from: TestApp = app): Promise<TestAnswer> =>
    stack.call(from, 'POST', '/uploads', { body, session: as.session });
  const issue = async (as: Person, members: object = {}): Promise<Issued> =>
    (await ask(as, { contentType: 'image/png', bytes: BYTES, ...members })).body;
  const put = (issued: Issued, body: Buffer = picture(), headers: Record<string, string> = {}) =>
    fetch(issued.url, { method: 'PUT', headers: { ...issued.headers, ...headers }, body: new Uint8Array(body) });
  async function uploaded(as: Person, body: Buffer = picture()): Promise<string> {
    const issued = await issue(as, { bytes: body.length });
    await put(issued, body);
    return issued.uploadId;
  }
  const create = (as: Person, members: object, key: string = randomUUID()): Promise<TestAnswer> =>
    stack.call(app, 'POST', '/data/photo', { body: members, session: as.session, headers: { 'idempotency-key': key } });
  const change = (as: Person, id: string, members: object, version: number): Promise<TestAnswer> =>
    stack.call(app, 'PUT', `/data/photo/${id}`, {
      ...{ body: members, session: as.session, headers: { 'if-match': `"${version}"` } },
    });
  const remove = (as: Person, id: string): Promise<TestAnswer> =>
    stack.call(app, 'DELETE', `/data/photo/${id}`, { session: as.session });
  const read = (as: Person, id: string): Promise<TestAnswer> =>
    stack.call(app, 'GET', `/data/photo/${id}`, { session: as.session });
  const keyOf = (as: Person, uploadId: string, folder: 'new' | 'kept'): string =>
    `${folder}/${app.appId}/${as.userId}/${uploadId}`;
  const stored = (as: Person, uploadId: string, folder: 'new' | 'kept'): Buffer | undefined =>
    stack.objectStore.objects.get(keyOf(as, uploadId, folder))?.body;
  async function row(uploadId: string): Promise<{ used_by: string | null; cleared: number } | undefined> {
    const [rows] = await stack.mysql.query('SELECT used_by, cleared FROM uploads WHERE upload_id = ?', [uploadId]);
    return (rows as Array<{ used_by: string | null; cleared: number }>)[0];
  }
  /** Makes all rows older by so many minutes. */
  const pass = (minutes: number) =>
    stack.mysql.query(
      `UPDATE uploads SET created_at = created_at - INTERVAL ? MINUTE, ends_at = ends_at - INTERVAL ? MINUTE,
              check_at = check_at - INTERVAL ? MINUTE`,
      [minutes, minutes, minutes],
    );
  const sweep = () => sweepUploads({ stopAt: Date.now() + 60_000 });
  const records = { create, change, remove, read };
  return { stack, app, newPerson, ask, issue, put, uploaded, ...records, keyOf, stored, row, pass, sweep };
}

export type UploadWorld = Awaited<ReturnType<typeof startUploadWorld>>;
export const codeOf = ({ status, body }: TestAnswer) => [status, body?.code];
