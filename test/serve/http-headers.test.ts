import { expect, test } from 'vitest';
import { sourceIpBehind } from '../../serve/source-ip.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { answersOf, sendBytes } from '../support/raw-http.ts';

const get = (lines: string[], target = '/open') =>
  [`GET ${target} HTTP/1.1`, 'host: a', ...lines, 'connection: close', '', ''].join('\r\n');
const headers = (count: number) => Array.from({ length: count }, () => 'x:');

test.each([
  ['201 headers', get(headers(199))],
  ['2100 headers, the last of them a second Host', get([...headers(2100), 'host: b'])],
  ['as many headers as fit', get(headers(15_000))],
  ['a long request target', get([], `/open?${'a'.repeat(12_000)}`)],
  ['a request target without end', `GET /open?${'a'.repeat(100_000)}`],
  ['a header without end', `GET /open HTTP/1.1\r\nhost: a\r\nx: ${'a'.repeat(100_000)}`],
  ['a trailer without end', chunked(`0\r\nx: ${'a'.repeat(300_000)}`)],
  ['20 000 trailers', chunked(`0\r\n${'x-trailer: 1\r\n'.repeat(20_000)}\r\n`)],
  ['a preflight with 20 KB of headers', get([`x: ${'a'.repeat(20_000)}`]).replace('GET', 'OPTIONS')],
])('%s: 431 or 400, and nothing is run', async (_, bytes) => {
  const { port } = await fixtureApi();
  const [answer, ...more] = answersOf(await sendBytes(port, bytes));
  expect([431, 400]).toContain(answer?.status);
  expect([answer?.head.includes('connection: close'), more]).toEqual([true, []]);
});

function chunked(rest: string): string {
  return `POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n${rest}`;
}

test('the header that a proxy adds behind all others is read', async () => {
  const { port } = await fixtureApi({ sourceIp: sourceIpBehind(['127.0.0.1']) });
  const [answer] = answersOf(await sendBytes(port, get([...headers(150), 'x-forwarded-for: 9.9.9.9'])));
  expect(answer?.body).toContain('"sourceIp":"9.9.9.9"');
});

test.each([
  ['an extension of 200 KB', `2;${'a'.repeat(200_000)}\r\n{}\r\n0\r\n\r\n`],
  ['an extension with a bare LF', '2;\n{}\r\n0\r\n\r\n'],
  ['an extension with a bare CR', '2;a\rb\r\n{}\r\n0\r\n\r\n'],
  ['a size over 64 bits', 'fffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
  ['a negative size', '-2\r\n{}\r\n0\r\n\r\n'],
  ['a space behind the size', '2 \r\n{}\r\n0\r\n\r\n'],
  ['no line end behind the data', '2\r\n{}0\r\n\r\n'],
  ['more data than the size', '2\r\n{}XX\r\n0\r\n\r\n'],
  ['a length as a trailer', '2\r\n{}\r\n0\r\ncontent-length: 5\r\n\r\n'],
])('a chunk with %s is 400', async (_, body) => {
  const { port } = await fixtureApi();
  const text = await sendBytes(port, `POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n${body}`);
  expect(answersOf(text).map(({ status }) => status)).toEqual([400]);
});

test('trailers are no headers', async () => {
  const { port } = await fixtureApi();
  const trailers = '0\r\naccess-token: allow\r\nhost: b\r\n\r\n';
  const [answer] = answersOf(await sendBytes(port, `${chunked(trailers)}nonsense\r\n\r\n`));
  expect(answer?.status).toBe(200);
  expect(answer?.body).not.toContain('access-token');
});

test.each([
  ['an empty coding', 'transfer-encoding:'],
  ['a coding in quotes', 'transfer-encoding: "chunked"'],
  ['a coding with a parameter', 'transfer-encoding: chunked;q=1'],
  ['a coding behind a vertical tab', 'transfer-encoding: \x0bchunked'],
  ['a coding behind a comma', 'transfer-encoding: ,chunked'],
  ['identity', 'transfer-encoding: identity'],
  ['identity, then chunked', 'transfer-encoding: identity\r\ntransfer-encoding: chunked'],
  ['an empty length', 'content-length:'],
  ['a length over 64 bits', 'content-length: 18446744073709551618'],
  ['two equal lengths', 'content-length: 2\r\ncontent-length: 2'],
])('%s is 400, and what follows is not run', async (_, line) => {
  const { port } = await fixtureApi();
  const bytes = `POST /open HTTP/1.1\r\nhost: a\r\n${line}\r\n\r\n0\r\n\r\n${get([])}`;
  expect(answersOf(await sendBytes(port, bytes)).map(({ status }) => status)).toEqual([400]);
});

test.each([
  ['HTTP/1.0', 'POST /open HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}'],
  ['a request without a body', get(['expect: 100-continue'])],
])('100 Continue is not sent to %s', async (_, bytes) => {
  const { port } = await fixtureApi();
  expect(await sendBytes(port, bytes)).toMatch(/^HTTP\/1\.1 200 /);
});

test.each([
  ['PROXY protocol 1', Buffer.from(`PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n${get([])}`)],
  ['PROXY protocol 2', Buffer.from(`\r\n\r\n\0\r\nQUIT\n${get([])}`)],
  ['a TLS hello', Buffer.from('16030100a5010000a10303', 'hex')],
  ['SOCKS', Buffer.from('050100', 'hex')],
  ['a hundred zeros', Buffer.alloc(100)],
])('%s in place of HTTP is 400', async (_, bytes) => {
  const { port } = await fixtureApi();
  expect(answersOf(await sendBytes(port, bytes)).map(({ status }) => status)).toEqual([400]);
});
