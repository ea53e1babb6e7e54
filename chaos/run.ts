import { setTimeout as sleep } from 'node:timers/promises';
import { startSelfHosted } from '../bench/self-hosted.ts';
import { type Customer, settleSchedules, startTraffic, type Traffic } from '../bench/traffic.ts';
import { startTogether } from '../serve/lifecycle/started.ts';
import { getResource } from '../shared/data/resources.ts';
import { putResource } from '../shared/data/write.ts';
import { EngineError } from '../shared/errors.ts';
import { auditLedger } from '../shared/recharge/audit.ts';
import type { ChaosWorld, Scenario } from './scenarios.ts';

export interface ScenarioResult {
  scenario: string;
  seconds: number;
  reads: number;
  readShare: number;
  /** From the fault to the first confirmed write after a failed one. null: no write failed. */
  writableAfterMs: number | null;
  recharges: number;
  writes: number;
  /** Number of reads for each kind of answer. */
  answers: Record<string, number>;
  problems: string[];
}

interface Chaos extends ChaosWorld {
  traffic: Traffic;
  stop(): Promise<void>;
}

const RECORDS = 10;
const FIRST_RECORD = 900_001;
const READERS = 8;
const SPENDERS = 3;
const notice = getResource('notice');
/** After this time the service must work again. It is longer than a tombstone and a circuit breaker last. */
const SETTLED_WITHIN_MS = 60_000;

export function startChaosWorld(): Promise<Chaos> {
  return startTogether(async (onStop) => {
    const served = await startSelfHosted({ ha: true, kept: true, schedules: true, log: () => {} });
    onStop(() => served.stop());
    const traffic = await startTraffic(served, { customers: 20 });
    onStop(() => traffic.stop());
    const ha = served.engines.highAvailability;
    if (!ha) throw new Error('the deployment has no replicas');
    return { served, traffic, ha, undo: [] };
  });
}

/** One record. Reads that begin after version `least` was confirmed must not return an older version. */
interface Known {
  id: number;
  tried: number;
  least: number;
}

export async function runScenario(
  world: Chaos,
  scenario: Scenario,
  seconds: number,
  say: (line: string) => void,
): Promise<ScenarioResult> {
  const { traffic } = world;
  const problems: string[] = [];
  const records = Array.from(
    { length: RECORDS },
    (_, index): Known => ({ id: FIRST_RECORD + index, tried: 0, least: 0 }),
  );
  for (const record of records) await putVersion(record);
  await settleSchedules();

  const tally = { reads: 0, good: 0, recharges: 0, writes: 0, answers: {} as Record<string, number> };
  const writing = { faultAt: 0, failedAt: 0, backAfterMs: null as number | null };
  let running = true;
  const noteWrite = (done: boolean) => {
    if (!writing.faultAt) return;
    if (!done) {
      writing.failedAt = performance.now();
      writing.backAfterMs = null;
    } else if (writing.failedAt && writing.backAfterMs === null) {
      writing.backAfterMs = performance.now() - writing.faultAt;
    }
  };
  const repeatedly = async (pauseMs: number, work: () => Promise<void>) => {
    while (running) {
      await work();
      await sleep(pauseMs);
    }
  };
  const anyone = () => traffic.customers[Math.floor(Math.random() * traffic.customers.length)] as Customer;

  const reader = () =>
    repeatedly(10, async () => {
      const record = records[Math.floor(Math.random() * RECORDS)] as Known;
      const { least } = record;
      const { status, code, cache, body } = await traffic.readNotice(record.id, anyone());
      if (writing.faultAt) {
        tally.reads += 1;
        if (status === 200) tally.good += 1;
        const name = [status, code, cache].filter(Boolean).join(' ');
        tally.answers[name] = (tally.answers[name] ?? 0) + 1;
      }
      if (code === 'LOGIN_EXPIRED' || code === 'SESSION_REVOKED') problems.push(`a session was lost: ${code}`);
      if (status === 404) problems.push(`record ${record.id} was not found (${cache})`);
      // A stale value is allowed while MySQL is down, if the answer says so.
      if (status === 200 && cache !== 'stale' && Number(body.title.slice(1)) < least) {
        problems.push(`record ${record.id} shows ${body.title} after v${least} was confirmed (${cache})`);
      }
    });
  const writer = () =>
    repeatedly(150, async () => {
      const done = await putVersion(records[Math.floor(Math.random() * RECORDS)] as Known);
      if (done) tally.writes += 1;
      noteWrite(done);
    });
  const buyer = () =>
    repeatedly(200, async () => {
      const done = await traffic.recharge(anyone());
      if (done) tally.recharges += 1;
      noteWrite(done);
    });

  const work = [
    ...Array.from({ length: READERS }, reader),
    ...Array.from({ length: SPENDERS }, buyer),
    writer(),
    repeatedly(1_000, async () => void (await traffic.logIn())),
  ];
  const quarter = (seconds * 1_000) / 4;
  await sleep(quarter);
  say('the fault begins');
  writing.faultAt = performance.now();
  await scenario.begin(world);
  await sleep(Math.max(0, quarter - (performance.now() - writing.faultAt)));
  say('the fault ends');
  await scenario.end(world);
  await sleep(2 * quarter);
  running = false;
  await Promise.all(work);

  problems.push(...(await finalChecks(world, records)));
  const readShare = tally.reads === 0 ? 0 : tally.good / tally.reads;
  if (readShare < scenario.readsAtLeast)
    problems.push(`only ${(readShare * 100).toFixed(2)} % of the reads were served`);
  return {
    scenario: scenario.name,
    seconds,
    ...tally,
    readShare,
    writableAfterMs: writing.failedAt ? writing.backAfterMs : null,
    problems: [...new Set(problems)].slice(0, 20),
  };

  async function putVersion(record: Known): Promise<boolean> {
    const version = record.tried + 1;
    record.tried = version;
    try {
      const members = { title: `v${version}`, body: 'chaos', publishedAt: '2026-11-24T00:00:00Z' };
      await putResource(notice, String(record.id), members);
      record.least = Math.max(record.least, version);
      return true;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      return false;
    }
  }
}

/** After the fault: the books agree, customers are logged in and have what they paid for, records are not old. */
async function finalChecks(world: Chaos, records: Known[]): Promise<string[]> {
  const { traffic } = world;
  const problems: string[] = [];
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const answer = await traffic.call('GET', '/balance', { customer: traffic.customers[0] as Customer });
    if (answer.status === 200) break;
    if (performance.now() > deadline) return ['the service did not work again within a minute'];
    await sleep(250);
  }
  for (const customer of traffic.customers) {
    const me = await traffic.call('GET', '/me', { customer });
    if (me.status !== 200) problems.push(`a customer is no longer logged in: ${me.status} ${me.code}`);
    const { status, body } = await traffic.call('GET', '/balance', { customer });
    if (status !== 200 || body.balance < customer.credited) {
      problems.push(`a customer has ${body?.balance} of ${customer.credited} units`);
    }
  }
  const { findings } = await auditLedger();
  for (const { invariant, what } of findings) problems.push(`the books: ${invariant} ${what}`);
  for (const { id, least } of records) {
    const { status, body, cache } = await traffic.readNotice(id);
    if (status !== 200 || Number(body.title.slice(1)) < least) {
      problems.push(`at the end record ${id} shows ${body?.title} for v${least} (${cache})`);
    }
  }
  return problems;
}
