import { randomBytes } from 'node:crypto';
import { makePush, type PushOptions } from '../../local/simulators/wechat-push.ts';
import { seal } from '../../shared/master-key.ts';
import { pushContext } from '../../shared/wechat/mini-program.ts';
import type { TestAnswer, TestStack } from './stack.ts';

type Sender = Parameters<typeof makePush>[0];
type Members = Parameters<typeof makePush>[1];

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** A sender with secrets of its own. */
export const newSender = (wechatAppid = `wx${randomBytes(8).toString('hex')}`): Sender => ({
  wechatAppid,
  token: randomBytes(8).toString('hex'),
  encodingAesKey: `${randomBytes(32).toString('hex').slice(0, 42)}A`,
});

/** Stores the secrets, as the portal does. Do this before the first push: the functions keep what they read. */
export async function setPush(stack: TestStack, { wechatAppid, token, encodingAesKey }: Sender): Promise<void> {
  const sealed = seal(JSON.stringify({ token, encodingAesKey }), pushContext(wechatAppid));
  await stack.mysql.execute('INSERT INTO mini_programs (wechat_appid, sealed_push) VALUES (?, ?)', [
    wechatAppid,
    sealed,
  ]);
}

/** Sends pushes, each with a time stamp and a nonce of its own. */
export const pusher =
  (stack: TestStack, sender: Sender, path = `/wechat/push/${sender.wechatAppid}`) =>
  (members: Members, options: Partial<PushOptions> = {}): Promise<TestAnswer> => {
    const { query, body } = makePush(sender, members, { now: nowSeconds(), ...options });
    return stack.send('POST', `${path}?${query}`, {}, body);
  };
