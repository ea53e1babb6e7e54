import { send } from '../../transport.ts';
import type { Http } from './exchange.ts';

const TIMEOUT_MS = 4_000;

/** Requests to WeChat Pay. A request is never sent a second time here, because each has a nonce. */
export const sendToWechatPay: Http = ({ method, url, headers, body }) =>
  send({
    url: new URL(url),
    method,
    headers: { ...headers },
    ...(body !== null && { body }),
    timeoutMs: TIMEOUT_MS,
    repeatable: false,
  });
