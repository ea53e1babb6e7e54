import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

/**
 * A self-signed X.509 certificate (RFC 5280, DER), so that the mock needs no package and no openssl. `serial`: hex
 * below 80.
 */
export function selfSignedCertificate(subject: string, serial: string, privateKeyPem: string, from: Date, until: Date) {
  const privateKey = createPrivateKey(privateKeyPem);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b), node(0x05));
  const commonName = sequence(oid(0x55, 0x04, 0x03), node(0x0c, Buffer.from(subject)));
  const name = sequence(node(0x31, commonName));
  const certified = sequence(
    node(0xa0, node(0x02, Buffer.from([2]))),
    node(0x02, Buffer.from(serial, 'hex')),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey,
  );
  const signature = sign('RSA-SHA256', certified, privateKey);
  const certificate = sequence(certified, algorithm, node(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function node(tag: number, content: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(content.length), content]);
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes]);
  const digits = bytes > 0xff ? [bytes >> 8, bytes & 0xff] : [bytes];
  return Buffer.from([0x80 | digits.length, ...digits]);
}

function sequence(...parts: Buffer[]): Buffer {
  return node(0x30, Buffer.concat(parts));
}

function oid(...bytes: number[]): Buffer {
  return node(0x06, Buffer.from(bytes));
}

/** GeneralizedTime. RFC 5280 requires UTCTime before 2050. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\..*/g, '');
  return date.getUTCFullYear() < 2050
    ? node(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : node(0x18, Buffer.from(`${digits}Z`));
}
