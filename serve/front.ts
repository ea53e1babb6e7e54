import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpApi, type HttpApiOptions, startHttpApi } from './http-api/http-api.ts';
import { startTogether } from './lifecycle/started.ts';
import { frontMetrics } from './metrics.ts';
import { type ServeSettings, SettingsError } from './settings.ts';
import { sourceIpBehind, trustedProxies } from './source-ip.ts';

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
    const metrics = frontMetrics();
    onStop(async () => metrics.stop());
    let ready = false;
    let api: HttpApi | undefined;
    const text = () => metrics.text(api?.counts());
    const admin = createServer((request, response) => answerAdmin(request, response, ready, text));
    const adminPort = await listenOnLoopback(admin, settings.adminPort);
    onStop(
      () =>
        new Promise((closed) => {
          admin.close(() => closed());
          admin.closeAllConnections();
        }),
    );
    const started = await startHttpApi({ ...apiOptions(settings, log), onAnswer: metrics.count });
    api = started;
    onStop(() => started.stop());
    onStop(async () => {
      ready = false;
      started.announceEnd();
      await sleep(settings.drainSeconds * 1000);
    });
    if (settings.schedules) await warm(started, log);
    ready = true;
    return { url: started.url, adminUrl: `http://127.0.0.1:${adminPort}` };
  });
}

function apiOptions(settings: ServeSettings, log: (line: string) => void): HttpApiOptions {
  const { host, port, schedules, stage, h5Origins, trustedProxies: proxies, forwardedHeader: header } = settings;
  const { tls, limits } = settings;
  const onUntold = (address: string) =>
    log(
      `${address} sends X-Forwarded-For or Forwarded, but is not in TRUSTED_PROXIES: the header is ignored. If it is ` +
        'your proxy, add it; without that all of its callers count as one address.',
    );
  return {
    host,
    port,
    schedules,
    limits,
    log,
    workers: OWN_THREAD,
    sourceIp: sourceIpBehind(proxies, { onUntold, ...(header && { header }) }),
    isProxy: trustedProxies(proxies),
    ...(stage && { stage }),
    ...(h5Origins && { h5Origins }),
    ...(tls && { tls }),
  };
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
