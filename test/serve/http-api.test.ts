import { describe, expect, test } from 'vitest';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { sendRaw } from '../support/raw-http.ts';

async function refusal(answer: Response): Promise<[number, unknown]> {
  expect(answer.headers.get('content-type')).toBe('application/json');
  return [answer.status, await answer.json()];
}

describe('routes', () => {
  test('an undeclared route or method is 404, also with a trailing slash and for HEAD', async () => {
    const { url } = await fixtureApi();
    expect(await refusal(await fetch(`${url}/nowhere`))).toEqual([404, { message: 'Not Found' }]);
    expect(await refusal(await fetch(`${url}/open`, { method: 'DELETE' }))).toEqual([404, { message: 'Not Found' }]);
    expect((await fetch(`${url}/open/`)).status).toBe(404);
    expect((await fetch(`${url}/items/books/`)).status).toBe(404);
    expect((await fetch(`${url}/open`, { method: 'HEAD' })).status).toBe(404);
  });

  test.each([
    ['/items/books/first', 'GET /items/books/first'],
    ['/items/books/7', 'GET /items/books/{id}'],
    ['/items/pens/first', 'GET /items/{kind}/first'],
    ['/items/pens/7', 'GET /items/{kind}/{id}'],
  ])('%s reaches %s', async (path, routeKey) => {
    const { url } = await fixtureApi();
    const { event } = (await (await fetch(url + path)).json()) as { event: { routeKey: string } };
    expect(event.routeKey).toBe(routeKey);
  });

  test('a path with a malformed escape is 400', async () => {
    const { port } = await fixtureApi();
    for (const path of ['/items/a/%', '/items/a/%zz', '/items/a/%ff', 'items']) {
      const answer = await sendRaw(port, [`GET ${path} HTTP/1.1`, 'host: a']);
      expect([path, answer.status, answer.body]).toEqual([path, 400, '{"message":"Bad Request"}']);
    }
  });
});

describe('the authorizer', () => {
  test('does not run without a token or with an empty one', async () => {
    const { url } = await fixtureApi();
    const events: unknown[] = [];
    globalThis.authorizerEvents = events;
    expect(await refusal(await fetch(`${url}/guarded`))).toEqual([401, { message: 'Unauthorized' }]);
    const empty = await fetch(`${url}/guarded`, { headers: { 'access-token': '' } });
    expect(await refusal(empty)).toEqual([401, { message: 'Unauthorized' }]);
    expect(events).toEqual([]);
  });

  test.each([
    ['deny', 403, 'Forbidden'],
    ['throw', 500, 'Internal Server Error'],
    ['slow', 500, 'Internal Server Error'],
    ['rubbish', 500, 'Internal Server Error'],
    ['text', 500, 'Internal Server Error'],
  ])('that gives the result "%s" makes the answer %i', async (token, status, message) => {
    const { url } = await fixtureApi();
    const answer = await fetch(`${url}/guarded`, { headers: { 'access-token': token } });
    expect(await refusal(answer)).toEqual([status, { message }]);
  });

  test('runs for every call, and the handler gets its context', async () => {
    const { url } = await fixtureApi();
    const events: unknown[] = [];
    globalThis.authorizerEvents = events;
    for (let call = 0; call < 3; call++) {
      const answer = await fetch(`${url}/guarded`, { headers: { 'access-token': 'allow' } });
      const { event } = (await answer.json()) as { event: { requestContext: { authorizer: unknown } } };
      expect(event.requestContext.authorizer).toEqual({
        lambda: { appId: 'app-1', scopes: ['login'], depth: { n: 1 } },
      });
    }
    expect(events).toHaveLength(3);
  });

  test('that gives no context makes it null for the handler', async () => {
    const { url } = await fixtureApi();
    const answer = await fetch(`${url}/guarded`, { headers: { 'access-token': 'bare' } });
    expect(await answer.json()).toMatchObject({ event: { requestContext: { authorizer: { lambda: null } } } });
  });
});

describe('limits', () => {
  test('a body over 10 MB is 413, one of 1 MB passes', async () => {
    const { url } = await fixtureApi();
    const post = (bytes: number): Promise<Response> =>
      fetch(`${url}/open`, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(bytes) });
    expect(await refusal(await post(10 * 1024 * 1024 + 1))).toEqual([413, { message: 'Request Entity Too Large' }]);
    expect((await post(1024 * 1024)).status).toBe(200);
  });

  test('request line and header values over 10 240 bytes are 431', async () => {
    const { port } = await fixtureApi();
    for (const [bytes, status] of [
      [10_000, 200],
      [10_241, 431],
      [80_000, 431],
    ] as const) {
      const answer = await sendRaw(port, ['GET /open HTTP/1.1', 'host: a', `x-long: ${'x'.repeat(bytes)}`]);
      expect([bytes, answer.status]).toEqual([bytes, status]);
    }
  });

  test('a request that is not HTTP is 400', async () => {
    const { port } = await fixtureApi();
    expect(await sendRaw(port, ['nonsense'])).toMatchObject({ status: 400, body: '{"message":"Bad Request"}' });
  });

  test('the stage throttle, where it is on, refuses calls above the burst of a route', async () => {
    const { url } = await fixtureApi({ throttle: true });
    const statuses = [];
    for (let call = 0; call < 4; call++) statuses.push((await fetch(`${url}/open`)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(await refusal(await fetch(`${url}/open`))).toEqual([429, { message: 'Too Many Requests' }]);
    expect((await fetch(`${url}/items/pens/7`)).status).toBe(200);
  });
});

describe('CORS', () => {
  const preflight = (url: string, origin: string): Promise<Response> =>
    fetch(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });

  test('a preflight of an allowed origin needs no token and gets the allowed methods and headers', async () => {
    const { url } = await fixtureApi();
    const answer = await preflight(`${url}/guarded`, 'https://second.example.com');
    expect(answer.status).toBe(204);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': 'https://second.example.com',
      'access-control-allow-methods': 'GET,POST',
      'access-control-allow-headers': 'access-token,content-type',
      'access-control-max-age': '600',
    });
  });

  test('another origin gets no CORS header for a preflight or a simple request', async () => {
    const { url } = await fixtureApi();
    const simple = await fetch(`${url}/open`, { headers: { origin: 'https://evil.example.com' } });
    expect(simple.status).toBe(200);
    for (const answer of [simple, await preflight(`${url}/open`, 'https://evil.example.com')]) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  test('an allowed origin may read the exposed headers of answers and refusals', async () => {
    const { url } = await fixtureApi();
    for (const path of ['/open', '/guarded', '/nowhere', '/answers/foreign']) {
      const { headers } = await fetch(url + path, { headers: { origin: 'https://h5.example.com' } });
      expect(headers.get('access-control-allow-origin')).toBe('https://h5.example.com');
      expect(headers.get('access-control-expose-headers')).toBe('Date,x-request-id');
    }
  });
});
