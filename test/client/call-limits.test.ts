import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, wxTransport } from '../../client/miniapp-client.ts';
import { app } from '../support/client-server.ts';
import { wxStandIn } from '../support/client-wx.ts';

/** It accepts calls and never answers. */
let silent: Server;
let seen: { received: number; closed: number };
beforeEach(async () => {
  const counts = { received: 0, closed: 0 };
  seen = counts;
  silent = createServer((request) => {
    counts.received++;
    request.socket.on('close', () => {
      counts.closed++;
    });
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  silent.closeAllConnections();
  return new Promise((resolve) => silent.close(resolve));
});
const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
};

/** As in a mini-program, which has no AbortController. */
function ownSignal() {
  const listeners: (() => void)[] = [];
  const signal = { aborted: false, addEventListener: (_: 'abort', listener: () => void) => listeners.push(listener) };
  const abort = () => {
    signal.aborted = true;
    for (const listener of listeners) listener();
  };
  return { signal, abort };
}

describe.each([
  ['fetch', () => fetchTransport(fetch), () => new AbortController()],
  ['wx.request', () => wxTransport(wxStandIn()), ownSignal],
] as const)('over %s', (_, transport, newAbort) => {
  const connect = () =>
    createClient({
      ...app,
      baseUrl: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      transport: transport(),
    });

  it('a call ends with TIMEOUT after `timeoutMs`, and the outcome is unknown', async () => {
    const late = { name: 'ApiError', code: 'TIMEOUT', status: 0, retryable: true };
    await expect(connect().request('GET', '/x', { timeoutMs: 50 })).rejects.toMatchObject(late);
    await expect(connect().with({ timeoutMs: 50 }).readOne('notice', 1)).rejects.toMatchObject(late);
    await until(() => seen.received === 2);
  });

  it('a call ends with ABORTED when the program aborts it, and so does its request', async () => {
    const stop = newAbort();
    const call = connect()
      .with({ signal: stop.signal })
      .login({ account: 'a', password: 'b' })
      .catch((error) => error);
    await until(() => seen.received === 1);
    stop.abort();
    expect(await call).toMatchObject({ name: 'ApiError', code: 'ABORTED', status: 0 });
    await until(() => seen.closed === 1);
  });

  it('a call that was aborted before is not sent', async () => {
    const stop = newAbort();
    stop.abort();
    await expect(connect().request('GET', '/x', { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen.received).toBe(0);
  });

  it('a login that waits for another one ends too', async () => {
    const stop = newAbort();
    const client = connect();
    client.login({ account: 'a', password: 'b' }).catch(() => undefined);
    const waiting = client.with({ signal: stop.signal }).login({ account: 'b', password: 'c' });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

it('a call that has ended listens to its signal no longer', async () => {
  const listeners = new Set<() => void>();
  const signal = {
    aborted: false,
    addEventListener: (_: 'abort', listener: () => void) => void listeners.add(listener),
    removeEventListener: (_: 'abort', listener: () => void) => void listeners.delete(listener),
  };
  const baseUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const client = createClient({ ...app, baseUrl, transport: wxTransport(wxStandIn()) });
  const call = client.request('GET', '/x', { signal }).catch(() => undefined);
  await until(() => seen.received === 1);
  expect(listeners.size).toBe(2);
  silent.closeAllConnections();
  await call;
  expect(listeners.size).toBe(0);
});
