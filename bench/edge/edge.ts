import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { closeRedis, connectRedis } from '../../gateway/upstash/redis-connection.ts';
import { type SelfHosted, startSelfHosted } from '../self-hosted.ts';
import { attacks, type RunningAttack } from './attacks.ts';
import { type Caller, call, createKeys, enrol } from './callers.ts';
import { type GoodCallers, type GoodResult, goodCalls, type Way } from './good-calls.ts';

const help = `npm run bench -- edge [--checkout DIR] [--seconds N] [--json]

Good calls (50 reads, 10 GET /me and 2 logins a second) beside attacks from one address, through serve. Takes about 3 minutes.

  --checkout DIR  serve, gateway and commands of this folder, such as an older version; it needs its node_modules and
                  dist (npm ci && npm run build). Default: this folder
  --seconds N     how long each attack is measured (default 10)

served          share of the good calls that were answered 200 within 5 s
p99             of the good calls, served or not; x: compared with "none" of the same way
refused         share of the attack's calls that a limit refused (429), while nobody else calls
bytes per call  growth of the data in Redis for each of those calls

Good calls come from 200 addresses of 127.0.0.0/8, which only Linux gives to every program, or through a trusted proxy.`;

export const suite = {
  name: 'edge',
  about: 'good calls beside attacks from one address, through serve (--help)',
  help,
  run: () => {
    const { values } = parseArgs({
      args: process.argv.slice(3),
      options: {
        checkout: { type: 'string', default: '.' },
        seconds: { type: 'string', default: '10' },
        json: { type: 'boolean' },
      },
    });
    return measureEdge(resolve(values.checkout), Number(values.seconds));
  },
};

interface Row {
  attack: string;
  way: Way;
  served: string;
  'read p99': string;
  '/me p99': string;
  'login p99': string;
  'not served': string;
  refused: string;
  'bytes per call': string;
}

const READERS = 20;
const NEWCOMERS = 20;
const ALONE_SECONDS = 3;
const LIMITS = { MAX_CONCURRENT: '256', MAX_CONNECTIONS: '200' };

async function measureEdge(checkout: string, seconds: number) {
  const options = { ha: false, kept: false, schedules: false, serve: LIMITS, checkout };
  const served = await startSelfHosted({ ...options, log: () => {} });
  try {
    const { good, attacker } = await enrolAll(served, checkout);
    const quiet = new Map<Way, GoodResult>();
    await goodCalls(served.url, good, 'direct', 3);
    const perSecond = await capacity(served.url, good.readers);
    const rows: Row[] = [];
    for (const [attack, way] of phases()) {
      console.error(`${attack} (${way}) ...`);
      const running = attacks[attack]?.({ url: served.url, attacker, perSecond });
      if (!running) throw new Error(attack);
      await sleep(1_000); // the attack is complete
      const result = await goodCalls(served.url, good, way, seconds);
      if (!quiet.has(way)) quiet.set(way, result);
      const alone = await attackAlone(served, running);
      rows.push(rowOf(attack, way, result, quiet.get(way) ?? result, alone));
      await running.stop();
      await sleep(1_000);
    }
    return { checkout, seconds, 'reads a second, quiet': Math.round(perSecond), rows };
  } finally {
    await served.stop();
  }
}

/** Attacks on connections come from direct clients, as good calls then do. The others come through a proxy. */
function phases(): [string, Way][] {
  const isProxied = (attack: string) => /logins at once|v1/.test(attack);
  const direct = Object.keys(attacks).filter((attack) => !isProxied(attack));
  const proxied = Object.keys(attacks).filter(isProxied);
  return [
    ...direct.map((attack): [string, Way] => [attack, 'direct']),
    ...['none', ...proxied].map((attack): [string, Way] => [attack, 'proxy']),
  ];
}

async function enrolAll(served: SelfHosted, checkout: string): Promise<{ good: GoodCallers; attacker: Caller }> {
  const keys = await createKeys(served, checkout, 'good');
  // One after the other: each of them costs two password hashes.
  const callers = async (count: number, network: number): Promise<Caller[]> => {
    const enrolled: Caller[] = [];
    for (let host = 1; host <= count; host += 1) {
      const caller = { keys, direct: `127.0.${network}.${host}`, forwarded: `198.18.${network}.${host}` };
      enrolled.push(await enrol(served.url, caller, `user-${network}-${host}`));
    }
    return enrolled;
  };
  const [readers, newcomers] = await Promise.all([callers(READERS, 1), callers(NEWCOMERS, 2)]);
  const stranger = { keys: await createKeys(served, checkout, 'attacker'), forwarded: '203.0.113.7' };
  return { good: { readers, newcomers }, attacker: await enrol(served.url, stranger, 'attacker-1') };
}

/** Reads a second with 16 callers that wait for their answers. */
async function capacity(url: string, readers: Caller[]): Promise<number> {
  const until = performance.now() + 3_000;
  let answered = 0;
  const loops = readers.slice(0, 16).map(async (reader) => {
    for (let index = 0; performance.now() < until; index += 1) {
      const { direct: _, ...proxied } = reader;
      const { status } = await call(url, proxied, { method: 'GET', path: `/data/notice/${1 + (index % 20)}` });
      if (status === 200) answered += 1;
    }
  });
  await Promise.all(loops);
  return answered / 3;
}

interface Alone {
  made: number;
  refused: number;
  bytes: number;
}

/** Nothing but the attack runs, so that what Redis stores is its own. */
async function attackAlone({ engines }: SelfHosted, attack: RunningAttack): Promise<Alone> {
  const redis = connectRedis(engines.redis);
  const dataBytes = async () => {
    const text = String(await redis.info('memory'));
    return Number(/used_memory_dataset:(\d+)/.exec(text)?.[1]);
  };
  await sleep(500);
  const [before, callsBefore] = [await dataBytes(), attack.calls()];
  await sleep(ALONE_SECONDS * 1_000);
  const [after, callsAfter] = [await dataBytes(), attack.calls()];
  closeRedis(redis);
  return {
    made: callsAfter.made - callsBefore.made,
    refused: callsAfter.refused - callsBefore.refused,
    bytes: after - before,
  };
}

function rowOf(attack: string, way: Way, result: GoodResult, quiet: GoodResult, alone: Alone): Row {
  const p99 = (kind: keyof GoodResult['p99']) =>
    `${result.p99[kind].toFixed(0)} ms, x${(result.p99[kind] / quiet.p99[kind]).toFixed(1)}`;
  return {
    attack,
    way,
    served: `${(result.served * 100).toFixed(1)} %`,
    'read p99': p99('read'),
    '/me p99': p99('profile'),
    'login p99': p99('login'),
    'not served': JSON.stringify(result.others),
    refused: alone.made === 0 ? '-' : `${((100 * alone.refused) / alone.made).toFixed(0)} % of ${alone.made}`,
    'bytes per call': alone.made === 0 ? '-' : (alone.bytes / alone.made).toFixed(0),
  };
}
