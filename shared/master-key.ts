import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { optionalKeys, requiredKey } from './config.ts';

/**
 * The master key seals what must be read again (private keys, push secrets, merchant keys) and proves AppIDs. Former
 * master keys stay readable while `portal master-key reseal` has not been run, and go on proving the AppIDs they made.
 */
const masterKey = requiredKey('MASTER_KEY');
const formerKeys = optionalKeys('MASTER_KEY_OLD');

const allKeys = (): Buffer[] => [masterKey(), ...formerKeys()];
const keyId = (key: Buffer): string => createHash('sha256').update('mpc:key-id').update(key).digest('hex').slice(0, 8);
const derive = (key: Buffer, purpose: string): Buffer => createHmac('sha256', key).update(`mpc:${purpose}`).digest();

export class SealError extends Error {
  override readonly name = 'SealError';
}

/** AES-256-GCM: `<master key id>.<iv>.<ciphertext and tag>`. `context` (whose secret it is) is authenticated. */
export function seal(secret: string, context: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', derive(masterKey(), 'seal'), iv).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${keyId(masterKey())}.${iv.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** Throws SealError: sealed under a key that is not in MASTER_KEY or MASTER_KEY_OLD, or for another context. */
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

/** Whether a sealed secret should be sealed again after the master key was changed. */
export const isSealedUnderFormerKey = (sealed: string): boolean => !sealed.startsWith(`${keyId(masterKey())}.`);

const APP_ID = /^([0-9a-f]{8})-([0-9a-f]{4})-(8[0-9a-f]{3})-([89ab])([0-9a-f]{3})-([0-9a-f]{12})$/;

const appIdMac = (key: Buffer, rest: string): string =>
  createHmac('sha256', derive(key, 'app-id')).update(rest).digest('hex').slice(0, 15);

/** A UUID of version 8 (row A4) whose last 60 bits are a MAC of the other 68. */
export function mintAppId(): string {
  const random = randomBytes(10).toString('hex');
  const variant = '89ab'.charAt(randomBytes(1).readUInt8(0) & 3);
  const rest = `${random.slice(0, 12)}8${random.slice(12, 15)}${variant}`;
  const mac = appIdMac(masterKey(), rest);
  return `${rest.slice(0, 8)}-${rest.slice(8, 12)}-${rest.slice(12, 16)}-${variant}${mac.slice(0, 3)}-${mac.slice(3)}`;
}

/** Refuses an invented AppID by computation alone: no engine is asked about it. */
export const provesItself = (appId: string): boolean => isProvenBy(allKeys(), appId);

/** Such an AppID is refused from the day on which the former key is in MASTER_KEY_OLD no more. */
export const isProvenByFormerKey = (appId: string): boolean =>
  isProvenBy(formerKeys(), appId) && !isProvenBy([masterKey()], appId);

function isProvenBy(keys: readonly Buffer[], appId: string): boolean {
  const match = APP_ID.exec(appId);
  if (!match) return false;
  const [, a, b, c, variant, macHead, macTail] = match;
  const given = Buffer.from(`${macHead}${macTail}`);
  return keys.some((key) => timingSafeEqual(given, Buffer.from(appIdMac(key, `${a}${b}${c}${variant}`))));
}
