import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { query } from '../shared/db.ts';
import { proveDeployment } from '../shared/deployment.ts';
import { type Audit, auditedUntil, auditLedger, databaseTime, markAudited } from '../shared/recharge/audit.ts';
import type { Finding } from '../shared/recharge/audit-checks.ts';
import { isDay } from '../shared/recharge/books/china-day.ts';
import { findEngines } from './environment.ts';
import { sentenceFor } from './sentence.ts';

const help = `npm run audit-ledger -- [--since DAY | --full] [--data DIR] [--json]

Checks the invariants of docs/recharge.md: every payment is credited once, no wallet has a gap or a missing end, no
refund is larger than the payment. It checks what changed since the last audit that found nothing, and the end of every
wallet. --full checks everything; the first audit does so, too. --since checks what changed from that day on
(2026-11-24, UTC). It changes no money and no order. It works on the folder of --data; without --data on the deployed
stage of the environment, otherwise on the "npm run dev" of this checkout. --json prints one JSON line last.
Exit code: 0 the books agree, 1 they do not or could not be read, 2 wrong usage.`;

/** A change that runs now may look like a fault for a moment. So only findings of both checks are reported. */
const BETWEEN_CHECKS_MS = 3_000;

async function audit(since: string | null): Promise<Audit> {
  const first = await auditLedger(since);
  if (first.findings.length === 0) return first;
  await sleep(BETWEEN_CHECKS_MS);
  const second = await auditLedger(since);
  const name = ({ what, subject }: Finding): string => `${what} ${subject}`;
  const before = new Set(first.findings.map(name));
  return { ...second, findings: second.findings.filter((finding) => before.has(name(finding))) };
}

function report({ since, orders, entries, refunds, findings }: Audit): void {
  for (const { invariant, what, subject } of findings) console.log(`${invariant.padEnd(4)}${subject}: ${what}`);
  const scope = since === null ? '' : `changed since ${since}: `;
  const checked = `${scope}orders: ${orders}, ledger entries: ${entries}, refunds: ${refunds}`;
  console.log(findings.length === 0 ? `the books agree (${checked})` : `findings: ${findings.length} (${checked})`);
}

interface Options {
  help?: boolean;
  json?: boolean;
  data?: string;
  since?: string;
  full?: boolean;
}

/** Throws an Error whose message is for the operator. */
function readOptions(): Options {
  const options = {
    help: { type: 'boolean' },
    json: { type: 'boolean' },
    data: { type: 'string' },
    since: { type: 'string' },
    full: { type: 'boolean' },
  } as const;
  const given = parseArgs({ options }).values;
  if (given.since !== undefined && given.full) throw new Error('--since and --full contradict each other.');
  if (given.since !== undefined && !isDay(given.since)) throw new Error('--since takes a day such as 2026-11-24.');
  return given;
}

/** An audit of what changed moves the mark; an audit since a day of the operator's choice may leave a gap behind it. */
async function auditAndMark({ since, full }: Options): Promise<Audit> {
  if (since !== undefined) return audit(new Date(since).toISOString());
  const begunAt = await databaseTime();
  const result = await audit(full ? null : await auditedUntil());
  if (result.findings.length === 0) await markAudited(begunAt);
  return result;
}

async function main(): Promise<number> {
  let given: Options;
  try {
    given = readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : 'Wrong usage.'}\n\n${help}`);
    return 2;
  }
  if (given.help) {
    console.log(help);
    return 0;
  }
  try {
    console.error(`on ${(await findEngines(given.data)).where}`);
    await proveDeployment(query);
    // It reads whole tables, which takes longer than a function may wait.
    process.env.MYSQL_TIMEOUT_MS = '600000';
    const result = await auditAndMark(given);
    report(result);
    if (given.json) console.log(JSON.stringify({ ok: result.findings.length === 0, ...result }));
    return result.findings.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(sentenceFor(error));
    if (given.json) console.log(JSON.stringify({ ok: false, error: sentenceFor(error) }));
    return 1;
  }
}

process.exitCode = await main();
