import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { type SelfHosted, startSelfHosted } from './self-hosted.ts';
import { type CallAnswer, type Customer, settleSchedules, startTraffic, type Traffic } from './traffic.ts';

/**
 * The built functions under load, in the processes of a self-hosted deployment: serve, gateway, Redis, MySQL. This
 * process makes the calls, on the same machine and its cores.
 */
interface Phase {
  name: string;
  perSecond: number;
  p50: number;
  p99: number;
  /** Share of successful calls, of all calls of good users. */
  ok: number;
  redisPerCall: number;
  mysqlPerCall: number;
  /** CPU milliseconds for each call, by process. */
  cpuMs: { load: number; serve: number; gateway: number; redis: number };
  serveMegabytes: number;
}

export const suite = {
  name: 'load',
  about: 'warm reads, mixed traffic and an attack, through serve, gateway and engines',
  run: () => reportLoad(10),
};

const CUSTOMERS = 50;
const PARALLEL = 32;
const NOTICES = 20;

async function measureLoad({ seconds = 10 }: { seconds?: number } = {}) {
  const served = await startSelfHosted({ ha: false, kept: false, schedules: false, log: () => {} });
  const traffic = await startTraffic(served, { customers: CUSTOMERS });
  try {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
    const read = () => traffic.readNotice(1 + Math.floor(Math.random() * NOTICES), pick(traffic.customers));
    const mixed = async (): Promise<CallAnswer> => {
      const draw = Math.random();
      if (draw < 0.9) return read();
      if (draw < 0.91) return traffic.logIn();
      if (draw < 0.95) return traffic.issuePluginToken(pick(traffic.customers));
      if (draw < 0.97) return timed(async () => ((await traffic.recharge(pick(traffic.customers))) ? 201 : 429));
      return traffic.call('GET', '/balance', { customer: pick(traffic.customers) });
    };
    await settleSchedules();
    await measure(served, { name: 'warm-up', seconds: 3, work: read });
    const constant = await measureConstant(seconds, traffic);
    const warm = await measure(served, { name: 'warm authenticated reads', seconds, work: read });
    const mix = await measure(served, { name: 'mixed: 90 % reads', seconds, work: mixed });
    const alone = await measure(served, {
      name: 'good traffic alone, 60 calls a second',
      seconds,
      work: read,
      rate: 60,
    });
    const attack = attacker(traffic, seconds);
    const attacked = await measure(served, {
      name: 'the same during an attack',
      seconds,
      work: read,
      rate: 60,
      during: attack.run,
    });
    return {
      seconds,
      rows: [constant, warm, mix, alone, attacked],
      ratioToConstant: warm.perSecond / constant.perSecond,
      attack: { perSecond: attack.calls / seconds, answers: attack.answers, mysqlShare: attack.share(attacked) },
      keptShare: attacked.perSecond / alone.perSecond,
    };
  } finally {
    await traffic.stop();
    await served.stop();
  }
}

/** 16 callers as fast as possible: random ids, replays of a call, password guesses, invented sessions. */
function attacker(traffic: Traffic, seconds: number) {
  const answers: Record<string, number> = {};
  const random = () => 1_000_000 + Math.floor(Math.random() * 1e12);
  const customer = traffic.customers[0] as Customer;
  const replayed = traffic.headersOf('GET', '/data/notice/1', { customer });
  const invented = { authorization: `Bearer s1.${'A'.repeat(22)}.${'B'.repeat(43)}` };
  const guess = () => ({ account: 'demo', password: `guess-${random()}` });
  const shapes: Array<[callers: number, call: () => Promise<CallAnswer>]> = [
    [6, () => traffic.call('GET', `/data/notice/${random()}`, { ip: '172.16.0.1' })],
    [4, () => traffic.call('GET', `/data/service/${random()}`, { ip: '172.16.0.2' })],
    [2, () => traffic.call('GET', '/data/notice/1', { headers: replayed })],
    [2, () => traffic.call('GET', '/me', { headers: { ...traffic.headersOf('GET', '/me'), ...invented } })],
    [2, () => traffic.call('POST', '/login', { body: guess(), ip: '172.16.0.3' })],
  ];
  const attack = {
    calls: 0,
    answers,
    async run(until: number): Promise<void> {
      const one = async (call: () => Promise<CallAnswer>) => {
        while (performance.now() < until) {
          const { status, code } = await call();
          const name = `${status} ${code}`.trim();
          answers[name] = (answers[name] ?? 0) + 1;
          attack.calls += 1;
        }
      };
      await Promise.all(shapes.flatMap(([callers, call]) => Array.from({ length: callers }, () => one(call))));
    },
    /** Requests to MySQL for each call of the attack. Good reads cause almost none. */
    share: ({ mysqlPerCall, perSecond }: Phase) =>
      attack.calls === 0 ? 0 : (mysqlPerCall * perSecond * seconds) / attack.calls,
  };
  return attack;
}

async function timed(work: () => Promise<number>): Promise<CallAnswer> {
  const startedAt = performance.now();
  const status = await work();
  return { status, code: '', cache: '', milliseconds: performance.now() - startedAt, body: undefined };
}

async function measure(
  served: SelfHosted,
  phase: {
    name: string;
    seconds: number;
    work: () => Promise<CallAnswer>;
    /** Calls in a second (default: as many as 32 callers can make). */
    rate?: number;
    during?: (until: number) => Promise<void>;
  },
): Promise<Phase> {
  console.error(`${phase.name} ...`);
  const before = await snapshot(served);
  const startedAt = performance.now();
  const until = startedAt + phase.seconds * 1000;
  const latencies: number[] = [];
  let ok = 0;
  const one = async () => {
    const { status, milliseconds } = await phase.work();
    latencies.push(milliseconds);
    if (status >= 200 && status < 300) ok += 1;
  };
  const closed = async () => {
    while (performance.now() < until) await one();
  };
  const open = async (rate: number) => {
    const running: Promise<void>[] = [];
    for (let index = 0; performance.now() < until; index += 1) {
      const wait = startedAt + (index * 1000) / rate - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      running.push(one());
    }
    await Promise.all(running);
  };
  const callers = phase.rate ? [open(phase.rate)] : Array.from({ length: PARALLEL }, closed);
  await Promise.all([...callers, phase.during?.(until)]);
  const took = (performance.now() - startedAt) / 1000;
  const after = await snapshot(served);
  const calls = latencies.length;
  const each = (name: keyof typeof after) => (after[name] - before[name]) / calls;
  return {
    name: phase.name,
    perSecond: ok / took,
    ...percentiles(latencies),
    ok: ok / calls,
    redisPerCall: each('redisRequests'),
    mysqlPerCall: each('mysqlRequests'),
    cpuMs: { load: each('load'), serve: each('serve'), gateway: each('gateway'), redis: each('redis') },
    serveMegabytes: after.serveBytes / 1e6,
  };
}

function percentiles(latencies: number[]): { p50: number; p99: number } {
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

/** CPU in milliseconds of each process, and what the gateways counted. */
async function snapshot({ gateway, front, gatewayUrls, adminUrl, engines }: SelfHosted) {
  const counter = async (url: string, name: string) =>
    Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1] ?? 0);
  const { user, system } = process.cpuUsage();
  return {
    redisRequests: await counter(gatewayUrls.redis, 'gateway_upstash_requests_total'),
    mysqlRequests: await counter(gatewayUrls.mysql, 'planetscale_gateway_requests_total'),
    serveBytes: await counter(adminUrl, 'miniapp_process_resident_bytes'),
    load: (user + system) / 1000,
    serve: cpuMilliseconds(front.pid()),
    gateway: cpuMilliseconds(gateway.pid()),
    redis: engines.redisPid ? cpuMilliseconds(engines.redisPid) : 0,
  };
}

/** 0: the system has no /proc. */
function cpuMilliseconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

/** The cost of the harness: the same calls with signatures, to a server that answers 300 constant bytes. */
async function measureConstant(seconds: number, traffic: Traffic): Promise<Phase> {
  const body = JSON.stringify({ id: '1', title: 'constant', body: 'x'.repeat(250) });
  const server = createServer((incoming, response) => {
    incoming.resume();
    response.setHeader('content-type', 'application/json');
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const until = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  const customer = traffic.customers[0] as Traffic['customers'][number];
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const startedAt = performance.now();
      const headers = traffic.headersOf('GET', '/data/notice/1', { customer });
      const outgoing = request({ port, host: '127.0.0.1', path: '/data/notice/1', headers, agent }, (incoming) => {
        incoming.resume();
        incoming.on('end', () => {
          latencies.push(performance.now() - startedAt);
          resolve();
        });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  const callers = Array.from({ length: PARALLEL }, async () => {
    while (performance.now() < until) await one();
  });
  await Promise.all(callers);
  agent.destroy();
  server.close();
  const none = { load: 0, serve: 0, gateway: 0, redis: 0 };
  const perSecond = latencies.length / seconds;
  const rest = { ok: 1, redisPerCall: 0, mysqlPerCall: 0, cpuMs: none, serveMegabytes: 0 };
  return { name: 'the harness answering a constant', perSecond, ...percentiles(latencies), ...rest };
}

async function reportLoad(seconds: number) {
  const result = await measureLoad({ seconds });
  for (const row of result.rows) {
    const { load, serve, gateway, redis } = row.cpuMs;
    const cpu = [load, serve, gateway, redis].map((value) => value.toFixed(2)).join(' ');
    console.log(
      `${row.perSecond.toFixed(0).padStart(6)}/s  p50 ${row.p50.toFixed(1)} ms  p99 ${row.p99.toFixed(1)} ms  ` +
        `ok ${(row.ok * 100).toFixed(1)} %  redis ${row.redisPerCall.toFixed(2)}  mysql ${row.mysqlPerCall.toFixed(3)}  ` +
        `cpu ms load/serve/gateway/redis ${cpu}  ${row.serveMegabytes.toFixed(0)} MB  ${row.name}`,
    );
  }
  const { perSecond, answers, mysqlShare } = result.attack;
  console.log(`ratio to the constant ${result.ratioToConstant.toFixed(2)}`);
  console.log(`attack ${perSecond.toFixed(0)}/s ${JSON.stringify(answers)}`);
  console.log(
    `MySQL saw ${(mysqlShare * 100).toFixed(2)} % of the attack; good traffic kept ${(result.keptShare * 100).toFixed(0)} %`,
  );
  return result;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const at = process.argv.indexOf('--seconds');
  const result = await reportLoad(at > 0 ? Number(process.argv[at + 1]) : 10);
  if (process.argv.includes('--json')) console.log(JSON.stringify(result));
}
