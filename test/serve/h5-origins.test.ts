import { expect, test } from 'vitest';
import { readH5Origins } from '../../serve/h5-origins.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';

const allowed = async (url: string, origin: string, method = 'GET') =>
  (await fetch(`${url}/open`, { method, headers: { origin } })).headers.get('access-control-allow-origin');

test('an origin is read as browsers write it', () => {
  expect(readH5Origins(' https://A.example.com/, http://localhost:3001 ,https://b.example.com:443,')).toEqual([
    'https://a.example.com',
    'http://localhost:3001',
    'https://b.example.com',
  ]);
  expect(readH5Origins('*')).toEqual(['*']);
});

test.each([
  'a.example.com',
  'https://a.example.com/app',
  'https://*.example.com/x',
  'https://*.example.com',
  'https://*',
  'capacitor://localhost',
  'http://localhost:3001 http://localhost:3002',
  'https://a.example.com;https://b.example.com',
  'ftp://a',
  'null',
  'https://u@a.cn',
])('%s is refused, because it is no origin', (entry) => {
  expect(() => readH5Origins(`https://good.example.com,${entry}`)).toThrow(RangeError);
});

test('given origins replace those of serverless.yml', async () => {
  const { url } = await fixtureApi({ h5Origins: ['http://localhost:3001'] });
  expect(await allowed(url, 'http://localhost:3001')).toBe('http://localhost:3001');
  expect(await allowed(url, 'http://localhost:3001', 'OPTIONS')).toBe('http://localhost:3001');
  expect(await allowed(url, 'https://h5.example.com')).toBeNull();
});

test('the origins of serverless.yml are those of the stage', async () => {
  const { url } = await fixtureApi({ stage: 'live' });
  expect(await allowed(url, 'https://live.example.com')).toBe('https://live.example.com');
  expect(await allowed(url, 'https://h5.example.com')).toBeNull();
});

test('an origin that is refused is logged once, with what is allowed', async () => {
  const lines: string[] = [];
  const { url, port } = await fixtureApi({ log: (line) => lines.push(line), h5Origins: ['https://h5.example.com'] });
  lines.length = 0;
  await allowed(url, 'http://localhost:3001', 'OPTIONS');
  await allowed(url, 'http://localhost:3001');
  await allowed(url, 'https://h5.example.com');
  await allowed(url, `http://127.0.0.1:${port}`);
  expect(lines).toEqual([
    'calls from the web page "http://localhost:3001" are refused by its browser: H5 origins are https://h5.example.com. See --h5-origins.',
  ]);
});

test('invented origins do not fill the log', async () => {
  const lines: string[] = [];
  const { url } = await fixtureApi({ log: (line) => lines.push(line) });
  lines.length = 0;
  for (let index = 0; index < 30; index++) await allowed(url, `https://${index}.example.com`);
  expect(lines).toHaveLength(20);
  await allowed(url, 'https://x.example.com');
  expect(lines).toHaveLength(20);
});
