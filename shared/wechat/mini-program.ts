import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, type Load, NOT_READ, type ReadAnswer, readThrough, settleReads } from '../cache/cache.ts';
import { optionalText } from '../config.ts';
import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { unseal } from '../master-key.ts';
import { miniProgramsKey } from '../swept-keys.ts';

/**
 * The mini-programs of the deployment, and which of them an app belongs to. An app without one has the default, which
 * is in the environment. All of them are cached as one value, as plugins are: an unknown AppID costs no question to
 * MySQL.
 */
export interface MiniProgram {
  wechatAppid: string;
  /** The newest first. There are two while a secret is exchanged. */
  secrets: string[];
}

/** Of the message push. */
export interface PushSecrets {
  token: string;
  encodingAesKey: string;
}

/** The cached form: secrets stay sealed in Redis, as in MySQL. */
interface MiniPrograms {
  programs: Array<{ wechatAppid: string; sealed: string[]; sealedPush: string | null }>;
  /** WeChat's AppID by our AppID. Apps with the default are missing. */
  ofApps: Record<string, string>;
}

const NONE: MiniPrograms = { programs: [], ofApps: {} };

export const WECHAT_APPID = /^[A-Za-z0-9_-]{1,32}$/;

const defaultAppid = optionalText('WECHAT_APPID');
const defaultSecret = optionalText('WECHAT_SECRET');

const KEY = miniProgramsKey();
const POLICY: CachePolicy = { freshSeconds: 600, graceSeconds: 600, nullSeconds: 30 };

export const secretContext = (wechatAppid: string): string => `mini-program:${wechatAppid}:secret`;
export const pushContext = (wechatAppid: string): string => `mini-program:${wechatAppid}:push`;

/** Declare it in `reads` of an endpoint; miniProgramOf() then needs no request. */
export const miniProgramsRead = (): CacheRead => ({ key: KEY });

const load: Load<MiniPrograms> = async () => {
  const rows = await query(
    `SELECT m.wechat_appid, m.sealed_secret, m.sealed_former_secret, m.sealed_push, a.app_id
       FROM mini_programs m LEFT JOIN apps a ON a.wechat_appid = m.wechat_appid
      ORDER BY m.wechat_appid`,
  );
  const programs = new Map<string, MiniPrograms['programs'][number]>();
  const ofApps: MiniPrograms['ofApps'] = {};
  for (const row of rows) {
    const wechatAppid = String(row.wechat_appid);
    if (row.app_id !== null) ofApps[String(row.app_id)] = wechatAppid;
    const sealed = [row.sealed_secret, row.sealed_former_secret].filter((secret) => secret !== null).map(String);
    programs.set(wechatAppid, { wechatAppid, sealed, sealedPush: row.sealed_push as string | null });
  }
  return [{ value: { programs: [...programs.values()], ofApps }, version: 0 }];
};

/** Kept 5 s in the process, for calls without admission. */
const warm = new LocalCache<MiniPrograms>(1, 5_000);

async function readMiniPrograms(): Promise<MiniPrograms> {
  const known = warm.get('all');
  if (known) return known;
  const startedAt = Date.now();
  const [found] = await readThrough<MiniPrograms>([KEY], POLICY, load);
  const read = found?.value ?? NONE;
  warm.set('all', read, startedAt);
  return read;
}

/** The AppID of the mini-program that this app names; undefined: it has the default. */
export async function namedProgramOf(leaseId: string, appId: string, answer?: ReadAnswer): Promise<string | undefined> {
  return (await settle(leaseId, answer)).ofApps[appId];
}

/** The mini-program of the calling app, by the answer of admission's read. Throws UNAVAILABLE if it has none. */
export async function miniProgramOf(leaseId: string, appId: string, answer?: ReadAnswer): Promise<MiniProgram> {
  const all = await settle(leaseId, answer);
  const wechatAppid = all.ofApps[appId] ?? defaultAppid();
  const program = wechatAppid === undefined ? undefined : openProgram(all, wechatAppid);
  if (!program) throw new AppError('UNAVAILABLE', 'WeChat login is not set up here.', { retryAfterSeconds: 3_600 });
  return program;
}

/** By the answer of admission's read. */
async function settle(leaseId: string, answer: ReadAnswer = NOT_READ): Promise<MiniPrograms> {
  const [found] = await settleReads(leaseId, [KEY], [answer], POLICY, load);
  return found?.value ?? NONE;
}

/** The mini-program with this AppID of WeChat. undefined: it is not one of this deployment, or has no secret. */
export const findMiniProgram = async (wechatAppid: string): Promise<MiniProgram | undefined> =>
  openProgram(await readMiniPrograms(), wechatAppid);

/** undefined: the mini-program is unknown, or has no push settings of its own. */
export async function findPushSecrets(wechatAppid: string): Promise<PushSecrets | undefined> {
  const { programs } = await readMiniPrograms();
  const sealed = programs.find((program) => program.wechatAppid === wechatAppid)?.sealedPush;
  return sealed ? (JSON.parse(unseal(sealed, pushContext(wechatAppid))) as PushSecrets) : undefined;
}

/** The mini-program of apps that name none. undefined: there is no default. */
export const defaultProgramId = (): string | undefined => defaultAppid();

function openProgram({ programs }: MiniPrograms, wechatAppid: string): MiniProgram | undefined {
  const sealed = programs.find((program) => program.wechatAppid === wechatAppid)?.sealed ?? [];
  const secrets = sealed.map((secret) => unseal(secret, secretContext(wechatAppid)));
  const fromEnvironment = wechatAppid === defaultAppid() ? defaultSecret() : undefined;
  if (fromEnvironment) secrets.push(fromEnvironment);
  return secrets.length > 0 ? { wechatAppid, secrets } : undefined;
}

/** For the portal, after it has changed a mini-program. */
export const forgetMiniPrograms = (): void => warm.clear();
