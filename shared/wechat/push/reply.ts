import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import type { PushSecrets } from '../mini-program.ts';

/**
 * The encrypted answer to an encrypted push, in the form of
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html (read on 2026-11-28). A
 * plain "success" needs none of this.
 */
export function sealReply(
  text: string,
  format: 'json' | 'xml',
  receiver: PushSecrets & { wechatAppid: string },
  [timestamp, nonce]: readonly [timestamp: string, nonce: string],
): object | string {
  const encrypted = encrypt(text, receiver);
  const signed = [receiver.token, timestamp, nonce, encrypted].sort().join('');
  const signature = createHash('sha1').update(signed).digest('hex');
  if (format === 'json')
    return { Encrypt: encrypted, MsgSignature: signature, TimeStamp: Number(timestamp), Nonce: nonce };
  const element = (name: string, value: string) => `<${name}><![CDATA[${value.replaceAll(']]>', '')}]]></${name}>`;
  const members = element('Encrypt', encrypted) + element('MsgSignature', signature) + element('Nonce', nonce);
  return `<xml>${members}<TimeStamp>${timestamp}</TimeStamp></xml>`;
}

/** AES-256-CBC, iv = the key's first half, padding to 32. Content: 16 random bytes, length, text, AppID. */
function encrypt(text: string, { wechatAppid, encodingAesKey }: PushSecrets & { wechatAppid: string }): string {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  const content = Buffer.concat([randomBytes(16), length, Buffer.from(text), Buffer.from(wechatAppid)]);
  const padding = 32 - (content.length % 32);
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([content, Buffer.alloc(padding, padding)]);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}
