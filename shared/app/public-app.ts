import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { type AppMethod, SESSION_METHOD } from './access-token.ts';
import { changeApp, insertAppRow } from './admin.ts';
import { type ClientSpend, OPEN_SCOPES, type OpenScope, type Scope } from './app.ts';
import { countLiveKeys } from './keys.ts';

/**
 * Operators' commands for public apps, whose package holds no key (row A1 (identity and permission)). What such an app
 * may do before a login is open or shut, one scope for each. Functions do not import this file.
 */

/** What `--open` takes: the names of the open scopes without their prefix. */
type Opening = 'wechat' | 'password' | 'register' | 'channel' | 'data';
export const OPENINGS = OPEN_SCOPES.map((scope) => scope.slice('open:'.length)) as Opening[];
export const DEFAULT_OPENINGS: readonly Opening[] = ['wechat'];

/** The scope that the routes of an opening need themselves. */
const ROUTE_SCOPE: Record<Opening, Scope> = {
  wechat: 'login',
  password: 'login',
  register: 'register',
  channel: 'login',
  data: 'data:read',
};

/** With these a server acts for others. What a package can do, everybody can do, so no public app has them. */
const SERVER_SCOPE = /^(plugin:validate|wallet:.*|data:write|wechat:token)$/;
export const isServerScope = (scope: string): boolean => SERVER_SCOPE.test(scope);

const openScope = (opening: Opening): OpenScope => `open:${opening}`;
export const openingsOf = (scopes: readonly string[]): Opening[] =>
  OPENINGS.filter((opening) => scopes.includes(openScope(opening)));

/** The scopes without which a route that is open before a login would refuse. */
export const neededByOpenings = (scopes: readonly string[]): Scope[] =>
  openingsOf(scopes).map((opening) => ROUTE_SCOPE[opening]);

export type AppKind = 'server' | 'public' | 'both';

/** The kind of an app is its list of methods. */
export function kindOf(methods: readonly string[]): AppKind {
  if (!methods.includes(SESSION_METHOD)) return 'server';
  return methods.length === 1 ? 'public' : 'both';
}

interface NewPublicApp {
  name: string;
  open: readonly Opening[];
  scopes: readonly Scope[];
  /** Plugins it may issue tokens for; null: all. */
  plugins: readonly string[] | null;
  clientSpend?: ClientSpend;
}

/** Issues an AppID without a key. Throws INVALID_INPUT for a scope that only servers may have. */
export async function createPublicApp(app: NewPublicApp, actor: string): Promise<{ appId: string; open: Opening[] }> {
  const { name, plugins, clientSpend } = app;
  const refused = app.scopes.filter(isServerScope);
  if (refused.length > 0)
    throw new AppError('INVALID_INPUT', `A public app cannot have ${refused.join(', ')}, which only servers may have.`);
  const scopes = withOpenings(app.scopes, app.open);
  return withTransaction(async (transaction) => {
    const methods = [SESSION_METHOD] as const;
    const spends = clientSpend === undefined ? {} : { clientSpend };
    const appId = await insertAppRow(transaction, { name, methods, scopes, plugins, validates: null, ...spends });
    const detail = { name, methods, scopes, ...spends };
    await transaction.write(...operatorLogStatement({ actor, action: 'app.create', subject: appId, detail }));
    return { appId, open: openingsOf(scopes) };
  });
}

const withOpenings = (scopes: readonly Scope[], open: readonly Opening[]): Array<Scope | OpenScope> => [
  ...new Set([...scopes, ...open.map((opening) => ROUTE_SCOPE[opening]), ...open.map(openScope)]),
];

interface PublicSide {
  appId: string;
  methods: AppMethod[];
  open: Opening[];
  liveKeys: number;
}

/**
 * Adds the public side to an app, or changes what is open; `open` undefined: what is open stays, or is the default.
 * Throws NOT_FOUND; INVALID_INPUT for the app of a plugin server or another app with a scope of servers.
 */
export function openApp(appId: string, open: readonly Opening[] | undefined, actor: string): Promise<PublicSide> {
  const change = { actor, action: 'app.public', subject: appId, detail: {} as Record<string, unknown> };
  return changeApp('loosens', change, async (transaction) => {
    const { methods, scopes, actsFor } = await readSide(transaction, appId);
    if (actsFor !== null)
      throw new AppError('INVALID_INPUT', `This app is a server that acts for app ${actsFor}: make that app public.`);
    const serverScopes = scopes.filter(isServerScope);
    if (serverScopes.length > 0) {
      const sentence = `This app has ${serverScopes.join(', ')}, which only servers may have: create a public app of its own.`;
      throw new AppError('INVALID_INPUT', sentence);
    }
    const isPublic = methods.includes(SESSION_METHOD);
    const opened = open ?? (isPublic ? openingsOf(scopes) : DEFAULT_OPENINGS);
    change.detail = { open: opened };
    const others = scopes.filter((scope) => !scope.startsWith('open:')) as Scope[];
    const side = {
      methods: isPublic ? methods : [...methods, SESSION_METHOD],
      scopes: withOpenings(others, opened),
    } as const;
    await writeSide(transaction, appId, side);
    return publicSide(transaction, appId);
  });
}

/** Ends v1 and v2: revokes all keys. Refused at once for calls that change something, within 60 s for all. */
export function endKeys(appId: string, actor: string): Promise<PublicSide> {
  const change = { actor, action: 'app.public-only', subject: appId };
  return changeApp('tightens', change, async (transaction) => {
    const { methods, scopes } = await readSide(transaction, appId);
    if (!methods.includes(SESSION_METHOD)) {
      throw new AppError('INVALID_INPUT', 'This app is not public yet: run "app public" without --only first.');
    }
    await writeSide(transaction, appId, { methods: [SESSION_METHOD], scopes });
    await transaction.write('UPDATE app_keys SET revoked_at = COALESCE(revoked_at, NOW(3)) WHERE app_id = ?', [appId]);
    return publicSide(transaction, appId);
  });
}

/** Ends named calls and signed sessions. Refused at once for calls that change something, within 60 s for all. */
export function endPublicSide(appId: string, actor: string): Promise<PublicSide> {
  const change = { actor, action: 'app.public-off', subject: appId };
  return changeApp('tightens', change, async (transaction) => {
    const { methods, scopes } = await readSide(transaction, appId);
    await writeSide(transaction, appId, {
      methods: methods.filter((method) => method !== SESSION_METHOD),
      scopes: scopes.filter((scope) => !scope.startsWith('open:')),
    });
    return publicSide(transaction, appId);
  });
}

/** Whether an app of this deployment is public: then anybody can make calls that count for it. */
export async function existsPublicApp(): Promise<boolean> {
  const [row] = await query('SELECT 1 AS found FROM apps WHERE FIND_IN_SET(?, methods) LIMIT 1', [SESSION_METHOD]);
  return row !== undefined;
}

const list = (text: unknown): string[] => String(text).split(',').filter(Boolean);

export async function readSide(
  transaction: Transaction,
  appId: string,
): Promise<{ methods: string[]; scopes: string[]; actsFor: string | null }> {
  const [row] = await transaction.query('SELECT methods, scopes, acts_for FROM apps WHERE app_id = ?', [appId]);
  return { methods: list(row?.methods), scopes: list(row?.scopes), actsFor: (row?.acts_for ?? null) as string | null };
}

async function writeSide(
  transaction: Transaction,
  appId: string,
  { methods, scopes }: { methods: readonly string[]; scopes: readonly string[] },
): Promise<void> {
  await transaction.write('UPDATE apps SET methods = ?, scopes = ?, version = version + 1 WHERE app_id = ?', [
    methods.join(','),
    scopes.join(','),
    appId,
  ]);
}

async function publicSide(transaction: Transaction, appId: string): Promise<PublicSide> {
  const { methods, scopes } = await readSide(transaction, appId);
  const liveKeys = await countLiveKeys(transaction, appId);
  return { appId, methods: methods as AppMethod[], open: openingsOf(scopes), liveKeys };
}
