import { expect, onTestFinished, test } from 'vitest';
import { frontMetrics } from '../../serve/metrics.ts';
import { fixtureApi } from '../support/http-api-fixture.ts';
import { rawSocket, until } from '../support/raw-socket.ts';

async function counted() {
  const metrics = frontMetrics();
  onTestFinished(() => metrics.stop());
  const api = await fixtureApi({ onAnswer: metrics.count, limits: { bodyBytes: 1000 } });
  const value = (line: string) =>
    Number(
      metrics
        .text(api.counts())
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  const answers = (name: string) => value(`miniapp_http_answers_total{status="${name}"}`);
  return { api, value, answers };
}
const half = 'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{';

test('requests that are broken off are counted as aborted, and have no time', async () => {
  const { api, value, answers } = await counted();
  for (let count = 0; count < 10; count++) {
    const socket = await rawSocket(api.port);
    socket.send(half);
    socket.destroy();
  }
  await until(() => answers('aborted') === 10);
  expect([answers('2xx'), answers('4xx'), answers('5xx')]).toEqual([0, 0, 0]);
  expect(value('miniapp_http_seconds_count')).toBe(0);
});

test('a call whose client leaves before the answer is aborted', async () => {
  const { api, value, answers } = await counted();
  const socket = await rawSocket(api.port);
  socket.send('GET /patient/500 HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => value('miniapp_calls_running') === 1);
  socket.destroy();
  await until(() => answers('aborted') === 1);
  expect(answers('2xx')).toBe(0);
});

test('refusals without a request are counted by their status', async () => {
  const { api, answers } = await counted();
  for (const bytes of ['nonsense\r\n\r\n', half.replace('/open', '/nowhere'), half.replace('100', '1001')]) {
    const socket = await rawSocket(api.port);
    socket.send(bytes);
    await socket.closed;
  }
  await until(() => answers('4xx') === 3);
  expect(answers('aborted')).toBe(0);
});

test('open connections and served calls are shown', async () => {
  const { api, value, answers } = await counted();
  const socket = await rawSocket(api.port);
  socket.send('GET /open HTTP/1.1\r\nhost: a\r\n\r\n');
  await until(() => answers('2xx') === 1);
  expect(value('miniapp_connections')).toBe(1);
  expect(value('miniapp_connections_dropped_total{reason="address"}')).toBe(0);
  expect(value('miniapp_calls_refused_total{limit="full"}')).toBe(0);
});
