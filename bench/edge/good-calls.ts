import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Caller, call, loginOf } from './callers.ts';

/** Good calls at a steady rate: reads of public notices, of the own profile, and logins. */
export interface GoodCallers {
  readers: Caller[];
  /** A user has at most ten devices, so those who log in do not read. */
  newcomers: Caller[];
}

export interface GoodResult {
  served: number;
  p99: Record<'read' | 'profile' | 'login', number>;
  /** Statuses of the calls that were not served. 0: no answer within 5 s. */
  others: Record<string, number>;
}

/** A second. */
const RATE = { read: 50, profile: 10, login: 2 };
/** The address that the trusted proxy forwards, or the own address of a direct client. */
export type Way = 'direct' | 'proxy';

export async function goodCalls(url: string, good: GoodCallers, way: Way, seconds: number): Promise<GoodResult> {
  const { readers, newcomers } = good;
  const [reads, profiles, logins] = await Promise.all([
    atRate(seconds, RATE.read, (index) =>
      call(url, by(readers, index, way), { method: 'GET', path: `/data/notice/${1 + (index % 20)}` }),
    ),
    atRate(seconds, RATE.profile, (index) => call(url, by(readers, index, way), { method: 'GET', path: '/me' })),
    atRate(seconds, RATE.login, (index) => {
      const { session: _, ...newcomer } = by(newcomers, index, way);
      return call(url, newcomer, loginOf(newcomer));
    }),
  ]);
  const answers = [...reads, ...profiles, ...logins];
  const others: Record<string, number> = {};
  for (const { status } of answers) if (status !== 200) others[status] = (others[status] ?? 0) + 1;
  const served = answers.filter(({ status }) => status === 200).length / answers.length;
  return { served, p99: { read: p99(reads), profile: p99(profiles), login: p99(logins) }, others };
}

function by(callers: Caller[], index: number, way: Way): Caller {
  const { direct, ...others } = callers[index % callers.length] as Caller;
  if (way === 'proxy') return others;
  return { ...others, ...(direct && { direct }) };
}

function atRate(seconds: number, perSecond: number, make: (index: number) => Promise<Answer>): Promise<Answer[]> {
  const startedAt = performance.now();
  const calls = Array.from({ length: seconds * perSecond }, async (_, index) => {
    await sleep(startedAt + (index * 1000) / perSecond - performance.now());
    return make(index);
  });
  return Promise.all(calls);
}

/** Of all calls, also those that were not served: waiting in vain is no short time. */
function p99(answers: Answer[]): number {
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
  return times[Math.ceil(times.length * 0.99) - 1] ?? 0;
}
