import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type RouteEntry, readServerlessFile } from '../../serve/http-api/serverless-file.ts';
import { type OpenScope, SCOPES, type Scope } from '../../shared/app/app.ts';
import { AppError } from '../../shared/errors.ts';
import type { CallingApp } from '../../shared/http/caller.ts';
import type { Route } from '../../shared/http/lambda.ts';
import { type ObjectSchema, parseWith } from '../../shared/parse.ts';
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
  /** Whether the route accepts this as a body. What its members are may depend on the path: see `lookup`. */
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
  const { path: parameters = {}, query, body, headers: named }: RouteSample = ROUTE_SAMPLES[key] ?? {};
  const [, pattern = ''] = key.split(' ');
  const names = [...pattern.matchAll(PARAMETER)].map(([, name = '']) => name);
  const values = Object.fromEntries(names.map((name) => [name, parameters[name] ?? '1']));
  const given = body ?? (demands?.body && sampleOf(demands.body, `${key}, body`));
  const asked = query ?? (demands?.query && queryText(sampleOf(demands.query, `${key}, query`)));
  const headers = demands?.headers ? (sampleOf(demands.headers, `${key}, headers`) as Record<string, string>) : {};
  const sent = { path: values, query: asked ?? '', headers: { ...headers, ...named } };
  return {
    route: key,
    functionName,
    method,
    path: pattern.replace(PARAMETER, (_, name) => values[name] ?? ''),
    ...(asked && { query: asked }),
    ...(given && { body: given }),
    takes: (json) => isTaken(demands?.body, json) && isFound(demands, { ...sent, body: json }),
    auth: authOf(demands, { ...sent, body: given ?? {} }),
    ...(demands && { scope: demands.scope }),
    ...(demands?.open && { open: demands.open }),
    entry: demands?.auth === 'app',
    v2Only: demands?.v2Only ?? false,
    headers: sent.headers,
    ownApp: demands?.permits !== undefined,
  };
}

/** What a call sends, before its schemas have parsed it. */
interface Sent {
  path: Record<string, string>;
  query: string;
  headers: Record<string, string>;
  body: unknown;
}

/** An app that may do everything. */
const APP: CallingApp = {
  appId: 'any',
  scopes: SCOPES,
  signsV1: false,
  mayIssueFor: () => true,
  validates: null,
  clientSpend: 'free',
  walletAppId: 'any',
};

/** The parsed input and what `lookup` adds to it. Routes whose lookup asks an engine are not `by-input`. */
function lookedUp(demands: NonNullable<Route['demands']>, { path, query, headers, body }: Sent): object {
  const parsed = (schema: ObjectSchema | undefined, value: unknown) => (schema ? parseWith(schema, value, '') : {});
  const input = {
    path: parsed(demands.path, path),
    query: parsed(demands.query, Object.fromEntries(new URLSearchParams(query))),
    headers: parsed(demands.headers, headers),
    body: parsed(demands.body, body),
  };
  return { ...input, ...(demands.lookup?.(input as never, APP as never) as object | undefined) };
}

function authOf(demands: Route['demands'], sent: Sent): RouteRow['auth'] {
  if (!demands) return 'open';
  if (demands.auth !== 'by-input') return demands.auth;
  return demands.needsUser?.(lookedUp(demands, sent) as never) ? 'user' : 'app';
}

function isFound(demands: Route['demands'], sent: Sent): boolean {
  if (demands?.auth !== 'by-input') return true;
  try {
    lookedUp(demands, sent);
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
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
