import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { answersOf, sendBytes } from '../support/raw-http.ts';

const get = (lines: string[], target = '/open', version = 'HTTP/1.1') =>
  [`GET ${target} ${version}`, ...lines, '', ''].join('\r\n');
const post = (lines: string[], body = '', version = 'HTTP/1.1') =>
  [`POST /open ${version}`, 'host: a', ...lines, '', body].join('\r\n');

test.each([
  ['two Host headers', get(['host: a', 'Host: b'])],
  ['two equal Host headers', get(['host: a', 'host: a'])],
  ['a Host with a space', get(['host: a b'])],
  ['a Host with a list', get(['host: a, b'])],
  ['a Host with a user name', get(['host: user@a'])],
  ['a Host with a path', get(['host: a/b'])],
  ['no Host in HTTP/1.1', get([])],
  ['a request line of HTTP/0.9', 'GET /open\r\n\r\n'],
  ['the version HTTP/0.9', get(['host: a'], '/open', 'HTTP/0.9')],
  ['the version HTTP/2.0', get(['host: a'], '/open', 'HTTP/2.0')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a length beside chunks', post(['content-length: 5', 'transfer-encoding: chunked'], '0\r\n\r\n')],
  ['chunks beside a length', post(['transfer-encoding: chunked', 'content-length: 5'], '0\r\n\r\n')],
  ['two lengths', post(['content-length: 2', 'content-length: 1'], '{}')],
  ['a list of lengths', post(['content-length: 2, 2'], '{}')],
  ['a length with a sign', post(['content-length: +2'], '{}')],
  ['a length in hex', post(['content-length: 0x2'], '{}')],
  ['a coding that is not chunked', post(['transfer-encoding: gzip, chunked'], '0\r\n\r\n')],
  ['chunked twice', post(['transfer-encoding: chunked, chunked'], '0\r\n\r\n')],
  ['chunks in HTTP/1.0', post(['transfer-encoding: chunked'], '0\r\n\r\n', 'HTTP/1.0')],
  ['a chunk size that is no hex', post(['transfer-encoding: chunked'], 'zz\r\n{}\r\n0\r\n\r\n')],
  ['chunks that end with a bare LF', post(['transfer-encoding: chunked'], '2\n{}\n0\n\n')],
  ['a folded header', get(['host: a', 'x-a: 1', ' 2'])],
  ['a header folded with a tab', get(['host: a', 'x-a: 1', '\t2'])],
  ['a space before the first header', get([' host: a'])],
  ['lines that end with a bare LF', 'GET /open HTTP/1.1\nhost: a\n\n'],
  ['one header that ends with a bare LF', 'GET /open HTTP/1.1\r\nhost: a\nx-a: 1\r\n\r\n'],
  ['a bare CR in a header', get(['host: a\rx-a: 1'])],
  ['a space before the colon', get(['host : a'])],
  ['a null byte in a header', get(['host: a', 'x-a: \0'])],
  ['a header without a colon', get(['host: a', 'nonsense'])],
  ['a fragment in the target', get(['host: a'], '/open#part')],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n'],
])('%s is 400, and the connection is closed', async (_, bytes) => {
  const { port } = await fixtureApi();
  const answers = answersOf(await sendBytes(port, bytes));
  expect(answers.map(({ status, body }) => [status, body])).toEqual([[400, '{"message":"Bad Request"}']]);
  expect(answers[0]?.head).toContain('connection: close');
});

test.each([
  ['an address with a port', get(['host: 127.0.0.1:8000', 'connection: close'])],
  ['an IPv6 address with a port', get(['host: [::1]:8000', 'connection: close'])],
  ['an empty Host', get(['host:', 'connection: close'])],
  ['no Host in HTTP/1.0', get([], '/open', 'HTTP/1.0')],
  ['a target with its own host', get(['host: a', 'connection: close'], 'http://a/open')],
  ['chunks in any case', post(['transfer-encoding: Chunked', 'connection: close'], '2\r\n{}\r\n0\r\n\r\n')],
])('%s is accepted', async (_, bytes) => {
  const { port } = await fixtureApi();
  expect(answersOf(await sendBytes(port, bytes)).map(({ status }) => status)).toEqual([200]);
});

describe('a bad request behind a good one', () => {
  const good = get(['host: a'], '/patient/200');

  test.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['a second Host', get(['host: a', 'host: b'])],
    ['a folded header', get(['host: a', 'x-a: 1', ' 2'])],
    ['a body with two lengths', post(['content-length: 2', 'content-length: 1'], '{}')],
    ['a chunk that is no chunk', post(['transfer-encoding: chunked'], 'zz\r\n')],
  ])('(%s): the good one is answered first, then 400', async (_, bad) => {
    const { port } = await fixtureApi();
    const answers = answersOf(await sendBytes(port, good + bad));
    expect(answers.map(({ status }) => status)).toEqual([200, 400]);
    expect(answers[0]?.body).toContain('"milliseconds":"200"');
  });

  test('all good ones before it are answered in their order', async () => {
    const { port } = await fixtureApi();
    const calls = ['/patient/150', '/patient/1', '/patient/50'].map((target) => get(['host: a'], target));
    const answers = answersOf(await sendBytes(port, `${calls.join('')}nonsense\r\n\r\n`));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 400]);
    expect(answers.map(({ body }) => /"milliseconds":"(\d+)"/.exec(body)?.[1])).toEqual(['150', '1', '50', undefined]);
  });

  test('the rest is dropped when the client sends more', async () => {
    const { port } = await fixtureApi();
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write(`${good}nonsense\r\n\r\n`);
    const more = setInterval(() => socket.write(get(['host: a'])), 20);
    socket.on('end', () => clearInterval(more));
    await closed;
    expect(answersOf(text).map(({ status }) => status)).toEqual([200, 400]);
  });
});
