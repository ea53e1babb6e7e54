import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { query } from '../shared/db.ts';
import { proveDeployment } from '../shared/deployment.ts';
import { type Audit, auditLedger, type Finding } from '../shared/recharge/audit.ts';
import { findEngines } from './environment.ts';
import { sentenceFor } from './sentence.ts';

const help = `npm run audit-ledger -- [--data DIR] [--json]

Checks the invariants I1 to I10 of docs/recharge.md in the whole database: every payment is credited once, no wallet has
a gap, no refund is larger than the payment. It only reads. It works on the folder of --data; without --data on the
deployed stage of the environment, otherwise on the "npm run dev" of this checkout. --json prints one JSON line last.
Exit code: 0 the books agree, 1 they do not or could not be read, 2 wrong usage.`;

/** A change that runs now may look like a fault for a moment. So only findings of both checks are reported. */
const BETWEEN_CHECKS_MS = 3_000;

async function audit(): Promise<Audit> {
  const first = await auditLedger();
  if (first.findings.length === 0) return first;
  await sleep(BETWEEN_CHECKS_MS);
  const second = await auditLedger();
  const name = ({ what, subject }: Finding): string => `${what} ${subject}`;
  const before = new Set(first.findings.map(name));
  return { ...second, findings: second.findings.filter((finding) => before.has(name(finding))) };
}

function report({ orders, entries, refunds, findings }: Audit): void {
  for (const { invariant, what, subject } of findings) console.log(`${invariant.padEnd(4)}${subject}: ${what}`);
  const checked = `orders: ${orders}, ledger entries: ${entries}, refunds: ${refunds}`;
  console.log(findings.length === 0 ? `the books agree (${checked})` : `findings: ${findings.length} (${checked})`);
}

async function main(): Promise<number> {
  const options = { help: { type: 'boolean' }, json: { type: 'boolean' }, data: { type: 'string' } } as const;
  let given: { help?: boolean; json?: boolean; data?: string };
  try {
    given = parseArgs({ options }).values;
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
    const result = await audit();
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
