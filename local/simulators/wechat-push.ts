import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { isStartedAs } from './loopback-server.ts';

/**
 * Makes message pushes as WeChat's server sends them, correct ones and wrong ones. The forms are those of
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html (read in 2026-11); a test
 * compares with the examples that the page prints.
 */
interface PushSender {
  /** The AppID of the mini-program. */
  wechatAppid: string;
  token: string;
  /** 43 characters. */
  encodingAesKey: string;
}

export interface PushOptions {
  /** Unix seconds, of the signature. */
  now: number;
  format?: 'json' | 'xml';
  /** `compatible`: the plain members stand beside the encrypted ones. */
  mode?: 'encrypted' | 'plain' | 'compatible';
  /** The AppID at the end of the encrypted content. Default: that of the sender. */
  appidInside?: string;
  nonce?: string;
  /** The 16 bytes before the content. */
  random?: string;
}

interface SimulatedPush {
  /** Without a question mark. */
  query: string;
  body: string;
}

/** A value of a message. In XML every value is a text, and a list repeats its element. */
type PushMembers = { readonly [name: string]: string | number | boolean | PushMembers | readonly PushMembers[] };

/** A push of these members. Make it again for a repetition: WeChat signs each delivery with a new time and nonce. */
export function makePush(sender: PushSender, members: PushMembers, options: PushOptions): SimulatedPush {
  const { format = 'json', mode = 'encrypted' } = options;
  const text = textOf(members, format);
  const stamp = stampOf(sender, options);
  if (mode === 'plain') return { query: new URLSearchParams(stamp).toString(), body: text };
  const { ToUserName = 'gh_0123456789ab', ...others } = members;
  const Encrypt = encryptPush(sender, text, options);
  const { timestamp, nonce } = stamp;
  const msg_signature = sha1Of(sender.token, timestamp, nonce, Encrypt);
  const query = new URLSearchParams({ ...stamp, encrypt_type: 'aes', msg_signature }).toString();
  return { query, body: textOf({ ToUserName, ...(mode === 'compatible' && others), Encrypt }, format) };
}

/** The query by which the console checks the address of the push. */
export const makeRegistration = (sender: PushSender, echostr: string, options: PushOptions): string =>
  new URLSearchParams({ ...stampOf(sender, options), echostr }).toString();

/**
 * Delivers a push as WeChat does: up to three times more, each with a new time and nonce, while the answer is not 2xx
 * or does not come within 5 s. Returns the status and the text of each answer.
 */
export async function deliverPush(
  url: string,
  sender: PushSender,
  members: PushMembers,
  options: Omit<PushOptions, 'now' | 'nonce'> = {},
): Promise<Array<{ status: number; text: string }>> {
  const answers: Array<{ status: number; text: string }> = [];
  for (let delivery = 0; delivery < 4; delivery++) {
    const { query, body } = makePush(sender, members, { ...options, now: Math.floor(Date.now() / 1000) });
    const answer = await fetch(`${url}?${query}`, { method: 'POST', body, signal: AbortSignal.timeout(5_000) })
      .then(async (response) => ({ status: response.status, text: await response.text() }))
      .catch(() => ({ status: 0, text: '' }));
    answers.push(answer);
    if (answer.status >= 200 && answer.status < 300) break;
  }
  return answers;
}

function stampOf({ token }: PushSender, { now, nonce = randomBytes(5).readUIntBE(0, 5).toString() }: PushOptions) {
  const timestamp = String(now);
  return { signature: sha1Of(token, timestamp, nonce), timestamp, nonce };
}

const sha1Of = (...parts: string[]): string => createHash('sha1').update(parts.sort().join('')).digest('hex');

export function encryptPush(
  { wechatAppid, encodingAesKey }: PushSender,
  text: string,
  { random = randomBytes(8).toString('hex'), appidInside = wechatAppid }: Pick<PushOptions, 'random' | 'appidInside'>,
): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  const content = Buffer.concat([Buffer.from(random), length, Buffer.from(text), Buffer.from(appidInside)]);
  const padding = 32 - (content.length % 32);
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([content, Buffer.alloc(padding, padding)]);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

const textOf = (members: PushMembers, format: 'json' | 'xml'): string =>
  format === 'json' ? JSON.stringify(members) : `<xml>${xmlOf(members)}</xml>`;

const xmlOf = (members: PushMembers): string =>
  Object.entries(members)
    .flatMap(([name, value]) => [value].flat().map((one) => `<${name}>${valueInXml(one)}</${name}>`))
    .join('\n');

function valueInXml(value: PushMembers[string]): string {
  if (typeof value === 'object') return xmlOf(value as PushMembers);
  return typeof value === 'string' ? `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>` : String(value);
}

if (isStartedAs(import.meta.url)) {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { url: text, appid: text, token: text, 'aes-key': text, message: text, format: text, mode: text },
  });
  const { url, appid, token, message, format, mode } = values;
  const encodingAesKey = values['aes-key'];
  if (!url || !appid || !token || !encodingAesKey || !message) {
    console.error(
      'usage: tsx local/simulators/wechat-push.ts --url URL --appid A --token T --aes-key K --message JSON [--format json|xml] [--mode encrypted|plain|compatible]',
    );
    process.exit(2);
  }
  const options = { ...(format && { format }), ...(mode && { mode }) } as Omit<PushOptions, 'now'>;
  const answers = await deliverPush(url, { wechatAppid: appid, token, encodingAesKey }, JSON.parse(message), options);
  for (const answer of answers) console.log(answer.status, answer.text);
}
