import { createPrivateKey, createPublicKey, type KeyObject, sign, verify, X509Certificate } from 'node:crypto';
import { readBase64 } from '../../foreign-input.ts';
import { demand } from './error.ts';

/** Names in any case. A header with several values, or two spellings of one name, is refused. */
export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** `id`: a certificate's serial number or `PUB_KEY_ID_...`; `pem`: that certificate or that public key. */
export interface PlatformKey {
  readonly id: string;
  readonly pem: string;
}

export type PlatformKeys = ReadonlyMap<string, KeyObject>;

const freshSeconds = 300;

/**
 * Certificates and public keys can both be set: while a merchant moves from one to the other, WeChat signs with either
 * of them at random. A serial that is not in the map is refused; no key is ever downloaded.
 */
export function readPlatformKeys(keys: readonly PlatformKey[]): PlatformKeys {
  demand(Array.isArray(keys) && keys.length > 0, 'platformKeys');
  const read = new Map<string, KeyObject>();
  keys.forEach(({ id, pem }, index) => {
    const path = `platformKeys[${index}]`;
    const isId = typeof id === 'string' && /^[A-Za-z0-9_]{1,64}$/.test(id);
    demand(isId && !read.has(normalKeyId(id)), `${path}.id`);
    demand(typeof pem === 'string', `${path}.pem`);
    read.set(normalKeyId(id), readPlatformKey(id, pem, path));
  });
  return read;
}

function readPlatformKey(id: string, pem: string, path: string): KeyObject {
  const key = attempt(() => {
    if (pem.includes('-----BEGIN PUBLIC KEY-----')) return createPublicKey(pem);
    if (!pem.includes('-----BEGIN CERTIFICATE-----')) return null;
    const certificate = new X509Certificate(pem);
    return normalKeyId(certificate.serialNumber) === normalKeyId(id) ? certificate.publicKey : null;
  });
  demand(key !== null && isStrongRsa(key), `${path}.pem`);
  return key;
}

export function readMerchantKey(pem: string): KeyObject {
  const key = attempt(() => createPrivateKey(pem));
  demand(key !== null && isStrongRsa(key), 'merchantPrivateKeyPem');
  return key;
}

export function signRsa(key: KeyObject, text: string): string {
  return sign('RSA-SHA256', Buffer.from(text, 'utf8'), key).toString('base64');
}

interface SignedRequest {
  readonly mchId: string;
  readonly serial: string;
  readonly method: string;
  /** Path and query, exactly as sent. */
  readonly target: string;
  readonly body: string;
  readonly timestamp: number;
  readonly nonce: string;
}

/** The Authorization header of API v3, scheme WECHATPAY2-SHA256-RSA2048. */
export function authorization(request: SignedRequest, key: KeyObject): string {
  const { mchId, serial, method, target, body, timestamp, nonce } = request;
  const signature = signRsa(key, `${method}\n${target}\n${timestamp}\n${nonce}\n${body}\n`);
  const serialNo = serial.toUpperCase();
  const fields = { mchid: mchId, nonce_str: nonce, signature, timestamp: String(timestamp), serial_no: serialNo };
  const list = Object.entries(fields).map(([name, value]) => `${name}="${value}"`);
  return `WECHATPAY2-SHA256-RSA2048 ${list.join(',')}`;
}

type SignatureFault = 'MALFORMED' | 'STALE' | 'UNKNOWN_SERIAL' | 'BAD_SIGNATURE';

/**
 * null: WeChat signed these bytes within the last five minutes. WeChat sends deliberately wrong signatures to test
 * merchants, so there are no exceptions here.
 */
export function signatureFault(
  headers: HttpHeaders,
  body: Buffer,
  keys: PlatformKeys,
  nowSeconds: number,
): SignatureFault | null {
  const timestamp = oneHeader(headers, 'wechatpay-timestamp');
  const nonce = oneHeader(headers, 'wechatpay-nonce');
  const serial = oneHeader(headers, 'wechatpay-serial');
  const signature = oneHeader(headers, 'wechatpay-signature');
  if (timestamp === null || nonce === null || serial === null || signature === null) return 'MALFORMED';
  // With a line break in the nonce, bytes could move between nonce and body under one signature.
  if (!/^[1-9][0-9]{9}$/.test(timestamp) || !/^[!-~]{1,128}$/.test(nonce)) return 'MALFORMED';
  if (!(Math.abs(nowSeconds - Number(timestamp)) <= freshSeconds)) return 'STALE';
  const key = keys.get(normalKeyId(serial));
  if (key === undefined) return 'UNKNOWN_SERIAL';
  const signatureBytes = readBase64(signature);
  if (signatureBytes === null) return 'BAD_SIGNATURE';
  const signed = Buffer.concat([Buffer.from(`${timestamp}\n${nonce}\n`, 'utf8'), body, Buffer.from('\n')]);
  return attempt(() => verify('RSA-SHA256', signed, key, signatureBytes)) === true ? null : 'BAD_SIGNATURE';
}

/** null: the header is absent, repeated, or present in two spellings. */
export function oneHeader(headers: HttpHeaders, name: string): string | null {
  let found: string | null = null;
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() !== name || value === undefined) continue;
    if (found !== null || typeof value !== 'string') return null;
    found = value;
  }
  return found;
}

/**
 * The one form in which keys are stored and looked up. A serial number is a number in hex: tools write it in lower or
 * upper case, with or without leading zeros. The id of a public key is a name and stays as it is.
 */
const normalKeyId = (id: string): string =>
  id.startsWith('PUB_KEY_ID_') ? id : id.toUpperCase().replace(/^0+(?=.)/, '');

function isStrongRsa(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
