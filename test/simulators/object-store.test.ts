import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startObjectStore } from '../../local/simulators/object-store.ts';
import { folderObjects } from '../../local/simulators/stored-objects.ts';
import { signedAddress, signedHeaders } from '../../shared/uploads/sign.ts';

const folder = mkdtempSync(join(tmpdir(), 'objects-'));
const keys = { bucket: 'b', region: 'auto', keyId: 'id', secret: 'word' };
const simulator = await startObjectStore({ ...keys, objects: folderObjects(folder) });
const store = { ...keys, endpoint: new URL(simulator.url) };
afterAll(async () => {
  await simulator.stop();
  rmSync(folder, { recursive: true });
});

type Method = 'GET' | 'HEAD' | 'PUT' | 'DELETE';
const address = (method: Method, key: string, headers = {}) =>
  signedAddress(store, { method, key, headers, at: Date.now() }, 60);
const put = (key: string, body: string) => {
  const headers = { 'content-type': 'image/png', 'content-length': String(body.length) };
  return fetch(address('PUT', key, headers), { method: 'PUT', headers: { 'content-type': 'image/png' }, body });
};
const codeOf = async (answer: Response) => [answer.status, /<Code>(\w+)<\/Code>/.exec(await answer.text())?.[1]];

describe('the simulated object store', () => {
  test('stores, shows, copies and deletes, and another start finds the objects', async () => {
    const { headers } = await put('new/a', 'hello');
    const etag = '"5d41402abc4b2a76b9719d911017c592"';
    expect(headers.get('etag')).toBe(etag);
    const head = await fetch(address('HEAD', 'new/a'), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([200, '5', etag]);
    const copied = async (match: string) => {
      const headers = { 'x-amz-copy-source': '/b/new/a', 'x-amz-copy-source-if-match': match };
      const signed = signedHeaders(store, { method: 'PUT', key: 'kept/a', headers, at: Date.now() });
      return codeOf(await fetch(`${simulator.url}/b/kept/a`, { method: 'PUT', headers: signed }));
    };
    expect(await copied('"0"')).toEqual([412, 'PreconditionFailed']);
    expect(await copied(etag)).toEqual([200, undefined]);
    expect(folderObjects(folder).get('kept/a')?.body.toString()).toBe('hello');
    for (let i = 0; i < 2; i++)
      expect((await fetch(address('DELETE', 'kept/a'), { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(await fetch(address('GET', 'kept/a')))).toEqual([404, 'NoSuchKey']);
  });

  test('answers web pages of every origin', async () => {
    const preflight = await fetch(`${simulator.url}/b/new/x`, { method: 'OPTIONS' });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PUT');
    expect((await put('new/x', 'x')).headers.get('access-control-allow-origin')).toBe('*');
  });

  test('refuses without a signature, with another key, bucket or region, and after the time', async () => {
    expect(await codeOf(await fetch(`${simulator.url}/b/new/a`))).toEqual([403, 'AccessDenied']);
    const by = async (change: object, seconds = 60, at = Date.now()) =>
      codeOf(await fetch(signedAddress({ ...store, ...change }, { method: 'GET', key: 'new/a', at }, seconds)));
    expect(await by({ secret: 'other' })).toEqual([403, 'SignatureDoesNotMatch']);
    expect(await by({ keyId: 'other' })).toEqual([403, 'InvalidAccessKeyId']);
    expect(await by({ region: 'other' })).toEqual([400, 'AuthorizationQueryParametersError']);
    expect(await by({ bucket: 'other' })).toEqual([404, 'NoSuchBucket']);
    expect(await by({}, 60, Date.now() - 61_000)).toEqual([403, 'AccessDenied']);
    expect(await by({})).toEqual([200, undefined]);
  });
});
