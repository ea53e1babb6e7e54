import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type RouteEntry, readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import type { OpenScope, Scope } from '../../shared/app/app.ts';
import type { Route } from '../../shared/http/lambda.ts';
import { ROUTE_SAMPLES, type RouteSample } from './route-samples.ts';
import { isTaken, sampleOf } from './schema-samples.ts';

/** A route as a caller sees it: read from serverless.yml and from the declaration in its function. */
export interface RouteRow {
  route: string;
  functionName: string;
  method: string;
  /** The path with values for its parameters. */
  path: string;
  query?: string;
  /** A valid body; undefined: the route takes none. */
  body?: Record<string, unknown>;
  /** Whether the route's schema accepts this as a body. */
  takes(body: unknown): boolean;
  /** `open`: the route has no authorizer. */
  auth: 'open' | 'app' | 'user';
  scope?: Scope;
  /** The scope with which a public app may call it before a login. */
  open?: OpenScope;
  /** A route without a user, such as a login: a session does not open it. */
  entry: boolean;
  v2Only: boolean;
  headers: Record<string, string>;
  /** Besides the scope, the app needs its own permission for this path. */
  ownApp: boolean;
}

const PARAMETER = /\{(\w+)\}/g;

/** The routes that a function declares, in a file of functions/ or in the index.ts of a folder there. */
export async function routesOf(functionName: string): Promise<readonly Route[]> {
  const files = [`functions/${functionName}.ts`, `functions/${functionName}/index.ts`];
  const file = files.map((name) => resolve(name)).find((path) => existsSync(path));
  if (!file)
    throw new Error(`serverless.yml names the function ${functionName}; there is no ${files.join(' and no ')}`);
  const { handler } = (await import(/* @vite-ignore */ file)) as { handler: { routes?: readonly Route[] } };
  return handler.routes ?? [];
}

async function rowOf({ key, method, functionName }: RouteEntry, { demands }: Route): Promise<RouteRow> {
  const { path: parameters = {}, query, body }: RouteSample = ROUTE_SAMPLES[key] ?? {};
  const [, pattern = ''] = key.split(' ');
  const names = [...pattern.matchAll(PARAMETER)].map(([, name = '']) => name);
  const values = Object.fromEntries(names.map((name) => [name, parameters[name] ?? '1']));
  const given = body ?? (demands?.body && sampleOf(demands.body, `${key}, body`));
  const asked = query ?? (demands?.query && queryText(sampleOf(demands.query, `${key}, query`)));
  return {
    route: key,
    functionName,
    method,
    path: pattern.replace(PARAMETER, (_, name) => values[name] ?? ''),
    ...(asked && { query: asked }),
    ...(given && { body: given }),
    takes: (json) => isTaken(demands?.body, json),
    auth: await authOf(demands, values),
    ...(demands && { scope: demands.scope }),
    ...(demands?.open && { open: demands.open }),
    entry: demands?.auth === 'app',
    v2Only: demands?.v2Only ?? false,
    headers: demands?.headers ? (sampleOf(demands.headers, `${key}, headers`) as Record<string, string>) : {},
    ownApp: demands?.permits !== undefined,
  };
}

async function authOf(demands: Route['demands'], path: Record<string, string>): Promise<RouteRow['auth']> {
  if (!demands) return 'open';
  if (demands.auth !== 'by-input') return demands.auth;
  const found = (await demands.lookup?.({ path } as never, undefined as never)) as object | undefined;
  return demands.needsUser?.({ path, ...found } as never) ? 'user' : 'app';
}

const queryText = (members: Record<string, unknown>): string =>
  Object.entries(members)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&');

/** Routes of serverless.yml, and whether they have an authorizer. */
export const declaredRoutes: readonly RouteEntry[] = readServerlessFile('serverless.yml').routes;

export const everyRoute: readonly RouteRow[] = await Promise.all(
  declaredRoutes.map(async (declared) => {
    const routes = await routesOf(declared.functionName);
    const route = routes.find(({ route }) => route === declared.key);
    if (!route)
      throw new Error(`serverless.yml sends ${declared.key} to ${declared.functionName}, which does not serve it`);
    return rowOf(declared, route);
  }),
);

/** Behind the authorizer. */
export const signedRoutes = everyRoute.filter(({ auth }) => auth !== 'open');
