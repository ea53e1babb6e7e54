import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { freePort } from '../local/engines/process.ts';
import { startPluginServer } from '../local/simulators/plugin-server.ts';
import { createApp, NEW_METHODS, NEW_SCOPES } from '../shared/app/admin.ts';
import { write } from '../shared/db.ts';
import { registerPlugin } from '../shared/plugin/admin.ts';
import { sandboxSignature } from '../shared/recharge/sandbox/provider.ts';
import { openSession } from '../shared/session/open-session.ts';
import { mintSession, newUserId } from '../shared/session/token.ts';
import { warmCache } from '../shared/upkeep/every-minute.ts';
import type { SelfHosted } from './self-hosted.ts';

/** Makes calls as mini-programs do: an app, users with own sessions and addresses, each call signed (v2). */
export interface CallAnswer {
  /** 0: no answer. */
  status: number;
  code: string;
  cache: string;
  milliseconds: number;
  // biome-ignore lint/suspicious/noExplicitAny: the callers know what the route answers
  body: any;
}

export interface Customer {
  userId: string;
  session: string;
  ip: string;
  /** Units that the customer has paid for. */
  credited: number;
}

interface CallOptions {
  body?: unknown;
  customer?: Customer;
  ip?: string;
  idempotencyKey?: string;
  /** Headers of an earlier call, to be sent again. */
  headers?: Record<string, string>;
}

export interface Traffic {
  customers: Customer[];
  call(method: string, path: string, options?: CallOptions): Promise<CallAnswer>;
  /** The headers that `call` would send. */
  headersOf(method: string, path: string, options?: CallOptions): Record<string, string>;
  readNotice(id: number, customer?: Customer): Promise<CallAnswer>;
  logIn(): Promise<CallAnswer>;
  issuePluginToken(customer: Customer): Promise<CallAnswer>;
  /** Order, payment, notification. true: all were confirmed. */
  recharge(customer: Customer): Promise<boolean>;
  stop(): Promise<void>;
}

const PLUGIN = 'load';
const GIVE_UP_MS = 15_000;

export async function startTraffic(served: SelfHosted, size: { customers: number }): Promise<Traffic> {
  const app = await createApp(
    { name: 'load', methods: NEW_METHODS, scopes: NEW_SCOPES, plugins: null, validates: null },
    'bench',
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 512 });
  const { hostname, port } = new URL(served.url);
  const pluginPort = await freePort();
  const registered = await registerPlugin({ pluginId: PLUGIN, serverUrl: `http://127.0.0.1:${pluginPort}/push` });
  const secrets = { pluginId: PLUGIN, pushSecrets: [registered.pushSecret] };
  const pluginServer = await startPluginServer({ ...secrets, port: pluginPort });
  await write(
    `INSERT INTO products (product_id, title, amount_fen, units) VALUES ('load-60', '60 coins', 600, 60)
     ON DUPLICATE KEY UPDATE units = 60`,
  );
  const customers: Customer[] = [];
  for (let index = 0; index < size.customers; index += 1) {
    const userId = newUserId();
    await write("INSERT INTO users (user_id, profile) VALUES (?, '{}')", [userId]);
    const { token, sessionId } = mintSession(app.appId, userId);
    const none = { live: [], replaces: undefined };
    await openSession(app.appId, { userId, version: 1 }, sessionId, { device: 'bench', ip: '' }, none);
    customers.push({ userId, session: token, ip: `10.1.${index >> 8}.${index & 255}`, credited: 0 });
  }

  function headersOf(method: string, path: string, options: CallOptions = {}): Record<string, string> {
    const text = options.body === undefined ? '' : JSON.stringify(options.body);
    const digest = createHash('sha256').update(text).digest('hex');
    return {
      'access-token': accessToken(app, method, path, digest),
      'x-forwarded-for': options.ip ?? options.customer?.ip ?? '10.0.0.1',
      ...(options.customer && { authorization: `Bearer ${options.customer.session}` }),
      ...(options.idempotencyKey && { 'idempotency-key': options.idempotencyKey }),
      ...(text && { 'x-content-sha256': digest, 'content-length': String(Buffer.byteLength(text)) }),
    };
  }

  function call(method: string, path: string, options: CallOptions = {}): Promise<CallAnswer> {
    const headers = options.headers ?? headersOf(method, path, options);
    const startedAt = performance.now();
    const done = (status: number, text = '', cache = ''): CallAnswer => {
      const milliseconds = performance.now() - startedAt;
      const body = text.startsWith('{') ? JSON.parse(text) : undefined;
      return { status, code: body?.code ?? '', cache, milliseconds, body };
    };
    return new Promise((resolve) => {
      const outgoing = request({ hostname, port, method, path, headers, agent, timeout: GIVE_UP_MS }, (incoming) => {
        let text = '';
        const cache = String(incoming.headers['x-cache'] ?? '');
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk) => {
          text += chunk;
        });
        incoming.on('end', () => resolve(done(incoming.statusCode ?? 0, text, cache)));
        incoming.on('error', () => resolve(done(0)));
      });
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', () => resolve(done(0)));
      outgoing.end(options.body === undefined ? undefined : JSON.stringify(options.body));
    });
  }

  async function notify(orderNo: string): Promise<boolean> {
    const notification = { orderNo, amountFen: 600, currency: 'CNY', transactionId: `t${orderNo}`, status: 'SUCCESS' };
    const text = JSON.stringify(notification);
    // A provider repeats its notification until it is confirmed.
    for (let attempt = 0; attempt < 120; attempt += 1) {
      const stamp = String(Math.floor(Date.now() / 1000));
      const headers = {
        'sandbox-timestamp': stamp,
        'sandbox-signature': sandboxSignature(served.env.SANDBOX_KEY ?? '', stamp, text),
        'content-length': String(Buffer.byteLength(text)),
      };
      const { status } = await call('POST', '/recharge/notify/sandbox', { headers, body: notification });
      if (status === 204 || status === 200) return true;
      if (status >= 400 && status < 500) return false;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return false;
  }

  return {
    customers,
    call,
    headersOf,
    readNotice: (id, customer) => call('GET', `/data/notice/${id}`, customer ? { customer } : {}),
    logIn: () =>
      call('POST', '/login', {
        body: { account: 'demo', password: 'demo-password-1' },
        ip: `10.2.${Math.floor(Math.random() * 256)}.${Math.floor(Math.random() * 256)}`,
      }),
    issuePluginToken: (customer) => call('POST', `/plugins/${PLUGIN}/token`, { customer }),
    async recharge(customer) {
      const body = { productId: 'load-60', provider: 'sandbox' };
      const order = await call('POST', '/recharge', {
        customer,
        idempotencyKey: randomBytes(12).toString('hex'),
        body,
      });
      if (order.status !== 201) return false;
      if (!(await notify(order.body.orderNo))) return false;
      customer.credited += 60;
      return true;
    },
    async stop() {
      agent.destroy();
      await pluginServer.stop();
    },
  };
}

/** Does the work of the schedule's first minutes: builds the existence filters, caches hot records. */
export async function settleSchedules(): Promise<void> {
  for (let run = 0; run < 20; run += 1) {
    const { filters } = await warmCache({ stopAt: Date.now() + 10_000, settleMs: 0 });
    if (Object.values(filters).every((step) => step === 'live' || step === 'swapped')) return;
  }
}

/** Signs as docs/signing.md says, for paths and bodies that need no encoding. */
export function accessToken(
  { appId, privateKey }: { appId: string; privateKey: string },
  method: string,
  path: string,
  bodyDigest: string,
): string {
  const timeStamp = String(Math.floor(Date.now() / 1000));
  const nonce = `n${randomBytes(12).toString('hex')}n`;
  const derived = createHmac('sha256', privateKey).update(`MPC2\n${appId}`).digest();
  const toSign = ['MPC2-HMAC-SHA256', appId, timeStamp, nonce, method, path, '', bodyDigest].join('\n');
  const signature = createHmac('sha256', derived).update(toSign).digest('hex');
  const token = { signatureMethod: 'HMAC-SHA256', AppID: appId, timeStamp, nonce, signature };
  return Buffer.from(JSON.stringify(token)).toString('base64');
}
