import { createHash, randomBytes } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { describe, expect, test } from 'vitest';
import type { SimulatedRequest } from '../../local/simulators/loopback-server.ts';
import { refusalOf } from '../../local/simulators/signature-v4.ts';
import type { Store } from '../../shared/uploads/settings.ts';
import { signedAddress, signedHeaders } from '../../shared/uploads/sign.ts';

/** "Authenticating Requests: Using Query Parameters" and "Examples of signature calculations" of the S3 API reference. */
const EXAMPLE: Store = {
  endpoint: new URL('https://examplebucket.s3.amazonaws.com'),
  bucket: 'examplebucket',
  region: 'us-east-1',
  keyId: 'AKIAIOSFODNN7EXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const EXAMPLE_AT = Date.parse('2013-05-24T00:00:00Z');
const EXAMPLE_SIGNATURE = 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';

function requestOf(method: string, address: string, headers: Record<string, string>, body = ''): SimulatedRequest {
  const { host, pathname, searchParams } = new URL(address);
  return { method, path: pathname, query: searchParams, headers: { host, ...headers }, body: Buffer.from(body) };
}

describe('the published example', () => {
  const address = signedAddress(EXAMPLE, { method: 'GET', key: 'test.txt', at: EXAMPLE_AT }, 86_400);

  test('has the published signature', () => {
    expect(new URL(address).searchParams.get('X-Amz-Signature')).toBe(EXAMPLE_SIGNATURE);
  });

  test('passes the check of the simulator, for a day and no longer', () => {
    const request = requestOf('GET', address, {});
    expect(refusalOf(request, EXAMPLE, EXAMPLE_AT + 86_400_000)).toBeNull();
    expect(refusalOf(request, EXAMPLE, EXAMPLE_AT + 86_401_000)).toEqual([403, 'AccessDenied', 'Request has expired']);
  });

  test('with one character more in the key is refused', () => {
    const request = requestOf('GET', address.replace('test.txt', 'test.txts'), {});
    expect(refusalOf(request, EXAMPLE, EXAMPLE_AT)?.[1]).toBe('SignatureDoesNotMatch');
  });
});

describe('another signer', () => {
  const hex = (bytes: number) => randomBytes(bytes).toString('hex');
  const stores = Array.from({ length: 25 }, (_, index): Store => {
    const bucket = `b${hex(4)}`;
    const host = index % 2 ? `${bucket}.s3.example.com` : `${hex(5)}.r2.example.com:9000`;
    return { endpoint: new URL(`https://${host}`), bucket, region: 'auto', keyId: `${hex(6)}+!`, secret: hex(20) };
  });

  test.each(stores)('makes the same signatures with $keyId', async (store) => {
    const key = `new/${hex(8)}/${randomBytes(9).toString('base64url')}/${randomBytes(16).toString('base64url')}`;
    const headers = {
      'content-length': String(1 + randomBytes(1).readUInt8(0)),
      'content-type': 'image/png',
      'x-amz-content-sha256': createHash('sha256').update(hex(4)).digest('hex'),
    };
    const at = Date.now();
    const datetime = new Date(at).toISOString().replace(/[:-]|\.\d{3}/g, '');
    const address = signedAddress(store, { method: 'PUT', key, headers, at }, 900);
    const unsigned = address.slice(0, address.indexOf('?'));
    const common = { accessKeyId: store.keyId, secretAccessKey: store.secret, service: 's3', region: store.region };
    const signer = { ...common, datetime, allHeaders: true };
    const inQuery = await new AwsV4Signer({
      ...{ ...signer, method: 'PUT', url: `${unsigned}?X-Amz-Expires=900`, headers, signQuery: true },
    }).sign();
    const signature = (text: string) => new URL(text).searchParams.get('X-Amz-Signature');
    expect(signature(address)).toBe(signature(inQuery.url.href));

    const made = signedHeaders(store, { method: 'PUT', key, headers: { 'content-type': 'image/png' }, at });
    const { authorization, ...sent } = made;
    const inHeaders = await new AwsV4Signer({ ...signer, method: 'PUT', url: unsigned, headers: sent }).sign();
    expect(authorization).toBe(inHeaders.headers.get('authorization'));
    expect(refusalOf(requestOf('PUT', unsigned, made), store, at)).toBeNull();
  });
});

describe('the simulated store refuses', () => {
  const at = Date.now();
  const body = 'the body';
  const signed = {
    'content-length': String(body.length),
    'content-type': 'image/png',
    'x-amz-content-sha256': createHash('sha256').update(body).digest('hex'),
  };
  const address = signedAddress(EXAMPLE, { method: 'PUT', key: 'new/a/b/c', headers: signed, at }, 900);
  const refused = (headers: Record<string, string>, text = body, method = 'PUT') =>
    refusalOf(requestOf(method, address, { ...signed, ...headers }, text), EXAMPLE, at)?.[1];

  test('another type, length, method or body than was signed, and a header of the store that was not signed', () => {
    expect(refused({})).toBeUndefined();
    expect(refused({ 'content-type': 'text/html' })).toBe('SignatureDoesNotMatch');
    expect(refused({ 'content-length': '9' })).toBe('SignatureDoesNotMatch');
    expect(refused({}, body, 'DELETE')).toBe('SignatureDoesNotMatch');
    expect(refused({}, 'another!')).toBe('XAmzContentSHA256Mismatch');
    expect(refused({ 'x-amz-acl': 'public-read' })).toBe('AccessDenied');
  });
});
