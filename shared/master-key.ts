import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { optionalKeys, requiredKey } from './config.ts';

/**
 * The master key encrypts secrets that the service must read again: private keys, push secrets, merchant keys. It also
 * makes the MAC inside each AppID. Former master keys still open what was sealed with them until
 * `portal master-key reseal` was run, and AppIDs that were made with them stay valid.
 */
const masterKey = requiredKey('MASTER_KEY');
const formerKeys = optionalKeys('MASTER_KEY_OLD');

const allKeys = (): Buffer[] => [masterKey(), ...formerKeys()];
const keyId = (key: Buffer): string => createHash('sha256').update('mpc:key-id').update(key).digest('hex').slice(0, 8);
const derive = (key: Buffer, purpose: string): Buffer => createHmac('sha256', key).update(`mpc:${purpose}`).digest();

export class SealError extends Error {
  override readonly name = 'SealError';
}

let sealingRefused: string | undefined;

/**
 * For tools: with a reason, nothing is sealed and no AppID is made until it is called again without one. What a wrong
 * master key seals or makes, the functions would refuse. Functions never call it.
 */
export function refuseSealing(reason: string | undefined): void {
  sealingRefused = reason;
}

function sealingKey(): Buffer {
  if (sealingRefused !== undefined) throw new SealError(sealingRefused);
  return masterKey();
}

/**
 * Encrypts with AES-256-GCM: `<master key id>.<iv>.<ciphertext and tag>`. `context` names the record that owns the
 * secret; it is authenticated, so a sealed secret cannot be moved to another record.
 */
export function seal(secret: string, context: string): string {
  const iv = randomBytes(12);
  const key = sealingKey();
  const cipher = createCipheriv('aes-256-gcm', derive(key, 'seal'), iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${keyId(key)}.${iv.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** Decrypts. Throws SealError if the key is not in MASTER_KEY or MASTER_KEY_OLD, or if the context differs. */
export function unseal(sealed: string, context: string): string {
  const [id, iv, data] = sealed.split('.');
  const key = allKeys().find((candidate) => keyId(candidate) === id);
  if (!key) throw new SealError(`sealed under master key ${id}; it is neither MASTER_KEY nor in MASTER_KEY_OLD`);
  try {
    const bytes = Buffer.from(data ?? '', 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', derive(key, 'seal'), Buffer.from(iv ?? '', 'base64url'));
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8');
  } catch {
    throw new SealError('sealed secret is damaged or belongs to another record');
  }
}

/** true: the secret has to be sealed again, because the master key was changed. */
export const isSealedUnderFormerKey = (sealed: string): boolean => !sealed.startsWith(`${keyId(masterKey())}.`);

/** The id of the master key that sealed it. It says nothing else about the key. */
export const sealedUnder = (sealed: string): string => sealed.split('.', 1)[0] ?? '';

/** The ids of MASTER_KEY and of each key in MASTER_KEY_OLD. */
export const masterKeyIds = (): { current: string; former: string[] } => ({
  current: keyId(masterKey()),
  former: formerKeys().map(keyId),
});

/** A keyed hash under the current master key. It proves nothing: after a change of the key it is another one. */
export const masterMac = (purpose: 'log-address', text: string): Buffer =>
  createHmac('sha256', derive(masterKey(), purpose)).update(text).digest();

/** The same text under each master key, the current one first. */
export const masterMacs = (purpose: 'phone', text: string): Buffer[] =>
  allKeys().map((key) => createHmac('sha256', derive(key, purpose)).update(text).digest());

const APP_ID = /^([0-9a-f]{8})-([0-9a-f]{4})-(8[0-9a-f]{3})-([89ab])([0-9a-f]{3})-([0-9a-f]{12})$/;

const appIdMac = (key: Buffer, rest: string): string =>
  createHmac('sha256', derive(key, 'app-id')).update(rest).digest('hex').slice(0, 15);

/** A UUID of version 8 (row A4 (signature)). Its last 60 bits are a MAC of the other 68. */
export function mintAppId(): string {
  const random = randomBytes(10).toString('hex');
  const variant = '89ab'.charAt(randomBytes(1).readUInt8(0) & 3);
  const rest = `${random.slice(0, 12)}8${random.slice(12, 15)}${variant}`;
  const mac = appIdMac(sealingKey(), rest);
  return `${rest.slice(0, 8)}-${rest.slice(8, 12)}-${rest.slice(12, 16)}-${variant}${mac.slice(0, 3)}-${mac.slice(3)}`;
}

/** false: the AppID is invented. Only computation, so an invented AppID costs no request to an engine. */
export const isGenuineAppId = (appId: string): boolean => isMadeWith(allKeys(), appId);

/** true: this AppID is refused as soon as its key is removed from MASTER_KEY_OLD. */
export const isMadeWithFormerKey = (appId: string): boolean =>
  isMadeWith(formerKeys(), appId) && !isMadeWith([masterKey()], appId);

function isMadeWith(keys: readonly Buffer[], appId: string): boolean {
  const match = APP_ID.exec(appId);
  if (!match) return false;
  const [, a, b, c, variant, macHead, macTail] = match;
  const given = Buffer.from(`${macHead}${macTail}`);
  return keys.some((key) => timingSafeEqual(given, Buffer.from(appIdMac(key, `${a}${b}${c}${variant}`))));
}
