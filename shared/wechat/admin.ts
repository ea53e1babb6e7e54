import { changeApp } from '../app/admin.ts';
import { writeThrough } from '../cache/write.ts';
import type { Transaction } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { seal, unseal } from '../master-key.ts';
import type { OperatorChange } from '../operator-log.ts';
import { miniProgramsKey } from '../swept-keys.ts';
import {
  defaultProgramId,
  forgetMiniPrograms,
  type PushSecrets,
  pushContext,
  secretContext,
  WECHAT_APPID,
} from './mini-program.ts';

/**
 * Operators' commands for the mini-programs of apps. A mini-program may serve several apps; its secrets are stored once.
 * Functions do not import this file; they read mini-programs through mini-program.ts.
 */
interface Setting {
  wechatAppid: string;
  /** AppSecret; undefined: it stays. */
  secret?: string | undefined;
  /** undefined: they stay. */
  push?: PushSecrets | undefined;
}

const SECRET = /^[\x21-\x7e]{16,128}$/;
const PUSH_TOKEN = /^[A-Za-z0-9]{3,32}$/;
const ENCODING_AES_KEY = /^[A-Za-z0-9]{43}$/;

/**
 * Gives the app this mini-program. A new secret is used from now on; the one before it is kept beside it until
 * endFormerSecret(), and one before that is deleted. Throws NOT_FOUND; INVALID_INPUT for a wrong form, and for a
 * mini-program without any secret.
 */
export async function setMiniProgram(appId: string, setting: Setting, actor: string): Promise<void> {
  checkSetting(setting);
  const { wechatAppid, secret, push } = setting;
  const detail = { wechatAppid, secret: secret !== undefined, push: push !== undefined };
  await changeMiniProgram({ actor, action: 'app.wechat', subject: appId, detail }, async (transaction) => {
    const known = await lockProgram(transaction, wechatAppid);
    if (secret === undefined && !known?.sealed && wechatAppid !== defaultProgramId()) {
      throw new AppError('INVALID_INPUT', `Mini-program ${wechatAppid} has no secret here yet: give --secret-file.`);
    }
    const { sealed, sealedFormer } = withSecret(wechatAppid, known, secret);
    const sealedPush = push ? seal(JSON.stringify(push), pushContext(wechatAppid)) : (known?.sealedPush ?? null);
    await transaction.write(
      `INSERT INTO mini_programs (wechat_appid, sealed_secret, sealed_former_secret, sealed_push) VALUES (?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE sealed_secret = VALUES(sealed_secret), sealed_push = VALUES(sealed_push),
         sealed_former_secret = VALUES(sealed_former_secret), version = version + 1`,
      [wechatAppid, sealed, sealedFormer, sealedPush],
    );
    const [app] = await transaction.query('SELECT wechat_appid FROM apps WHERE app_id = ?', [appId]);
    if (app?.wechat_appid === wechatAppid) return;
    await nameProgram(transaction, appId, wechatAppid);
    if (app?.wechat_appid) await deleteUnused(transaction, String(app.wechat_appid));
  });
}

function checkSetting({ wechatAppid, secret, push }: Setting): void {
  const wrong = (path: string, message: string) => ({ path, message });
  const errors = [
    ...(WECHAT_APPID.test(wechatAppid) ? [] : [wrong('wechatAppid', 'expected 1 to 32 of A-Z a-z 0-9 _ -')]),
    ...(secret === undefined || SECRET.test(secret) ? [] : [wrong('secret', 'expected 16 to 128 characters')]),
    ...(!push || PUSH_TOKEN.test(push.token) ? [] : [wrong('push.token', 'expected 3 to 32 of A-Z a-z 0-9')]),
    ...(!push || ENCODING_AES_KEY.test(push.encodingAesKey)
      ? []
      : [wrong('push.encodingAesKey', 'expected 43 of A-Z a-z 0-9')]),
  ];
  if (errors.length > 0) throw invalidInput(...errors);
}

/** The former secret of the app's mini-program is not tried any more. Throws NOT_FOUND if there is none. */
export async function endFormerSecret(appId: string, actor: string): Promise<string> {
  const change: OperatorChange = { actor, action: 'app.wechat-end-former', subject: appId };
  return changeMiniProgram(change, async (transaction) => {
    const wechatAppid = await programOf(transaction, appId);
    const { rowsAffected } = await transaction.write(
      `UPDATE mini_programs SET sealed_former_secret = NULL, version = version + 1
        WHERE wechat_appid = ? AND sealed_former_secret IS NOT NULL`,
      [wechatAppid],
    );
    if (rowsAffected === 0) throw new AppError('NOT_FOUND', `Mini-program ${wechatAppid} has no former secret.`);
    change.detail = { wechatAppid };
    return wechatAppid;
  });
}

/**
 * The app has the default of the deployment again. The secrets of a mini-program that serves no other app are deleted.
 * Returns WeChat's AppID of the former one. Throws NOT_FOUND if the app has none of its own.
 */
export async function removeMiniProgram(appId: string, actor: string): Promise<string> {
  const change: OperatorChange = { actor, action: 'app.wechat-remove', subject: appId };
  return changeMiniProgram(change, async (transaction) => {
    const wechatAppid = await programOf(transaction, appId);
    await nameProgram(transaction, appId, null);
    await deleteUnused(transaction, wechatAppid);
    change.detail = { wechatAppid };
    return wechatAppid;
  });
}

async function changeMiniProgram<T>(
  change: OperatorChange,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await writeThrough(() => changeApp('loosens', change, work), [miniProgramsKey()]);
  } finally {
    forgetMiniPrograms();
  }
}

interface StoredProgram {
  sealed: string | null;
  sealedFormer: string | null;
  sealedPush: string | null;
}

async function lockProgram(transaction: Transaction, wechatAppid: string): Promise<StoredProgram | undefined> {
  const [row] = await transaction.query(
    `SELECT sealed_secret, sealed_former_secret, sealed_push FROM mini_programs WHERE wechat_appid = ? FOR UPDATE`,
    [wechatAppid],
  );
  if (!row) return undefined;
  return {
    sealed: row.sealed_secret as string | null,
    sealedFormer: row.sealed_former_secret as string | null,
    sealedPush: row.sealed_push as string | null,
  };
}

/** The same secret again changes nothing: a command whose answer was lost may be repeated. */
function withSecret(wechatAppid: string, known: StoredProgram | undefined, secret: string | undefined) {
  const { sealed = null, sealedFormer = null } = known ?? {};
  const context = secretContext(wechatAppid);
  if (secret === undefined || (sealed !== null && unseal(sealed, context) === secret)) return { sealed, sealedFormer };
  return { sealed: seal(secret, context), sealedFormer: sealed };
}

async function programOf(transaction: Transaction, appId: string): Promise<string> {
  const [row] = await transaction.query('SELECT wechat_appid FROM apps WHERE app_id = ?', [appId]);
  if (row?.wechat_appid) return String(row.wechat_appid);
  throw new AppError('NOT_FOUND', `App ${appId} has no mini-program of its own.`);
}

async function nameProgram(transaction: Transaction, appId: string, wechatAppid: string | null): Promise<void> {
  await transaction.write('UPDATE apps SET wechat_appid = ?, version = version + 1 WHERE app_id = ?', [
    wechatAppid,
    appId,
  ]);
}

/** The default stays: apps that name no mini-program have it. */
async function deleteUnused(transaction: Transaction, wechatAppid: string): Promise<void> {
  if (wechatAppid === defaultProgramId()) return;
  await transaction.write(
    `DELETE FROM mini_programs WHERE wechat_appid = ? AND sealed_secret IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM apps WHERE apps.wechat_appid = mini_programs.wechat_appid)`,
    [wechatAppid],
  );
}
