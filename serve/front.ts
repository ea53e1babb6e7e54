import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHttpApi } from './http-api/http-api.ts';
import { startTogether } from './lifecycle/started.ts';
import { frontMetrics } from './metrics.ts';
import { type ServeSettings, SettingsError } from './settings.ts';

interface Front {
  url: string;
  adminUrl: string;
  /** /ready answers 503 at once. The server closes after the drain and answers the requests that it accepted. */
  stop(): Promise<void>;
}

/** Functions with a thread of their own: a password hash blocks its thread until it is computed. */
const OWN_THREAD = ['login'];

/** Starts the functions behind an HTTP server that may be reached from the internet. Throws SettingsError. */
export function startFront(settings: ServeSettings, log: (line: string) => void): Promise<Front> {
  if (!existsSync(resolve('dist', 'authorizer.mjs'))) {
    throw new SettingsError(`${join('dist', 'authorizer.mjs')} does not exist: run "npm run build" first.`);
  }
  return startTogether(async (onStop) => {
    const { host, port, schedules, sourceIp, limits, tls, drainSeconds } = settings;
    const metrics = frontMetrics();
    onStop(async () => metrics.stop());
    let ready = false;
    const admin = createServer((request, response) => answerAdmin(request, response, ready, () => metrics.text()));
    const adminPort = await listenOnLoopback(admin, settings.adminPort);
    onStop(
      () =>
        new Promise((closed) => {
          admin.close(() => closed());
          admin.closeAllConnections();
        }),
    );
    const api = await startHttpApi({
      host,
      port,
      schedules,
      sourceIp,
      limits,
      workers: OWN_THREAD,
      log,
      onAnswer: metrics.count,
      ...(tls && { tls }),
    });
    onStop(() => api.stop());
    onStop(async () => {
      ready = false;
      await sleep(drainSeconds * 1000);
    });
    if (schedules) await warm(api, log);
    ready = true;
    return { url: api.url, adminUrl: `http://127.0.0.1:${adminPort}` };
  });
}

/** A failed run is only logged: with an empty cache answers are correct, but slow. */
async function warm(api: { runSchedule(name: string): Promise<unknown> }, log: (line: string) => void): Promise<void> {
  await api.runSchedule('cache-warm').catch((error: unknown) => log(`cache-warm failed: ${String(error)}`));
}

function answerAdmin(request: IncomingMessage, response: ServerResponse, ready: boolean, metrics: () => string): void {
  const send = (status: number, type: string, body: string) => {
    response.writeHead(status, { 'content-type': type }).end(body);
  };
  if (request.url === '/ready') send(ready ? 200 : 503, 'application/json', JSON.stringify({ ready }));
  else if (request.url === '/metrics') send(200, 'text/plain; version=0.0.4; charset=utf-8', metrics());
  else send(404, 'text/plain', 'GET /ready, GET /metrics\n');
}

function listenOnLoopback(server: ReturnType<typeof createServer>, port: number): Promise<number> {
  return new Promise((listening, reject) => {
    server.once('error', () => reject(new SettingsError(`port ${port} is in use: choose another with --admin-port.`)));
    server.listen(port, '127.0.0.1', () => listening((server.address() as AddressInfo).port));
  });
}
