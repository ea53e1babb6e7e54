import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseTaskError, type Execute, engineErrno } from './execute.ts';

const CLAIM_SECONDS = 60;
const WAIT_SECONDS = 600;
const LOCK_CONFLICTS = new Set([1205, 1213]);

/**
 * Runs `work` while only this process holds the claim. The claim is a row with an end. GET_LOCK is not used, because
 * behind the HTTP protocol and a pooler a lock would belong to a connection that nobody keeps. A live process renews
 * its claim; the claim of a crashed process ends within a minute. `hold` throws if the claim was lost, e.g. because the
 * machine slept.
 */
export async function withMigrationClaim<T>(
  execute: Execute,
  log: (line: string) => void,
  work: (hold: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const holder = `${hostname().slice(0, 40)}:${process.pid}:${randomUUID()}`;
  await execute(`CREATE TABLE IF NOT EXISTS schema_migration_claim (
    id TINYINT NOT NULL,
    holder VARCHAR(120) NOT NULL,
    ends_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (id)
  ) DEFAULT CHARSET = utf8mb4`);
  await waitForClaim(execute, holder, log);
  const heartbeat = setInterval(() => void take(execute, holder).catch(() => {}), (CLAIM_SECONDS * 1000) / 4);
  try {
    return await work(async () => {
      if ((await take(execute, holder)) !== holder) {
        throw new DatabaseTaskError('Another migrator took over while this one was stopped. Run the command again.');
      }
    });
  } finally {
    clearInterval(heartbeat);
    // If the release fails, the next run waits up to a minute. The failure must not hide the result of this run.
    await execute("UPDATE schema_migration_claim SET holder = '', ends_at = NOW(3) WHERE id = 1 AND holder = ?", [
      holder,
    ]).catch(() => {});
  }
}

async function waitForClaim(execute: Execute, holder: string, log: (line: string) => void): Promise<void> {
  const giveUpAt = Date.now() + WAIT_SECONDS * 1000;
  for (let waited = false; ; waited = true) {
    const current = await take(execute, holder);
    if (current === holder) return;
    const [host, pid] = current.split(':');
    const other = current === '' ? 'another migrator' : `the migrator with process id ${pid} on ${host}`;
    if (Date.now() > giveUpAt) throw new DatabaseTaskError(`Gave up: ${other} is still running. Try again later.`);
    if (!waited) log(`waiting for ${other} (the claim of a crashed one ends within ${CLAIM_SECONDS} s)`);
    await sleep(250);
  }
}

/** Takes or renews the claim if it is free, ended or ours. Returns its holder, '' if unknown. */
async function take(execute: Execute, holder: string): Promise<string> {
  try {
    await execute(
      `UPDATE schema_migration_claim SET holder = ?, ends_at = DATE_ADD(NOW(3), INTERVAL ${CLAIM_SECONDS} SECOND)
       WHERE id = 1 AND (holder = ? OR ends_at <= NOW(3))`,
      [holder, holder],
    );
    const [row] = await execute('SELECT holder FROM schema_migration_claim WHERE id = 1');
    if (row) return String(row.holder);
    await execute("INSERT INTO schema_migration_claim (id, holder) VALUES (1, '') ON DUPLICATE KEY UPDATE id = id");
    return take(execute, holder);
  } catch (error) {
    if (LOCK_CONFLICTS.has(engineErrno(error) ?? 0)) return '';
    throw error;
  }
}
