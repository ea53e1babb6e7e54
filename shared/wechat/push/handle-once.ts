import { ignoreEngine } from '../../cache/write.ts';
import { keyFamily } from '../../keys.ts';
import { batch } from '../../redis.ts';
import { count } from '../../telemetry.ts';
import type { PushMessage } from './message.ts';

/** WeChat repeats a push within seconds: three times, if it gets no answer within five. */
const handledKey = keyFamily<[string, string]>({
  area: 'replay',
  name: 'push',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: 600,
});

/**
 * Runs `work` once for each message. A message push that could not be handled is not marked, so WeChat's repetition is
 * handled. Without the mark, because Redis is down or lost it, a repetition is handled again and changes nothing: the
 * mark only saves work. Two deliveries at the same time both run. So `work` must be safe to repeat. The time and sender
 * of a message do not name it: two payments of one second have the same.
 */
export async function handleOnce(
  wechatAppid: string,
  { digest }: Pick<PushMessage, 'digest'>,
  work: () => Promise<void>,
): Promise<void> {
  const key = handledKey(wechatAppid, digest);
  const [mark] = (await batch([['get', key]]).catch(ignoreEngine)) ?? [];
  if (typeof mark === 'string') return count('wechat.push.repeated');
  await work();
  await batch([['psetex', key, handledKey.family.ttlSeconds * 1000, '1']]).catch(ignoreEngine);
}
