import * as v from 'valibot';
import { AppError } from '../../shared/errors.ts';
import { PlainText } from '../../shared/http/answer.ts';
import { serve } from '../../shared/http/lambda.ts';
import { openEndpoint } from '../../shared/http/open-endpoint.ts';
import { findMerchantPushSecrets } from '../../shared/recharge/receivers.ts';
import { findPushSecrets } from '../../shared/wechat/mini-program.ts';
import { openPush, type PushReceiver, pushEcho } from '../../shared/wechat/push/message.ts';
import { handlePush } from './events.ts';

/** The message push of a mini-program: payments, withdrawn consents and all other events come to this one address. */
const path = v.object({ wechatAppid: v.string() });
const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** 2xx: what the push causes is stored. After any other answer WeChat sends it again. */
const receive = openEndpoint(
  { route: 'POST /wechat/push/{wechatAppid}', path },
  async ({ path: { wechatAppid }, query, rawBody }) => {
    const receiver = await findReceiver(wechatAppid);
    const answer = await handlePush(wechatAppid, openPush({ query, body: rawBody }, receiver, nowSeconds()));
    return typeof answer === 'string' ? new PlainText(answer) : answer;
  },
);

/** WeChat's console checks the address: it expects its own text in the answer. */
const register = openEndpoint(
  { route: 'GET /wechat/push/{wechatAppid}', path },
  async ({ path: { wechatAppid }, query }) =>
    new PlainText(pushEcho(query, (await findReceiver(wechatAppid)).token, nowSeconds())),
);

/** A mini-program without push settings of its own has those of its merchant of virtual payment. Throws NOT_FOUND. */
async function findReceiver(wechatAppid: string): Promise<PushReceiver> {
  const secrets = (await findPushSecrets(wechatAppid)) ?? (await findMerchantPushSecrets(wechatAppid));
  if (!secrets) throw new AppError('NOT_FOUND');
  return { ...secrets, wechatAppid };
}

export const handler = serve(receive, register);
