import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import { member, readBase64, readJson, text } from '../../foreign-input.ts';
import { alarm } from '../../telemetry.ts';
import type { PushSecrets } from '../mini-program.ts';
import { readXml } from './read-xml.ts';
import { refusePush } from './refused.ts';
import { sealReply } from './reply.ts';

/**
 * The message push of a mini-program: JSON or XML, and only in the encrypted mode. In plain mode the signature covers
 * time and nonce but no byte of the body: anybody who has seen one push could send another body.
 */
interface RawPush {
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export type PushFormat = 'json' | 'xml';

/** Whose push it has to be. */
export interface PushReceiver extends PushSecrets {
  readonly wechatAppid: string;
}

export interface PushMessage {
  readonly format: PushFormat;
  /** '' for a message that is no event. */
  readonly event: string;
  /** The members, as WeChat names them. In XML every value is a text. */
  readonly body: object;
  /** For an answer that says more than success: encrypted for WeChat, in the format of the push. */
  seal(answer: string): object | string;
  /** Stays the same when WeChat sends the message again. */
  readonly digest: string;
}

const freshSeconds = 300;

/** The answer to the request by which WeChat's console checks the address of the push. Throws BAD_NOTIFY_SIGNATURE. */
export function pushEcho(query: RawPush['query'], token: string, nowSeconds: number): string {
  demandSignature(query.signature, [token, ...stampOf(query, nowSeconds)]);
  const { echostr } = query;
  return echostr !== undefined && /^[!-~]{1,256}$/.test(echostr) ? echostr : refusePush('MALFORMED');
}

/** Throws BAD_NOTIFY_SIGNATURE, whatever is wrong with it. Counts say what it was. */
export function openPush({ query, body }: RawPush, receiver: PushReceiver, nowSeconds: number): PushMessage {
  const { token, encodingAesKey, wechatAppid } = receiver;
  const stamp = stampOf(query, nowSeconds);
  const outer = readMembers(body);
  const encrypted = member(outer, 'Encrypt');
  if (typeof encrypted !== 'string') return refusePlain(receiver, query, stamp);
  demandSignature(query.msg_signature, [token, ...stamp, encrypted]);
  const message = decrypt(encrypted, encodingAesKey, wechatAppid);
  const members = readMembers(message);
  const format = formatOf(message);
  const digest = createHash('sha256').update(message).digest('base64url');
  const seal = (answer: string) => sealReply(answer, format, receiver, stamp);
  return { format, event: text(member(members, 'Event')) ?? '', body: members, seal, digest };
}

/** An attacker could leave out the encryption and forge a body. Only WeChat itself causes an alarm by it. */
function refusePlain({ token, wechatAppid }: PushReceiver, query: RawPush['query'], stamp: readonly string[]): never {
  demandSignature(query.signature, [token, ...stamp]);
  alarm('wechat-push-not-encrypted', { wechatAppid });
  return refusePush('PLAIN');
}

function readMembers(bytes: Buffer): object {
  const members = formatOf(bytes) === 'xml' ? readXml(bytes) : readJson(bytes);
  return members ?? refusePush('MALFORMED');
}

const formatOf = (bytes: Buffer): PushFormat => (/^\s*</.test(bytes.toString('latin1', 0, 100)) ? 'xml' : 'json');

/** AES-256-CBC, iv = the key's first half, padding to 32. Content: 16 random bytes, length, message, AppID. */
function decrypt(encrypted: string, encodingAesKey: string, wechatAppid: string): Buffer {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const sealed = readBase64(encrypted);
  if (key.length !== 32 || sealed === null) return refusePush('UNDECRYPTABLE');
  let plain: Buffer;
  try {
    const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
    plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch {
    return refusePush('UNDECRYPTABLE');
  }
  const padding = plain.at(-1) ?? 0;
  if (padding < 1 || padding > 32 || plain.length < 20 + padding) return refusePush('UNDECRYPTABLE');
  if (!plain.subarray(-padding).every((byte) => byte === padding)) return refusePush('UNDECRYPTABLE');
  const content = plain.subarray(0, plain.length - padding);
  const end = 20 + content.readUInt32BE(16);
  if (end > content.length) return refusePush('UNDECRYPTABLE');
  if (content.subarray(end).toString('utf8') !== wechatAppid) return refusePush('WRONG_APP');
  return content.subarray(20, end);
}

function stampOf(query: RawPush['query'], nowSeconds: number): [timestamp: string, nonce: string] {
  const { timestamp, nonce } = query;
  if (timestamp === undefined || !/^[1-9][0-9]{9}$/.test(timestamp)) return refusePush('MALFORMED');
  if (nonce === undefined || !/^[!-~]{1,128}$/.test(nonce)) return refusePush('MALFORMED');
  if (!(Math.abs(nowSeconds - Number(timestamp)) <= freshSeconds)) return refusePush('STALE');
  return [timestamp, nonce];
}

function demandSignature(presented: string | undefined, parts: readonly string[]): void {
  const expected = Buffer.from(
    createHash('sha1')
      .update([...parts].sort().join(''))
      .digest('hex'),
  );
  const given = Buffer.from(presented ?? '');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) refusePush('BAD_SIGNATURE');
}
