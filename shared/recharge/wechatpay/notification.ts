import { createDecipheriv } from 'node:crypto';
import { member, readBase64, readJson, text } from '../../foreign-input.ts';
import { type NotificationRefusal, WechatPayNotificationRefused } from './error.ts';
import { readRefund, readTransaction, type WechatRefund, type WechatTransaction } from './record.ts';
import { type HttpHeaders, type PlatformKeys, signatureFault } from './signature.ts';

interface NotificationTrust {
  readonly appId: string;
  readonly mchId: string;
  readonly apiV3Key: string;
  readonly keys: PlatformKeys;
}

/**
 * `id` stays the same when WeChat sends a notification again. `other`: authentic, but of an event that is not used
 * here.
 */
export type Notification =
  | { readonly kind: 'payment'; readonly id: string; readonly event: string; readonly transaction: WechatTransaction }
  | { readonly kind: 'refund'; readonly id: string; readonly event: string; readonly refund: WechatRefund }
  | { readonly kind: 'other'; readonly id: string; readonly event: string };

const longestNotification = 64 * 1024;

/**
 * Verifies the signature over the raw bytes before anything is parsed. It makes no request, whatever the headers
 * contain. Throws only WechatPayNotificationRefused. The caller has to compare amount and order.
 */
export function openNotification(
  headers: HttpHeaders,
  rawBody: Buffer,
  nowSeconds: number,
  trust: NotificationTrust,
): Notification {
  if (!Buffer.isBuffer(rawBody) || rawBody.length > longestNotification)
    throw new WechatPayNotificationRefused('MALFORMED', false);
  const fault = signatureFault(headers, rawBody, trust.keys, nowSeconds);
  if (fault !== null) throw new WechatPayNotificationRefused(fault, false);
  const unusable = (reason: NotificationRefusal) => new WechatPayNotificationRefused(reason, true);

  const envelope = readJson(rawBody);
  const id = text(member(envelope, 'id'));
  const event = text(member(envelope, 'event_type'));
  if (id === null || event === null) throw unusable('MALFORMED');
  const kind = event.startsWith('TRANSACTION.') ? 'payment' : event.startsWith('REFUND.') ? 'refund' : 'other';
  if (kind === 'other') return { kind, id, event };

  const opened = decryptResource(member(envelope, 'resource'), trust.apiV3Key);
  if (opened === null) throw unusable('UNDECRYPTABLE');
  const resource = readJson(opened);
  if (resource === null) throw unusable('MALFORMED');
  if (member(resource, 'mchid') !== trust.mchId) throw unusable('WRONG_MERCHANT');
  if (kind === 'refund') {
    const refund = readRefund(resource, 'refund_status');
    if (refund === null) throw unusable('MALFORMED');
    return { kind, id, event, refund };
  }
  if (member(resource, 'appid') !== trust.appId) throw unusable('WRONG_MERCHANT');
  const transaction = readTransaction(resource, trust);
  if (transaction === null) throw unusable('MALFORMED');
  return { kind, id, event, transaction };
}

/** AEAD_AES_256_GCM: 12-byte nonce, the tag is the last 16 bytes, associated data may be empty. null: it failed. */
export function decryptResource(resource: unknown, apiV3Key: string): Buffer | null {
  const associated = member(resource, 'associated_data') ?? '';
  const nonce = member(resource, 'nonce');
  const ciphertext = member(resource, 'ciphertext');
  if (member(resource, 'algorithm') !== 'AEAD_AES_256_GCM' || typeof associated !== 'string') return null;
  if (typeof nonce !== 'string' || Buffer.byteLength(nonce) !== 12 || typeof ciphertext !== 'string') return null;
  const sealed = readBase64(ciphertext);
  if (sealed === null || sealed.length <= 16) return null;
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(apiV3Key), Buffer.from(nonce), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(associated));
    decipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  } catch {
    return null;
  }
}
