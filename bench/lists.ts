import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { admit } from '../shared/admission/admission.ts';
import type { CacheRead } from '../shared/admission/request.ts';
import type { ReadAnswer } from '../shared/cache/cache.ts';
import { listPage, pageReadOf, parseListQuery } from '../shared/data/list-page.ts';
import { loadPage, type PageRequest, pageStatement } from '../shared/data/list-statement.ts';
import { readOf, recordsFrom } from '../shared/data/records.ts';
import type { List, Resource } from '../shared/data/resource.ts';
import { getResource } from '../shared/data/resources.ts';
import { putResource } from '../shared/data/write.ts';
import { cpuMicroseconds } from './engines.ts';
import { type SelfHosted, startSelfHosted } from './self-hosted.ts';

/** List pages: CPU of the caller, loads with writes beside the reads, and pages in the middle of large tables. */
export const suite = {
  name: 'lists',
  about: 'list pages: CPU of a hit, loads with writes beside the reads, and large tables beside OFFSET',
  run,
};

const ROUNDS = 9;
const CALLS = 300;
const READS_PER_SECOND = 100;
const SECONDS = 10;
const WRITES_PER_SECOND = [0, 1, 5, 20, 50];
const SERVICES = 100;
const REVIEWS = 2_000;
const TABLES = [1_000, 100_000, 1_000_000];
const CALLER = { appId: 'bench', owner: '' };

const service = getResource('service');
const review = getResource('review');
const cheapest = { resource: service, query: { list: 'cheapest' } };
const ofService = { resource: review, query: { list: 'of-service', serviceId: '1' } };

async function run() {
  const served = await startSelfHosted({ ha: false, kept: false, schedules: false, log: () => {} });
  // A bench is about the order of magnitude: a busy machine must not end it.
  Object.assign(process.env, { REDIS_TIMEOUT_MS: '20000', MYSQL_TIMEOUT_MS: '20000' });
  const mysql = await createConnection({ ...served.engines.mysql, database: await databaseOf(served) });
  try {
    const hits = await measureHits();
    const writes = [];
    await fillReviews(mysql);
    for (const rate of WRITES_PER_SECOND) writes.push(await shareOfLoads(rate));
    const growth = [];
    for (const count of TABLES) growth.push(...(await measureGrowth(mysql, count)));
    return { ...hits, writes, growth };
  } finally {
    mysql.destroy();
    await served.stop();
  }
}

async function databaseOf({ engines }: SelfHosted): Promise<string> {
  const mysql = await createConnection({ ...engines.mysql });
  const [[row]] = await mysql.query<RowDataPacket[]>(
    "SELECT table_schema AS name FROM information_schema.tables WHERE table_name = 'services'",
  );
  mysql.destroy();
  return String(row?.name);
}

/** Admission without lock rules, as the function of a route calls it. */
async function admitted(reads: CacheRead[]): Promise<[leaseId: string, answers: readonly ReadAnswer[]]> {
  const requestId = randomUUID();
  const token = {
    appId: 'bench',
    keyId: 'k',
    signature: randomBytes(32).toString('hex'),
    nonce: requestId,
    timeStamp: Math.floor(Date.now() / 1000),
    version: 2 as const,
  };
  const targets = [{ name: 'GET /bench', rules: [] }];
  const admission = await admit({ requestId, token, unsafe: false, targets, identities: { app: 'bench' }, reads });
  if (admission.verdict !== 'admitted') throw new Error(admission.verdict);
  return [requestId, admission.reads];
}

async function readPage({ resource, query }: { resource: Resource; query: Record<string, string> }) {
  const asked = parseListQuery(resource, query);
  const [leaseId, [answer]] = await admitted([pageReadOf(resource, asked, CALLER)]);
  return listPage(leaseId, resource, asked, CALLER, answer);
}

async function readRecord(id: string) {
  const [leaseId, answers] = await admitted([readOf(service, id)]);
  return recordsFrom(leaseId, service, [id], answers);
}

const listOf = (resource: Resource, name: string): List => {
  const list = resource.lists?.find((each) => each.name === name);
  if (!list) throw new Error(`there is no list ${name}`);
  return list;
};

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** They take turns, because the speed of the machine changes. */
async function measureHits() {
  const request: PageRequest = { list: listOf(service, 'cheapest'), equals: [], size: 20, after: undefined };
  const ways = {
    'a record that is cached': () => readRecord('1'),
    'a page of 20 that is cached': () => readPage(cheapest),
    'the same page from MySQL, without admission': () => loadPage(service, request, true),
  };
  const { items } = await readPage(cheapest);
  const took = Object.keys(ways).map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, way] of Object.values(ways).entries()) took[i]?.push(await cpuMicroseconds(CALLS, way));
  }
  const [record = []] = took;
  const hits = Object.keys(ways).map((what, i) => ({
    what,
    'CPU us of the caller': median(took[i] ?? []),
    'to a record': Number(median((took[i] ?? []).map((us, round) => us / (record[round] ?? 1))).toFixed(2)),
  }));
  return { 'bytes of the page': JSON.stringify(items).length, hits };
}

async function fillReviews(mysql: Connection): Promise<void> {
  await mysql.query(
    `INSERT INTO reviews (id, user_id, service_id, stars, words, created_at)
     SELECT seq, 'bench', 1 + seq % ${SERVICES}, 5, 'good', NOW(3) - INTERVAL seq SECOND FROM seq_1_to_${REVIEWS}`,
  );
}

/** Random pauses, so that reads and writes do not keep step. */
async function atRate(perSecond: number, work: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + SECONDS * 1000;
  let next = performance.now();
  const running: Array<Promise<unknown>> = [];
  while (perSecond > 0) {
    next += (-Math.log(1 - Math.random()) * 1000) / perSecond;
    if (next >= until) break;
    await sleep(Math.max(0, next - performance.now()));
    running.push(work());
  }
  await Promise.all(running);
}

/** Writes go to all records alike. A page of the cut list ends by the writes to its own service alone. */
async function shareOfLoads(writes: number) {
  const share = async (page: typeof cheapest | typeof ofService, write: () => Promise<unknown>): Promise<string> => {
    let [reads, loads] = [0, 0];
    const read = async () => {
      const { cache } = await readPage(page);
      reads++;
      if (cache === 'miss') loads++;
    };
    await read();
    [reads, loads] = [0, 0];
    await Promise.all([atRate(READS_PER_SECOND, read), atRate(writes, write)]);
    return `${((100 * loads) / reads).toFixed(1)} % of ${reads}`;
  };
  const any = (count: number): number => 1 + Math.floor(Math.random() * count);
  const writeService = () => {
    const members = { name: 'bench', description: 'd', priceFen: 100_000 + any(1_000), category: 'other' };
    return putResource(service, String(any(SERVICES)), members);
  };
  const writeReview = () => {
    const id = any(REVIEWS);
    const members = { userId: 'bench', serviceId: String(1 + (id % SERVICES)), stars: any(5), words: 'changed' };
    return putResource(review, String(id), { ...members, createdAt: new Date(Date.now() - id * 1000).toISOString() });
  };
  return {
    'writes a second': writes,
    'reads that load, uncut': await share(cheapest, writeService),
    'reads that load, cut by service': await share(ofService, writeReview),
  };
}

/** A page in the middle, of records of which a thousandth each have the same price. */
async function measureGrowth(mysql: Connection, count: number) {
  await mysql.query('TRUNCATE TABLE services');
  await mysql.query(
    `INSERT INTO services (id, name, description, price_fen)
     SELECT seq, CONCAT('service ', seq), 'd', seq % 1000 FROM seq_1_to_${count}`,
  );
  const list = listOf(service, 'cheapest');
  const price = 500;
  const id = price + 1000 * Math.floor(count / 2000);
  const request: PageRequest = { list, equals: [], size: 20, after: undefined };
  const after = { depth: 1, id: String(Math.min(id, count)), value: String(price) };
  const [byOffset] = pageStatement(service, request);
  return [
    { records: count, page: 'first', ...(await examined(mysql, ...pageStatement(service, request))) },
    { records: count, page: 'middle', ...(await examined(mysql, ...pageStatement(service, { ...request, after }))) },
    { records: count, page: 'middle, by OFFSET', ...(await examined(mysql, `${byOffset} OFFSET ${count / 2}`, [])) },
  ];
}

async function examined(mysql: Connection, sql: string, values: unknown[]) {
  const took: number[] = [];
  let rows = 0;
  for (let i = 0; i < 7; i++) {
    await mysql.query('FLUSH STATUS');
    const startedAt = performance.now();
    await mysql.query(sql, values);
    took.push(performance.now() - startedAt);
    const [status] = await mysql.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Handler_read%'");
    rows = status.reduce((sum, { Value }) => sum + Number(Value), 0);
  }
  return { 'rows read': rows, ms: Number(median(took).toFixed(2)) };
}
