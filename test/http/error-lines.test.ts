import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConfigError } from '../../shared/config.ts';
import { query } from '../../shared/db.ts';
import { EngineError } from '../../shared/errors.ts';
import { serve } from '../../shared/http/lambda.ts';
import { scheduled } from '../../shared/http/scheduled.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** The log line of an error that nobody expected, on the machine of a developer and in a deployment. */
type Line = Record<string, unknown>;

let stack: TestStack;
let lines: Line[] = [];
beforeAll(async () => {
  stack = await startTestStack({ env: { LOG: 'on' } });
});
beforeEach(() => {
  const spy = vi.spyOn(console, 'log').mockImplementation((text) => void lines.push(JSON.parse(String(text))));
  return () => spy.mockRestore();
});
afterEach(() => {
  delete process.env.ERROR_DETAILS;
  lines = [];
});

const lambda = { awsRequestId: 'of-lambda', getRemainingTimeInMillis: () => 20_000 };

/** The lines that a route leaves whose handler does this, with ERROR_DETAILS or without. */
async function linesOf(work: () => unknown, details: 'on' | 'off'): Promise<Line[]> {
  process.env.ERROR_DETAILS = details;
  const handler = serve({ route: 'GET /broken', success: 'ok', answer: async () => work() });
  const requestContext = { requestId: 'an-id', http: { method: 'GET', sourceIp: '192.0.2.1' } };
  const answer = await handler({ routeKey: 'GET /broken', headers: {}, requestContext } as never, lambda as never);
  expect(answer.body).not.toMatch(/titel|secret/);
  return lines.filter(({ level }) => level !== undefined);
}

const fail = (error: unknown) => () => {
  throw error;
};

describe.each(['on', 'off'] as const)('with ERROR_DETAILS=%s, the line', (details) => {
  const onlyInDev = (text: string) => (details === 'on' ? text : undefined);

  test('of an exception has the place, and in dev the message with its causes', async () => {
    const error = new TypeError('secret 1', { cause: new Error('secret 2') });
    const [line] = await linesOf(fail(error), details);
    expect(line).toMatchObject({ level: 'error', code: 'INTERNAL', requestId: 'an-id', route: 'GET /broken' });
    expect([line?.error, line?.message]).toEqual(['TypeError', onlyInDev('secret 1 <- secret 2')]);
    expect([line?.stack].flat()[0]).toMatch(/error-lines\.test\.ts:\d+:\d+/);
    if (details === 'off') expect(JSON.stringify(lines)).not.toContain('secret');
  });

  test("of a misspelt column has MySQL's number, and in dev MySQL's own words", async () => {
    const [line] = await linesOf(() => query('SELECT titel FROM notices'), details);
    expect(line).toMatchObject({ error: 'SqlError', errno: 1054, sqlState: '42S22' });
    expect([line?.stack].flat().join('\n')).toContain('shared/db.ts');
    if (details === 'on') expect(line?.message).toMatch(/errno 1054.* <- .*Unknown column 'titel'/);
    else expect(JSON.stringify(lines)).not.toContain('titel');
  });

  test('of a thrown text has no message but in dev', async () => {
    const [line] = await linesOf(fail('a secret text'), details);
    expect([line?.error, line?.message]).toEqual(['string', onlyInDev('a secret text')]);
  });

  test('of a missing setting names the setting: it contains no value', async () => {
    const [line] = await linesOf(fail(new ConfigError('configuration: MASTER_KEY is not set')), details);
    expect(line).toMatchObject({ error: 'ConfigError', message: 'configuration: MASTER_KEY is not set' });
  });

  test('of an engine that is down exists in dev only: the caller gets the same 503 for every reason', async () => {
    const found = await linesOf(fail(new EngineError('mysql', 'credentials refused', 'not-applied')), details);
    const expected = { level: 'warning', code: 'UNAVAILABLE', message: 'mysql: credentials refused' };
    expect(found).toEqual(details === 'on' ? [expect.objectContaining(expected)] : []);
  });

  test('of a schedule that fails is the same, and the run still fails', async () => {
    process.env.ERROR_DETAILS = details;
    const run = scheduled('nightly', fail(new RangeError('secret')));
    await expect(run({}, lambda as never)).rejects.toThrow('secret');
    const expected = { level: 'error', code: 'INTERNAL', error: 'RangeError', route: 'nightly' };
    expect(lines).toContainEqual(expect.objectContaining(expected));
    expect(lines.map(({ message }) => message)).toContain(onlyInDev('secret'));
    expect(lines).toContainEqual(expect.objectContaining({ step: 'schedule', status: 500, code: 'INTERNAL' }));
  });
});

test('the environment of a deployed function cannot switch the messages on', () => {
  expect(readFileSync('serverless.yml', 'utf8')).not.toContain('ERROR_DETAILS');
  expect(stack.env.ERROR_DETAILS).toBeUndefined();
});
