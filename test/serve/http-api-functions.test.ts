import { copyFileSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startHttpApi } from '../../serve/http-api/http-api.ts';
import { fixtureApi, fixtureFiles } from '../support/http-api-fixture.ts';
import { until } from '../support/raw-socket.ts';

interface PatientAnswer {
  calls: number;
  isMainThread: boolean;
  threadId: number;
  event: { milliseconds?: number };
  environment: string | null;
}

const patientAnswer = async (answer: Response | Promise<Response>): Promise<PatientAnswer> =>
  (await (await answer).json()) as PatientAnswer;

describe('the answer of a function', () => {
  test.each([
    ['inferred', 200, 'application/json', '{"plain":"object"}'],
    ['text', 200, 'application/json', 'a text'],
    ['nothing', 200, 'application/json', 'null'],
    ['untyped', 201, 'text/plain; charset=utf-8', 'made'],
    ['empty', 204, null, ''],
  ])('%s is %i', async (kind, status, contentType, body) => {
    const { url } = await fixtureApi();
    const answer = await fetch(`${url}/answers/${kind}`);
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      status,
      contentType,
      body,
    ]);
    expect(answer.headers.get('date')).not.toBeNull();
    expect(answer.headers.get('apigw-requestid')).not.toBeNull();
  });

  test('has a separate header for each cookie and sends base64 as bytes', async () => {
    const { url } = await fixtureApi();
    expect((await fetch(`${url}/answers/cookies`)).headers.getSetCookie()).toEqual(['a=1; HttpOnly', 'b=2']);
    const binary = await fetch(`${url}/answers/binary`);
    expect([...new Uint8Array(await binary.arrayBuffer())]).toEqual([0x00, 0xff, 0x80, 0x01]);
    expect([binary.headers.get('content-type'), binary.headers.get('content-length')]).toEqual(['image/png', '4']);
  });

  test.each(['throws', 'stuck', 'status', 'body', 'large', 'split'])('%s is 500 without the reason', async (kind) => {
    const { url } = await fixtureApi();
    const answer = await fetch(`${url}/answers/${kind}`);
    expect([answer.status, await answer.text()]).toEqual([500, '{"message":"Internal Server Error"}']);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test('that comes after the time limit of API Gateway is 503', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'http-api-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const serverlessFile = join(folder, 'serverless.yml');
    const text = readFileSync(fixtureFiles.serverlessFile, 'utf8');
    writeFileSync(serverlessFile, text.replace('timeout: 20', 'timeout: 1'));
    const { url } = await fixtureApi({ serverlessFile });
    const answer = await fetch(`${url}/patient/3000`);
    expect([answer.status, await answer.json()]).toEqual([503, { message: 'Service Unavailable' }]);
  });

  test('that fails is logged with its reason and the id of the answer, and a missing bundle at the start', async () => {
    const lines: string[] = [];
    const { url } = await fixtureApi({ log: (line) => lines.push(line) });
    expect(lines).toEqual(['unbuilt does not load: Error: unbuilt.mjs is not built']);
    expect((await fetch(`${url}/unbuilt`)).status).toBe(500);
    const late = await fetch(`${url}/answers/stuck`);
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({
      level: 'error',
      requestId: late.headers.get('apigw-requestid'),
      route: expect.stringMatching(/^GET \/answers/),
      function: 'answers',
      error: 'FunctionTimeout: answers timed out after 1 s',
    });
  });
});

test('a handler gets a Lambda context', async () => {
  const { url } = await fixtureApi();
  const { context } = (await (await fetch(`${url}/open`)).json()) as { context: Record<string, unknown> };
  expect(context).toMatchObject({
    awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    functionName: 'fixture-test-echo',
    memoryLimitInMB: '256',
    remaining: expect.any(Number),
  });
  expect(context.remaining).toBeGreaterThan(0);
  expect(context.remaining).toBeLessThanOrEqual(5000);
});

describe('a function on a thread', () => {
  test('answers several calls at once, with the environment of the process', async () => {
    process.env.FIXTURE_VARIABLE = 'seen';
    onTestFinished(() => void delete process.env.FIXTURE_VARIABLE);
    const { url } = await fixtureApi({ workers: ['patient'] });
    const answers = await Promise.all(Array.from({ length: 5 }, () => patientAnswer(fetch(`${url}/patient/1000`))));
    expect(answers.map(({ calls }) => calls).sort()).toEqual([5, 5, 5, 5, 5]);
    expect(answers[0]).toMatchObject({ isMainThread: false, environment: 'seen' });
  });

  test('stays on its new thread when the old thread ends after a reload', async () => {
    const { url, reload } = await fixtureApi({ workers: ['patient'] });
    const old = patientAnswer(fetch(`${url}/patient/300`));
    let asked = 0;
    let counted = 0;
    // When the thread counts more calls than this loop has made, it has received the slow call.
    do {
      asked += 1;
      counted = (await patientAnswer(fetch(`${url}/patient/0`))).calls;
    } while (counted === asked);
    await reload();
    const next = await patientAnswer(fetch(`${url}/patient/0`));
    expect((await old).threadId).not.toBe(next.threadId);
    expect(await patientAnswer(fetch(`${url}/patient/100`))).toMatchObject({ calls: 2, threadId: next.threadId });
  });

  test('that does not load is logged at the start too', async () => {
    const distDirectory = mkdtempSync(join(tmpdir(), 'http-api-'));
    onTestFinished(() => rmSync(distDirectory, { recursive: true }));
    writeFileSync(join(distDirectory, 'patient.mjs'), 'throw new Error("MASTER_KEY is not set");');
    const lines: string[] = [];
    const { url } = await fixtureApi({ distDirectory, workers: ['patient'], log: (line) => lines.push(line) });
    expect(lines).toContain('patient does not load: Error: MASTER_KEY is not set');
    expect((await fetch(`${url}/patient/0`)).status).toBe(500);
  });

  test('that ends its thread answers 500, and the next call starts a new thread', async () => {
    const { url } = await fixtureApi({ workers: ['patient'] });
    const first = await patientAnswer(fetch(`${url}/patient/0`));
    expect((await fetch(`${url}/patient/die`)).status).toBe(500);
    const second = await patientAnswer(fetch(`${url}/patient/0`));
    expect(second.calls).toBe(1);
    expect(second.threadId).not.toBe(first.threadId);
  });
});

describe('a new build', () => {
  test('is loaded by reload(), or automatically with an option, with new module state', async () => {
    const distDirectory = mkdtempSync(join(tmpdir(), 'http-api-'));
    onTestFinished(() => rmSync(distDirectory, { recursive: true }));
    const bundle = join(distDirectory, 'patient.mjs');
    copyFileSync(new URL('../support/fixtures/http-api/bundles/patient.mjs', import.meta.url), bundle);
    const manual = await fixtureApi({ distDirectory });
    const automatic = await fixtureApi({ distDirectory, reload: true });
    const callsOf = async (url: string): Promise<number> => (await patientAnswer(fetch(`${url}/patient/0`))).calls;
    expect([await callsOf(manual.url), await callsOf(automatic.url)]).toEqual([1, 1]);

    rmSync(bundle);
    expect([await callsOf(manual.url), await callsOf(automatic.url)]).toEqual([2, 2]);
    writeFileSync(bundle, 'export const handler = async () => ({ calls: "new" });');
    utimesSync(bundle, new Date(), new Date(Date.now() + 5000));
    expect([await callsOf(manual.url), await callsOf(automatic.url)]).toEqual([3, 'new']);
    await manual.reload();
    expect(await callsOf(manual.url)).toBe('new');
  });
});

describe('schedules', () => {
  test('can be run with their own input or another one', async () => {
    const { runSchedule } = await fixtureApi();
    expect(await runSchedule('sweep')).toMatchObject({ event: { milliseconds: 50 } });
    expect(await runSchedule('sweep', { milliseconds: 1 })).toMatchObject({ event: { milliseconds: 1 } });
    await expect(runSchedule('echo')).rejects.toThrow('no schedule for echo');
  });

  test('never run twice at the same time', async () => {
    const { runSchedule } = await fixtureApi();
    const results = await Promise.all([runSchedule('sweep'), runSchedule('sweep')]);
    expect(results).toEqual([expect.objectContaining({ calls: expect.any(Number) }), undefined]);
  });
});

describe('the server', () => {
  test('reports the port that is already in use', async () => {
    const { port } = await fixtureApi();
    await expect(startHttpApi({ ...fixtureFiles, port })).rejects.toThrow(
      `port ${port} is in use: pass --port with a free one`,
    );
  });

  test('finishes running calls and schedules before it stops, and accepts none after', async () => {
    const { url, runSchedule, stop } = await fixtureApi();
    const started = new Promise<void>((resolve) => {
      globalThis.patientStarted = resolve;
    });
    const call = fetch(`${url}/patient/200`);
    await started;
    const schedule = runSchedule('sweep', { milliseconds: 200 });
    await stop();
    expect((await call).status).toBe(200);
    expect(await schedule).toMatchObject({ event: { milliseconds: 200 } });
    await expect(fetch(`${url}/open`)).rejects.toThrow();
  });

  test('finishes calls whose client has gone', async () => {
    const { url, stop } = await fixtureApi();
    let ended = 0;
    const started = new Promise<void>((resolve) => {
      Object.assign(globalThis, { patientStarted: resolve, patientEnded: () => ended++ });
    });
    const client = new AbortController();
    const call = fetch(`${url}/patient/1000`, { signal: client.signal });
    await started;
    client.abort();
    await expect(call).rejects.toThrow();
    await stop();
    expect(ended).toBe(1);
  });

  test.each([
    ['in this thread', []],
    ['on a thread of its own', ['patient']],
  ])('finishes calls whose client has gone while the authorizer has them, with a function %s', async (_, workers) => {
    const failures: string[] = [];
    const log = (line: string) => void (line.startsWith('{') && failures.push(line));
    const { url, stop, counts } = await fixtureApi({ workers, log });
    let ended = 0;
    let release = () => {};
    const held = new Promise<void>((isHeld) => {
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      globalThis.authorizerHeld = () => {
        isHeld();
        return released;
      };
    });
    globalThis.patientEnded = () => ended++;
    const client = new AbortController();
    const headers = { 'access-token': 'held' };
    const call = fetch(`${url}/guarded/300`, { headers, signal: client.signal });
    await held;
    client.abort();
    await expect(call).rejects.toThrow();
    const stopped = stop();
    await until(() => counts().connections.open === 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    release();
    await stopped;
    expect([failures, counts().calls.running]).toEqual([[], 0]);
    // A thread has global variables of its own.
    expect(ended).toBe(workers.length === 0 ? 1 : 0);
  });
});
