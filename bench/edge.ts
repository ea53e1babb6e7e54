import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SelfHosted, startSelfHosted } from './self-hosted.ts';
import { settleSchedules, startTraffic, type Traffic } from './traffic.ts';

/**
 * Good calls beside attacks on what a caller holds before it has shown anything: call slots and connections. Everybody
 * is a direct client of serve. The attacker has one address, each good call has one of 200 others and its own
 * connection. All addresses are of 127.0.0.0/8, which only Linux gives to every program.
 */
export const suite = {
  name: 'edge',
  about: 'good calls beside half-sent requests and idle connections, through serve',
  run: () => measureEdge(10),
};

interface Row {
  attack: string;
  calls: number;
  served: number;
  p50: number;
  p99: number;
  /** Statuses of good calls that were not served. 0: no answer. */
  others: string;
}

interface Held {
  port: number;
  socket: Socket;
}

type Attack = (port: number) => { stop(): void };

const ATTACKER = '127.0.0.2';
const PER_SECOND = 60;
const GIVE_UP_MS = 5_000;
const LIMITS = { MAX_CONCURRENT: '256', MAX_CONNECTIONS: '200' };

const half = (path: string, header = '') =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\n${header}content-length: 1000\r\n\r\n{`;
const attacks: Record<string, Attack> = {
  none: () => ({ stop() {} }),
  '256 requests for an unknown route, half sent': (port) => hold(port, 256, half('/nowhere'), ' '),
  '256 logins with an invented token, half sent': (port) => hold(port, 256, half('/login', 'access-token: a\r\n'), ' '),
  '256 requests whose head is half sent': (port) => hold(port, 256, 'GET /health HTTP/1.1\r\nx-a: ', 'a'),
  '200 idle connections after one call each': (port) => hold(port, 200, 'GET /health HTTP/1.1\r\nhost: a\r\n\r\n', ''),
  '200 connections that send nothing': (port) => hold(port, 200, '', ''),
};

async function measureEdge(seconds: number): Promise<{ seconds: number; rows: Row[] }> {
  const served = await startSelfHosted({ ha: false, kept: false, schedules: false, serve: LIMITS, log: () => {} });
  const traffic = await startTraffic(served, { customers: 50 });
  try {
    await settleSchedules();
    await goodCalls(served, traffic, 3);
    const rows: Row[] = [];
    for (const [attack, begin] of Object.entries(attacks)) {
      console.error(`${attack} ...`);
      const { stop } = begin(Number(new URL(served.url).port));
      await sleep(1_000); // the attack is complete
      rows.push({ attack, ...(await goodCalls(served, traffic, seconds)) });
      stop();
      await sleep(1_000);
    }
    return { seconds, rows };
  } finally {
    await traffic.stop();
    await served.stop();
  }
}

/** Keeps `count` connections open, opens closed ones again, and sends `drip` on each of them every 2 s. */
function hold(port: number, count: number, begin: string, drip: string): { stop(): void } {
  const held = new Set<Held>();
  let stopped = false;
  const open = () => {
    if (stopped) return;
    const socket = connect({ port, host: '127.0.0.1', localAddress: ATTACKER });
    const entry = { port, socket };
    held.add(entry);
    socket.on('error', () => {});
    socket.on('connect', () => socket.write(begin));
    socket.resume();
    socket.on('close', () => {
      held.delete(entry);
      setTimeout(open, 100);
    });
  };
  for (let index = 0; index < count; index += 1) open();
  const dripping = setInterval(() => {
    if (drip) for (const { socket } of held) socket.write(drip);
  }, 2_000);
  return {
    stop() {
      stopped = true;
      clearInterval(dripping);
      for (const { socket } of held) socket.destroy();
    },
  };
}

async function goodCalls(served: SelfHosted, traffic: Traffic, seconds: number): Promise<Omit<Row, 'attack'>> {
  const startedAt = performance.now();
  const calls = Array.from({ length: seconds * PER_SECOND }, async (_, index) => {
    await sleep(startedAt + (index * 1000) / PER_SECOND - performance.now());
    return goodCall(served, traffic, index);
  });
  const answers = await Promise.all(calls);
  const times = answers.filter(({ status }) => status === 200).map(({ milliseconds }) => milliseconds);
  times.sort((a, b) => a - b);
  const at = (share: number) => Number((times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1));
  const others: Record<string, number> = {};
  for (const { status } of answers) if (status !== 200) others[status] = (others[status] ?? 0) + 1;
  const share = Number((times.length / answers.length).toFixed(3));
  return { calls: answers.length, served: share, p50: at(0.5), p99: at(0.99), others: JSON.stringify(others) };
}

function goodCall({ url }: SelfHosted, traffic: Traffic, index: number) {
  const customer = traffic.customers[index % traffic.customers.length];
  const path = `/data/notice/${1 + (index % 20)}`;
  const headers = traffic.headersOf('GET', path, customer ? { customer } : {});
  const localAddress = `127.0.1.${1 + (index % 200)}`;
  const startedAt = performance.now();
  return new Promise<{ status: number; milliseconds: number }>((resolve) => {
    const done = (status: number) => resolve({ status, milliseconds: performance.now() - startedAt });
    const outgoing = request(url + path, { headers, localAddress, agent: false, timeout: GIVE_UP_MS }, (answer) => {
      answer.resume();
      answer.on('end', () => done(answer.statusCode ?? 0));
      answer.on('error', () => done(0));
    });
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => done(0));
    outgoing.end();
  });
}
