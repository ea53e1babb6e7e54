import { seal } from '../../shared/master-key.ts';
import { secretContext } from '../../shared/wechat/mini-program.ts';
import type { TestStack } from './stack.ts';

/** A mini-program that WeChat knows, and whose secret the deployment has. Do this before the functions read theirs. */
export async function addKnownProgram({ wechat, mysql }: TestStack, appid: string): Promise<void> {
  const secret = `secret-of-${appid}`;
  wechat.addProgram({ appid, secret });
  await mysql.execute('INSERT INTO mini_programs (wechat_appid, sealed_secret) VALUES (?, ?)', [
    appid,
    seal(secret, secretContext(appid)),
  ]);
}
