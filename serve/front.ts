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
  /** Not ready at once, closed after the drain: what was taken is answered. */
  stop(): Promise<void>;
}

/** A password hash holds its thread for as long as it takes. */
const OWN_THREAD = ['login'];

/** The functions behind an HTTP server that may stand on the open network. Throws SettingsError. */
export function startFront(settings: ServeSettings, log: (line: string) => void): Promise<Front> {
  if (!existsSync(resolve('dist', 'authorizer.mjs'))) {
    throw new SettingsError(`${join('dist', 'authorizer.mjs')} is not there: run "npm run build" first.`);
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

/** A cold cache is slow and not wrong. */
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
