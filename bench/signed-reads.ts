import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createPublicApp } from '../shared/app/public-app.ts';
import { openSession } from '../shared/session/open-session.ts';
import { mintSessionName } from '../shared/session/token.ts';
import { startSelfHosted } from './self-hosted.ts';
import { type CallAnswer, settleSchedules, startTraffic } from './traffic.ts';

/**
 * The same cached reads, signed in two ways: with the key of an app and a bearer token (v2), and by the session of a
 * public app (v3). Short rounds in turn, so that other work of the machine affects both equally.
 */
export const suite = {
  name: 'signed-reads',
  about: 'cached reads signed with a key beside reads signed by a session, through serve, gateway and engines',
  run: () => compare(ROUNDS),
};

const ROUNDS = 12;
const ROUND_MS = 3_000;
const PARALLEL = 8;
const CUSTOMERS = 200;
const EMPTY = createHash('sha256').digest('hex');

interface Signer {
  appId: string;
  session: string;
  key: string;
  ip: string;
}

function headersOf({ appId, session, key, ip }: Signer, path: string): Record<string, string> {
  const timeStamp = String(Math.floor(Date.now() / 1000));
  const nonce = randomBytes(16).toString('hex');
  const text = ['MPC3-HMAC-SHA256', appId, session, timeStamp, nonce, 'GET', path, '', '', EMPTY].join('\n');
  const signature = createHmac('sha256', key).update(text).digest('hex');
  const token = { signatureMethod: 'SESSION-HMAC-SHA256', AppID: appId, session, timeStamp, nonce, signature };
  return { 'access-token': Buffer.from(JSON.stringify(token)).toString('base64'), 'x-forwarded-for': ip };
}

async function compare(rounds: number): Promise<object> {
  const served = await startSelfHosted({ ha: false, kept: false, schedules: false, log: () => {} });
  const traffic = await startTraffic(served, { customers: CUSTOMERS });
  try {
    const wanted = { name: 'mini', open: ['wechat'], scopes: ['data:read'], plugins: null } as const;
    const { appId } = await createPublicApp(wanted, 'bench');
    const signers: Signer[] = [];
    for (const { userId, ip } of traffic.customers) {
      const { session, sessionId } = mintSessionName(userId);
      const none = { live: [], replaces: undefined };
      await openSession(appId, { userId, version: 1 }, sessionId, { device: 'bench', ip: '' }, none);
      const secret = Buffer.from(served.env.SIGNING_KEY ?? '', 'hex');
      const key = createHmac('sha256', secret).update(`MPC3\n${appId}\n${session}`).digest('base64url');
      signers.push({ appId, session, key, ip });
    }
    const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    const id = (): number => 1 + Math.floor(Math.random() * 20);
    const reads = {
      'v2 and bearer': () => traffic.readNotice(id(), pick(traffic.customers)),
      v3: () => {
        const path = `/data/notice/${id()}`;
        return traffic.call('GET', path, { headers: headersOf(pick(signers), path) });
      },
    };
    await settleSchedules();
    for (const read of Object.values(reads)) await round(read);
    const perSecond: Record<string, number[]> = { 'v2 and bearer': [], v3: [] };
    for (let turn = 0; turn < rounds; turn++) {
      for (const [name, read] of Object.entries(reads)) perSecond[name]?.push(await round(read));
    }
    const median = (list: number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
    const medians = Object.fromEntries(Object.entries(perSecond).map(([name, list]) => [name, median(list)]));
    return { perSecond, medians, v3ToV2: (medians.v3 ?? 0) / (medians['v2 and bearer'] ?? 1) };
  } finally {
    await traffic.stop();
    await served.stop();
  }
}

/** Successful calls in a second. */
async function round(read: () => Promise<CallAnswer>): Promise<number> {
  const startedAt = performance.now();
  let passed = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < startedAt + ROUND_MS) {
      const { status, code } = await read();
      if (status === 200) passed++;
      // On a busy machine an engine may answer too late.
      else if (status !== 503 && status !== 429) throw new Error(`a read was refused: ${status} ${code}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, caller));
  return Math.round(passed / ((performance.now() - startedAt) / 1000));
}
