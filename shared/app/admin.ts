import { randomBytes } from 'node:crypto';
import { appOffKey } from '../admission/app-off.ts';
import { ignoreEngine, writeStrict, writeThrough } from '../cache/write.ts';
import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError, EngineError } from '../errors.ts';
import { mintAppId, seal } from '../master-key.ts';
import { type OperatorChange, operatorLogStatement } from '../operator-log.ts';
import { batch, deleteKeys } from '../redis.ts';
import { appKey, userFieldsKey } from '../swept-keys.ts';
import { type AppMethod, PUBLIC_SIDE, SESSION_METHOD, type SignatureMethod } from './access-token.ts';
import { type ClientSpend, type OpenScope, type Scope, sealContext } from './app.ts';
import { checkUserFieldsSchema } from './user-fields.ts';

/** Operators' commands for apps (row A2 (AppID)). Functions do not import this file; they read apps through app.ts. */
export interface NewApp {
  name: string;
  methods: readonly AppMethod[];
  scopes: ReadonlyArray<Scope | OpenScope>;
  /** Plugins it may issue tokens for; null: all. */
  plugins: readonly string[] | null;
  /** The one plugin whose tokens it validates; null: it is not the app of a plugin server. */
  validates: string | null;
  /** What its users may spend by themselves. Without it: priced items. */
  clientSpend?: ClientSpend;
  /** For a server app: the app whose wallets it works on. Without it: its own. */
  actsFor?: string | null;
}

export interface IssuedApp {
  appId: string;
  /** Shown only once. It is stored sealed, and no command shows it again. */
  privateKey: string;
}

/**
 * The defaults of a new app, without MD5, which is too weak. The scopes are what a mini-program needs: every other
 * scope, and every new one, is given by name only.
 */
export const NEW_METHODS: readonly SignatureMethod[] = ['SHA1', 'HMAC-SHA256'];
export const NEW_SCOPES: readonly Scope[] = ['login', 'register', 'plugin:issue', 'data:read', 'data:own', 'recharge'];

/** 256 random bits as text. It does not begin with a dash, because a command line would read it as an option. */
export const newPrivateKey = (): string => randomBytes(32).toString('base64url').replace(/^[-_]/, 'k');

/** Returns the AppID. */
export async function insertAppRow(transaction: Transaction, app: NewApp): Promise<string> {
  const appId = mintAppId();
  await transaction.write(
    `INSERT INTO apps (app_id, name, methods, scopes, plugins, validates, client_spend, acts_for)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      appId,
      app.name,
      app.methods.join(','),
      app.scopes.join(','),
      app.plugins?.join(',') ?? null,
      app.validates,
      app.clientSpend ?? 'items',
      app.actsFor ?? null,
    ],
  );
  return appId;
}

/** The two statements of a new app with a key. The caller's transaction may do more. */
export async function insertApp(transaction: Transaction, app: NewApp): Promise<IssuedApp> {
  const appId = await insertAppRow(transaction, app);
  const privateKey = newPrivateKey();
  await transaction.write('INSERT INTO app_keys (app_id, key_id, sealed_key) VALUES (?, ?, ?)', [
    appId,
    'k1',
    seal(privateKey, sealContext(appId, 'k1')),
  ]);
  return { appId, privateKey };
}

/** Throws NOT_FOUND, INVALID_INPUT for an app to act for that does not exist, or that acts for another one itself. */
export function createApp(app: NewApp, actor: string): Promise<IssuedApp> {
  return withTransaction(async (transaction) => {
    if (app.actsFor) await checkActsFor(app.actsFor, transaction);
    const issued = await insertApp(transaction, app);
    const { name, methods, scopes, clientSpend, actsFor } = app;
    const detail = { name, methods, scopes, ...(clientSpend && { clientSpend }), ...(actsFor && { actsFor }) };
    await transaction.write(...operatorLogStatement({ actor, action: 'app.create', subject: issued.appId, detail }));
    return issued;
  });
}

async function checkActsFor(appId: string, { query: ask }: Transaction): Promise<void> {
  const [row] = await ask('SELECT acts_for FROM apps WHERE app_id = ?', [appId]);
  if (!row) throw noSuchApp(appId);
  if (row.acts_for !== null)
    throw new AppError('INVALID_INPUT', `App ${appId} acts for app ${row.acts_for} itself: name that app.`);
}

/** From now on, calls that change something are refused; within 60 s all calls are. */
export const disableApp = (appId: string, actor: string): Promise<void> =>
  changeApp('tightens', { actor, action: 'app.disable', subject: appId }, async (transaction) => {
    await transaction.write(
      'UPDATE apps SET disabled_at = COALESCE(disabled_at, NOW(3)), version = version + 1 WHERE app_id = ?',
      [appId],
    );
  });

export const enableApp = (appId: string, actor: string): Promise<void> =>
  changeApp('loosens', { actor, action: 'app.enable', subject: appId }, async (transaction) => {
    await transaction.write('UPDATE apps SET disabled_at = NULL, version = version + 1 WHERE app_id = ?', [appId]);
  });

/** What users may spend by themselves. Running functions know it within 60 s. Throws NOT_FOUND. */
export function setClientSpend(appId: string, clientSpend: ClientSpend, actor: string): Promise<void> {
  const change = { actor, action: 'app.spends', subject: appId, detail: { clientSpend } };
  return changeApp('loosens', change, async (transaction) => {
    await transaction.write('UPDATE apps SET client_spend = ?, version = version + 1 WHERE app_id = ?', [
      clientSpend,
      appId,
    ]);
  });
}

/**
 * Sets the JSON Schema of the app's extra user fields (row B4 (current user)); null removes it. Throws INVALID_INPUT.
 */
export async function setUserFields(appId: string, schema: object | null, actor: string): Promise<void> {
  const checked = schema && JSON.stringify(checkUserFieldsSchema(schema));
  const change = () =>
    changeApp('loosens', { actor, action: 'app.fields', subject: appId }, async (transaction) => {
      await transaction.write('UPDATE apps SET user_fields = ?, version = version + 1 WHERE app_id = ?', [
        checked,
        appId,
      ]);
    });
  await writeThrough(change, () => [userFieldsKey(appId)]);
}

/**
 * Changes one app while its row is locked, with a tombstone in its cached record and a row in the operator log. A
 * change that takes rights from the app writes a mark for admission before the commit. Throws NOT_FOUND.
 */
export async function changeApp<T>(
  direction: 'tightens' | 'loosens',
  change: OperatorChange,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const appId = change.subject;
  const writeChange = () =>
    withTransaction(async (transaction) => {
      await lockApp(transaction, appId);
      const result = await work(transaction);
      await transaction.write(...operatorLogStatement(change));
      if (direction === 'tightens') await setMark(appId, await refusedOf(transaction, appId));
      return result;
    });
  let result: T;
  try {
    result = await writeStrict([appKey(appId)], writeChange);
  } catch (error) {
    const isCertain = !(error instanceof EngineError) || error.outcome === 'not-applied';
    // The change was not made, so the mark is wrong: correct it now. By itself it would end after three minutes.
    if (direction === 'tightens' && isCertain) await settleMark(appId).catch(() => {});
    throw error;
  }
  if (direction === 'loosens') await settleMark(appId).catch(ignoreEngine);
  return result;
}

async function lockApp(transaction: Transaction, appId: string): Promise<void> {
  const rows = await transaction.query('SELECT app_id FROM apps WHERE app_id = ? FOR UPDATE', [appId]);
  if (rows.length === 0) throw noSuchApp(appId);
}

const noSuchApp = (appId: string): AppError =>
  new AppError('NOT_FOUND', `There is no app ${appId}; "app list" lists all apps.`);

/**
 * What admission has to refuse now: `off`, or the keys revoked so recently that an authorizer may still know them, and
 * the public side of an app that has none, because it may have had one until now.
 */
async function refusedOf(transaction: Transaction, appId: string): Promise<string> {
  const rows = await transaction.query(
    `SELECT a.disabled_at, a.methods, k.key_id FROM apps a LEFT JOIN app_keys k
         ON k.app_id = a.app_id AND k.revoked_at > NOW(3) - INTERVAL ? SECOND
      WHERE a.app_id = ?`,
    [appOffKey.family.ttlSeconds, appId],
  );
  if (rows.some(({ disabled_at }) => disabled_at !== null)) return 'off';
  const revoked = rows.flatMap(({ key_id }) => (key_id === null ? [] : [String(key_id)]));
  const isPublic = String(rows[0]?.methods).split(',').includes(SESSION_METHOD);
  return [...revoked, ...(isPublic ? [] : [PUBLIC_SIDE])].join(',');
}

async function setMark(appId: string, refused: string): Promise<void> {
  const key = appOffKey(appId);
  if (refused === '') return deleteKeys([key]);
  const [answer] = await batch([['psetex', key, appOffKey.family.ttlSeconds * 1000, refused]]);
  if (answer instanceof EngineError) throw answer;
}

/**
 * Writes the mark from MySQL's data while the row is locked. A disable at the same time waits and then writes its own.
 */
const settleMark = (appId: string): Promise<void> =>
  withTransaction(async (transaction) => {
    await transaction.query('SELECT app_id FROM apps WHERE app_id = ? FOR UPDATE', [appId]);
    await setMark(appId, await refusedOf(transaction, appId));
  });

interface ListedApp {
  appId: string;
  name: string;
  methods: string[];
  scopes: string[];
  plugins: string[] | null;
  validates: string | null;
  clientSpend: ClientSpend;
  actsFor: string | null;
  disabled: boolean;
  createdAt: string;
}

const APP_COLUMNS =
  'app_id, name, methods, scopes, plugins, validates, client_spend, acts_for, disabled_at, created_at';

export async function listApps(): Promise<ListedApp[]> {
  return (await query(`SELECT ${APP_COLUMNS} FROM apps ORDER BY created_at, app_id`)).map(appSummary);
}

function appSummary(row: Record<string, unknown>): ListedApp {
  const list = (text: unknown): string[] => String(text).split(',').filter(Boolean);
  return {
    appId: String(row.app_id),
    name: String(row.name),
    methods: list(row.methods),
    scopes: list(row.scopes),
    plugins: row.plugins === null ? null : list(row.plugins),
    validates: row.validates as string | null,
    clientSpend: row.client_spend as ClientSpend,
    actsFor: row.acts_for as string | null,
    disabled: row.disabled_at !== null,
    createdAt: String(row.created_at),
  };
}

interface ShownApp extends ListedApp {
  keys: Array<{ keyId: string; state: 'live' | 'ended' | 'revoked'; createdAt: string; endsAt: string | null }>;
  userFields: unknown;
}

/** Throws NOT_FOUND. */
export async function showApp(appId: string): Promise<ShownApp> {
  const [row] = await query(`SELECT ${APP_COLUMNS}, user_fields FROM apps WHERE app_id = ?`, [appId]);
  if (!row) throw noSuchApp(appId);
  const keys = await query(
    `SELECT key_id, created_at, ends_at,
            CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN ends_at <= NOW(3) THEN 'ended' ELSE 'live' END AS state
       FROM app_keys WHERE app_id = ? ORDER BY created_at, key_id`,
    [appId],
  );
  const fields = row.user_fields;
  return {
    ...appSummary(row),
    keys: keys.map((key) => ({
      keyId: String(key.key_id),
      state: key.state as 'live' | 'ended' | 'revoked',
      createdAt: String(key.created_at),
      endsAt: key.ends_at as string | null,
    })),
    userFields: typeof fields === 'string' ? JSON.parse(fields) : (fields ?? null),
  };
}
