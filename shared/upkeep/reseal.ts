import { sealContext as appContext } from '../app/app.ts';
import { writeStrict } from '../cache/write.ts';
import { query, type Row, type SqlValue, write } from '../db.ts';
import { acceptMasterKey } from '../deployment.ts';
import type { Key } from '../keys.ts';
import { isMadeWithFormerKey, isSealedUnderFormerKey, SealError, seal, unseal } from '../master-key.ts';
import { logChange } from '../operator-log.ts';
import { sealContext as pluginContext } from '../plugin/directory.ts';
import { sealContext as merchantContext, merchantsRead } from '../recharge/merchant.ts';
import { appKey, miniProgramsKey, pluginsKey } from '../swept-keys.ts';
import { pushContext, secretContext } from '../wechat/mini-program.ts';
import { resealPhones } from './reseal-phones.ts';

/** After a change of MASTER_KEY: seals again all secrets that are sealed under a former key. */
interface SealedColumn {
  table: string;
  column: string;
  id: readonly string[];
  contextOf(row: Row): string;
  /** The keys of its copies in Redis. */
  keysOf(row: Row): Key[];
}

const pluginSecret = (column: string): SealedColumn => ({
  table: 'plugins',
  column,
  id: ['plugin_id'],
  contextOf: (row) => pluginContext(String(row.plugin_id)),
  keysOf: () => [pluginsKey()],
});

const miniProgramSecret = (column: string, contextOf: (wechatAppid: string) => string): SealedColumn => ({
  table: 'mini_programs',
  column,
  id: ['wechat_appid'],
  contextOf: (row) => contextOf(String(row.wechat_appid)),
  keysOf: () => [miniProgramsKey()],
});

const COLUMNS: readonly SealedColumn[] = [
  {
    table: 'app_keys',
    column: 'sealed_key',
    id: ['app_id', 'key_id'],
    contextOf: (row) => appContext(String(row.app_id), String(row.key_id)),
    keysOf: (row) => [appKey(String(row.app_id))],
  },
  pluginSecret('sealed_secret'),
  pluginSecret('sealed_old_secret'),
  {
    table: 'merchants',
    column: 'sealed_config',
    id: ['provider', 'merchant_id', 'provider_app_id'],
    contextOf: (row) => merchantContext(String(row.provider)),
    keysOf: () => [merchantsRead().key],
  },
  miniProgramSecret('sealed_secret', secretContext),
  miniProgramSecret('sealed_former_secret', secretContext),
  miniProgramSecret('sealed_push', pushContext),
];

const PHONES = 'identities.sealed';
const PAGE = 200;

interface ResealReport {
  /** Number of secrets that were sealed again, by table and column. */
  resealed: Record<string, number>;
  /** What no key of MASTER_KEY and MASTER_KEY_OLD can open, and phone numbers that two users have. Not changed. */
  unreadable: string[];
  /** AppIDs that only a former key can verify: it must stay in MASTER_KEY_OLD while they are in use. */
  appIdsOfFormerKeys: number;
}

/** It may be stopped and run again: what is already sealed under the new key is not changed. Throws EngineError. */
export async function resealAll(actor: string): Promise<ResealReport> {
  const report: ResealReport = { resealed: {}, unreadable: [], appIdsOfFormerKeys: 0 };
  // First, so that from now on no tool seals under the former key.
  await acceptMasterKey(query);
  for (const sealed of COLUMNS) {
    const name = `${sealed.table}.${sealed.column}`;
    report.resealed[name] = 0;
    for (let start = 0; ; start += PAGE) {
      const rows = await pageOf(sealed, start);
      for (const row of rows) await reseal(sealed, row, name, report);
      if (rows.length < PAGE) break;
    }
  }
  const phones = await resealPhones();
  report.resealed[PHONES] = phones.resealed;
  report.unreadable.push(...phones.failed.map((subject) => `${PHONES} of phone ${subject}`));
  const apps = await query('SELECT app_id FROM apps');
  report.appIdsOfFormerKeys = apps.filter((app) => isMadeWithFormerKey(String(app.app_id))).length;
  const { resealed, unreadable } = report;
  await logChange({ actor, action: 'master-key.reseal', subject: 'master-key', detail: { resealed, unreadable } });
  return report;
}

function pageOf({ table, column, id }: SealedColumn, start: number): Promise<Row[]> {
  const ids = id.join(', ');
  return query(
    `SELECT ${ids}, ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL ORDER BY ${ids} LIMIT ? OFFSET ?`,
    [PAGE, start],
  );
}

async function reseal(column: SealedColumn, row: Row, name: string, report: ResealReport): Promise<void> {
  const sealed = String(row.sealed);
  if (!isSealedUnderFormerKey(sealed)) return;
  let secret: string;
  try {
    secret = unseal(sealed, column.contextOf(row));
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    report.unreadable.push(`${name} of ${column.id.map((part) => row[part]).join(' ')}`);
    return;
  }
  const where = column.id.map((part) => `${part} = ?`).join(' AND ');
  const values: SqlValue[] = [
    seal(secret, column.contextOf(row)),
    ...column.id.map((part) => String(row[part])),
    sealed,
  ];
  // Only if the value is unchanged: a rotation at the same time has written a new secret.
  const { rowsAffected } = await writeStrict(column.keysOf(row), () =>
    write(`UPDATE ${column.table} SET ${column.column} = ? WHERE ${where} AND ${column.column} = ?`, values),
  );
  report.resealed[name] = (report.resealed[name] ?? 0) + rowsAffected;
}
