import {
  createCipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { selfSignedCertificate } from './certificate.ts';

/** `mixed`: every answer and notification is signed with one of the two at random, as during a merchant's migration. */
export type KeyKind = 'certificate' | 'public-key';
export type KeyMode = KeyKind | 'mixed';

/** Everything that the mock and its merchant share. Plain JSON, so that it can be kept for the next run. */
export interface MockIdentity {
  readonly appId: string;
  readonly mchId: string;
  readonly apiV3Key: string;
  readonly merchantSerial: string;
  readonly merchantPrivateKeyPem: string;
  readonly platform: Readonly<Record<KeyKind, { id: string; pem: string; privateKeyPem: string }>>;
}

const validFrom = new Date('2024-01-01T00:00:00Z');
const validUntil = new Date('2044-01-01T00:00:00Z');

export function newIdentity(): MockIdentity {
  const merchant = newRsaKey();
  const certified = newRsaKey();
  const plain = newRsaKey();
  const serial = newSerial();
  const certificate = selfSignedCertificate('mock-wechatpay platform', serial, certified, validFrom, validUntil);
  const publicKeyPem = createPublicKey(plain).export({ type: 'spki', format: 'pem' }).toString();
  return {
    appId: 'wxmock0000000001',
    mchId: '1900000001',
    apiV3Key: randomBytes(16).toString('hex'),
    merchantSerial: newSerial(),
    merchantPrivateKeyPem: merchant,
    platform: {
      certificate: { id: serial, pem: certificate, privateKeyPem: certified },
      'public-key': {
        id: `PUB_KEY_ID_0${randomBytes(8).toString('hex').toUpperCase()}`,
        pem: publicKeyPem,
        privateKeyPem: plain,
      },
    },
  };
}

/** Created once and kept, so that the configuration of a backend is valid after a restart of the mock. */
export function loadIdentity(file: string): MockIdentity {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as MockIdentity;
  const identity = newIdentity();
  writeFileSync(file, JSON.stringify(identity, null, 2), { mode: 0o600, flag: 'wx' });
  return identity;
}

export interface PlatformSigner {
  /** The four headers that prove `body`. */
  sign(body: string, kind: KeyKind, nowMs: number): Record<string, string>;
  /** Whether the merchant of this identity signed the request within five minutes. */
  isMerchant(authorization: string | undefined, method: string, target: string, body: string, nowMs: number): boolean;
  seal(content: string, associatedData: string): Record<string, string>;
}

export function createSigner(identity: MockIdentity): PlatformSigner {
  const merchantKey = createPublicKey(identity.merchantPrivateKeyPem);
  const keys: Record<KeyKind, KeyObject> = {
    certificate: createPrivateKey(identity.platform.certificate.privateKeyPem),
    'public-key': createPrivateKey(identity.platform['public-key'].privateKeyPem),
  };
  return {
    sign(body, kind, nowMs) {
      const timestamp = String(Math.floor(nowMs / 1000));
      const nonce = randomBytes(16).toString('hex');
      const signature = sign('RSA-SHA256', Buffer.from(`${timestamp}\n${nonce}\n${body}\n`), keys[kind]);
      return {
        'Wechatpay-Timestamp': timestamp,
        'Wechatpay-Nonce': nonce,
        'Wechatpay-Serial': identity.platform[kind].id,
        'Wechatpay-Signature': signature.toString('base64'),
      };
    },

    isMerchant(authorization, method, target, body, nowMs) {
      const [, list] = /^WECHATPAY2-SHA256-RSA2048 (.+)$/.exec(authorization ?? '') ?? [];
      if (list === undefined) return false;
      const fields = new Map([...list.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value ?? '']));
      const timestamp = fields.get('timestamp') ?? '';
      if (fields.get('mchid') !== identity.mchId || fields.get('serial_no') !== identity.merchantSerial) return false;
      if (!/^\d{10}$/.test(timestamp) || Math.abs(Number(timestamp) - nowMs / 1000) > 300) return false;
      const message = `${method}\n${target}\n${timestamp}\n${fields.get('nonce_str')}\n${body}\n`;
      return verify(
        'RSA-SHA256',
        Buffer.from(message),
        merchantKey,
        Buffer.from(fields.get('signature') ?? '', 'base64'),
      );
    },

    seal(content, associatedData) {
      const nonce = randomBytes(6).toString('hex');
      const cipher = createCipheriv('aes-256-gcm', Buffer.from(identity.apiV3Key), Buffer.from(nonce));
      cipher.setAAD(Buffer.from(associatedData));
      const sealed = Buffer.concat([cipher.update(content, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      const algorithm = 'AEAD_AES_256_GCM';
      return { algorithm, ciphertext: sealed.toString('base64'), associated_data: associatedData, nonce };
    },
  };
}

function newRsaKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function newSerial(): string {
  return `5${randomBytes(19).toString('hex')}0`.toUpperCase();
}
