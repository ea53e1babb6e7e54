import type { APIGatewayProxyEventV2WithLambdaAuthorizer, APIGatewayRequestAuthorizerEventV2 } from 'aws-lambda';
import { expect, test } from 'vitest';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { sendRaw } from '../support/raw-http.ts';

type HandlerEvent = APIGatewayProxyEventV2WithLambdaAuthorizer<Record<string, unknown>>;

async function eventOf(port: number, lines: string[], body = ''): Promise<HandlerEvent> {
  const answer = await sendRaw(port, lines, body);
  expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('"event"')]);
  return (JSON.parse(answer.body) as { event: HandlerEvent }).event;
}

test('a plain request gives an event without empty members', async () => {
  const { port } = await fixtureApi();
  const event = await eventOf(port, ['GET /open HTTP/1.1', 'Host: api.example.com:80', 'User-Agent: test']);
  expect(Object.keys(event).sort()).toEqual(
    ['headers', 'isBase64Encoded', 'rawPath', 'rawQueryString', 'requestContext', 'routeKey', 'version'].sort(),
  );
  expect(event).toMatchObject({
    version: '2.0',
    routeKey: 'GET /open',
    rawPath: '/open',
    rawQueryString: '',
    isBase64Encoded: false,
    requestContext: {
      domainName: 'api.example.com',
      domainPrefix: 'api',
      http: { method: 'GET', path: '/open', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      routeKey: 'GET /open',
      stage: '$default',
      time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
      timeEpoch: expect.any(Number),
    },
  });
  expect(event.requestContext).not.toHaveProperty('authorizer');
});

test('header names are lower case, duplicates are joined, hop-by-hop headers are left out', async () => {
  const { port } = await fixtureApi();
  const lines = ['GET /open HTTP/1.1', 'HOST: a', 'X-Twice: 1', 'x-twice: 2', 'Authorization: A', 'authorization: B'];
  const { headers } = await eventOf(port, [...lines, 'X-Forwarded-For: 9.9.9.9', 'Keep-Alive: timeout=5']);
  expect(headers).toMatchObject({ host: 'a', 'x-twice': '1,2', authorization: 'A,B' });
  expect(headers['x-forwarded-for']).toBe('9.9.9.9, 127.0.0.1');
  expect(headers).not.toHaveProperty('connection');
  expect(headers).not.toHaveProperty('keep-alive');
});

test('cookies are in a separate list', async () => {
  const { port } = await fixtureApi();
  const event = await eventOf(port, ['GET /open HTTP/1.1', 'host: a', 'Cookie: a=1; b=2', 'cookie: a=3']);
  expect(event.cookies).toEqual(['a=1', 'b=2', 'a=3']);
  expect(event.headers).not.toHaveProperty('cookie');
});

test('the query is given raw, and decoded with duplicates joined', async () => {
  const { port } = await fixtureApi();
  const event = await eventOf(port, ['GET /open?x=1&x=2&name=a%20b+c&w&bad=%zz&__proto__=p HTTP/1.1', 'host: a']);
  expect(event.rawQueryString).toBe('x=1&x=2&name=a%20b+c&w&bad=%zz&__proto__=p');
  expect(Object.entries(event.queryStringParameters ?? {})).toEqual([
    ['x', '1,2'],
    ['name', 'a b c'],
    ['w', ''],
    ['bad', '%zz'],
    ['__proto__', 'p'],
  ]);
});

test('an encoded slash or question mark is decoded before the route is found', async () => {
  const { port } = await fixtureApi();
  for (const target of ['/items/books%2F7', '/items%2fbooks/7', '/items/books/7%3Fadmin=1', '/%69tems/books/7']) {
    const event = await eventOf(port, [`GET ${target} HTTP/1.1`, 'host: a']);
    expect([target, event.rawPath, event.routeKey]).toEqual([target, '/items/books/7', 'GET /items/books/{id}']);
  }
  expect((await sendRaw(port, ['GET /items/books%2F7%2F8 HTTP/1.1', 'host: a'])).status).toBe(404);
});

test('path and path parameters are decoded, and cut at a decoded question mark', async () => {
  const { port } = await fixtureApi();
  const event = await eventOf(port, ['GET /items/%E4%BD%A0%20%2B/7%3Fadmin=1?q=1 HTTP/1.1', 'host: a']);
  expect(event.rawPath).toBe('/items/你 +/7');
  expect(event.requestContext.http.path).toBe('/items/你 +/7');
  expect(event.pathParameters).toEqual({ kind: '你 +', id: '7' });
  expect(event.rawQueryString).toBe('q=1');
});

test.each([
  ['application/json', false],
  ['Application/JSON; charset=utf-8', false],
  ['text/csv', false],
  ['application/xml', false],
  ['application/problem+json', false],
  ['application/x-www-form-urlencoded', true],
  ['application/octet-stream', true],
  ['image/svg+xml', true],
  [undefined, true],
])('a body of type %s is base64 in the event: %s', async (contentType, isBase64Encoded) => {
  const { port } = await fixtureApi();
  const typed = contentType === undefined ? [] : [`content-type: ${contentType}`];
  const event = await eventOf(port, ['POST /open HTTP/1.1', 'host: a', ...typed, 'content-length: 4'], '{"a"');
  expect(event.isBase64Encoded).toBe(isBase64Encoded);
  expect(Buffer.from(event.body ?? '', isBase64Encoded ? 'base64' : 'utf8').toString()).toBe('{"a"');
});

test('a request without a body gives an event without the member body', async () => {
  const { port } = await fixtureApi();
  const event = await eventOf(port, ['POST /open HTTP/1.1', 'host: a', 'content-length: 0']);
  expect(event).not.toHaveProperty('body');
  expect(event.isBase64Encoded).toBe(false);
});

test('the authorizer gets the same request without its body', async () => {
  const { port } = await fixtureApi();
  const events: APIGatewayRequestAuthorizerEventV2[] = [];
  globalThis.authorizerEvents = events;
  const lines = ['POST /guarded?x=1&x=2 HTTP/1.1', 'host: a', 'Access-Token: allow', 'content-type: application/json'];
  const seen = await eventOf(port, [...lines, 'content-length: 2'], '{}');
  expect(events[0]).toMatchObject({
    version: '2.0',
    type: 'REQUEST',
    identitySource: ['allow'],
    routeKey: 'POST /guarded',
    routeArn: expect.stringMatching(/^arn:aws:execute-api:.+\/POST\/guarded$/),
    rawPath: '/guarded',
    rawQueryString: 'x=1&x=2',
    queryStringParameters: { x: '1,2' },
    headers: { 'access-token': 'allow', 'content-type': 'application/json' },
    requestContext: { http: { method: 'POST', sourceIp: '127.0.0.1' }, requestId: seen.requestContext.requestId },
  });
  expect(events[0]).not.toHaveProperty('body');
  expect(events[0]).not.toHaveProperty('isBase64Encoded');
});

test('every request has its own id, and the answer has it in two headers', async () => {
  const { url } = await fixtureApi();
  const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(`${url}/open`)));
  const ids = answers.map(({ headers }) => headers.get('apigw-requestid'));
  expect(new Set(ids).size).toBe(20);
  expect(answers.map(({ headers }) => headers.get('x-request-id'))).toEqual(ids);
});

test('behind a proxy the source address comes from the option sourceIp', async () => {
  const { url } = await fixtureApi({ sourceIp: () => '203.0.113.9' });
  const answer = (await (await fetch(`${url}/open`)).json()) as { event: HandlerEvent };
  expect(answer.event.requestContext.http.sourceIp).toBe('203.0.113.9');
  expect(answer.event.headers['x-forwarded-for']).toBe('203.0.113.9');
});
