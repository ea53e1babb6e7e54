/** Reads routes, limits and schedules from serverless.yml, so that AWS and this server share one declaration. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type DeclaredSchedule, type Schedule, schedulesOf } from './schedule-declaration.ts';

export interface FunctionEntry {
  name: string;
  /** `dist/login.handler` -> `login` */
  bundle: string;
  timeoutSeconds: number;
  memoryMegabytes: number;
}

export interface RouteEntry {
  key: string;
  method: string;
  /** `/data/{resource}` -> `['data', '{resource}']` */
  segments: string[];
  functionName: string;
  authorizer: Authorizer | undefined;
}

export interface Authorizer {
  functionName: string;
  identitySources: IdentitySource[];
}

interface IdentitySource {
  from: 'header' | 'querystring';
  name: string;
}

export interface CorsRules {
  allowedOrigins: string[];
  allowedMethods: string[];
  allowedHeaders: string[];
  exposedHeaders: string[];
  maxAgeSeconds: number | undefined;
  allowCredentials: boolean;
}

export interface ServerlessFile {
  service: string;
  stage: string;
  functions: Map<string, FunctionEntry>;
  routes: RouteEntry[];
  schedules: Schedule[];
  cors: CorsRules | undefined;
  throttle: { ratePerSecond: number; burst: number } | undefined;
  /** The gateway waits no longer for a function, also if the function's own timeout is longer. */
  integrationTimeoutSeconds: number;
}

/**
 * `wantedStage`: as the framework's `--stage`. Throws when the file is missing or declares something that this server
 * does not support.
 */
export function readServerlessFile(path: string, wantedStage?: string): ServerlessFile {
  const file = declaredIn(readFileSync(path, 'utf8'));
  const value = resolver(file, wantedStage);
  const { provider } = file;
  const authorizers = new Map(
    Object.entries(provider.httpApi?.authorizers ?? {}).map(([name, declared]) => [name, authorizerOf(declared)]),
  );
  const functions = new Map<string, FunctionEntry>();
  const routes: RouteEntry[] = [];
  const schedules: Schedule[] = [];
  for (const [name, declared] of Object.entries(file.functions)) {
    functions.set(name, {
      name,
      bundle: declared.handler.replace(/^.*\//, '').replace(/\.handler$/, ''),
      timeoutSeconds: Number(value(declared.timeout ?? provider.timeout ?? 6)),
      memoryMegabytes: Number(value(declared.memorySize ?? provider.memorySize ?? 1024)),
    });
    for (const event of declared.events ?? []) {
      if (event.httpApi) routes.push(routeOf(name, event.httpApi, authorizers));
      if (event.schedule) schedules.push(...schedulesOf(name, event.schedule));
    }
  }
  const limits = file.resources?.extensions?.HttpApiStage?.Properties?.DefaultRouteSettings;
  return {
    service: file.service,
    stage: String(value(provider.stage ?? 'dev')),
    functions,
    routes,
    schedules,
    cors: corsOf(value, provider.httpApi?.cors),
    throttle: limits && {
      ratePerSecond: Number(value(limits.ThrottlingRateLimit)),
      burst: Number(value(limits.ThrottlingBurstLimit)),
    },
    integrationTimeoutSeconds: Number(value(provider.httpApi?.timeout ?? 30)),
  };
}

let parsed: { text: string; file: Declared } | undefined;

/** Parses a text once: a program may start many servers from one file. The result is only read. */
function declaredIn(text: string): Declared {
  if (parsed?.text === text) return parsed.file;
  // The cast is safe: the framework validates the file against its schema at every packaging.
  const file = parse(text, { merge: true }) as Declared;
  parsed = { text, file };
  return file;
}

function routeOf(functionName: string, declared: DeclaredRoute, authorizers: Map<string, Authorizer>): RouteEntry {
  const { method, path, authorizer: reference } = declared;
  if (!/^[A-Z]+$/.test(method ?? '') || method === 'ANY' || !path?.startsWith('/') || path.includes('+}')) {
    throw new Error(
      `${functionName}: a route needs one method and a path without {name+}: ${JSON.stringify(declared)}`,
    );
  }
  const authorizer = reference && authorizers.get(reference.name);
  // A misspelt name must not leave a route without its authorizer.
  if (reference && !authorizer) throw new Error(`${functionName}: no authorizer has the name ${reference.name}`);
  return { key: `${method} ${path}`, method, segments: path.slice(1).split('/'), functionName, authorizer };
}

function authorizerOf(declared: DeclaredAuthorizer): Authorizer {
  if (declared.type !== 'request' || declared.payloadVersion !== '2.0' || !declared.enableSimpleResponses) {
    throw new Error('only REQUEST authorizers with payload 2.0 and simple responses are supported here');
  }
  if (declared.resultTtlInSeconds !== 0) throw new Error('authorizer answers are not cached here: set their TTL to 0');
  const identitySources = [declared.identitySource].flat().map((source): IdentitySource => {
    const [, from, name] = /^\$request\.(header|querystring)\.(.+)$/.exec(source) ?? [];
    if (!from || !name) throw new Error(`unknown identity source ${source}`);
    return from === 'header' ? { from, name: name.toLowerCase() } : { from: 'querystring', name };
  });
  return { functionName: declared.functionName, identitySources };
}

function corsOf(value: (declared: unknown) => unknown, declared: DeclaredCors | undefined): CorsRules | undefined {
  if (!declared) return undefined;
  const list = (items: unknown): string[] => [value(items) ?? []].flat().map(String);
  return {
    allowedOrigins: list(declared.allowedOrigins),
    allowedMethods: list(declared.allowedMethods),
    allowedHeaders: list(declared.allowedHeaders),
    exposedHeaders: list(declared.exposedResponseHeaders),
    maxAgeSeconds: declared.maxAge,
    allowCredentials: declared.allowCredentials ?? false,
  };
}

/** Resolves `${param:x}`, `${sls:stage}`, `${opt:x, 'default'}` and `${env:X, 'default'}`. No other form is needed. */
function resolver(file: Declared, wantedStage: string | undefined): (declared: unknown) => unknown {
  const stage = (): string => String(resolve(file.provider.stage ?? 'dev'));
  function lookUp(source: string, name: string): unknown {
    if (source === 'sls' && name === 'stage') return stage();
    if (source === 'opt' && name === 'stage') return wantedStage;
    if (source === 'param') return file.params?.[stage()]?.[name] ?? file.params?.default?.[name];
    return source === 'env' ? process.env[name] : undefined;
  }
  function resolve(declared: unknown): unknown {
    const [, source = '', name = '', fallback] =
      /^\$\{(\w+):([\w.-]+)(?:,\s*'?([^']*)'?)?\}$/.exec(typeof declared === 'string' ? declared : '') ?? [];
    if (source === '') return declared;
    const found = lookUp(source, name) ?? fallback;
    if (found === undefined) throw new Error(`serverless.yml: ${String(declared)} has no value here`);
    return resolve(found);
  }
  return resolve;
}

interface Declared {
  service: string;
  params?: Record<string, Record<string, unknown>>;
  provider: {
    stage?: string;
    timeout?: number;
    memorySize?: number;
    httpApi?: { timeout?: number; cors?: DeclaredCors; authorizers?: Record<string, DeclaredAuthorizer> };
  };
  functions: Record<
    string,
    {
      handler: string;
      timeout?: number;
      memorySize?: number;
      events?: { httpApi?: DeclaredRoute; schedule?: DeclaredSchedule }[];
    }
  >;
  resources?: { extensions?: { HttpApiStage?: { Properties?: { DefaultRouteSettings?: Record<string, number> } } } };
}

interface DeclaredRoute {
  method: string;
  path: string;
  authorizer?: { name: string };
}

interface DeclaredAuthorizer {
  type: string;
  functionName: string;
  payloadVersion: string;
  enableSimpleResponses: boolean;
  identitySource: string | string[];
  resultTtlInSeconds: number;
}

interface DeclaredCors {
  allowedOrigins?: unknown;
  allowedMethods?: unknown;
  allowedHeaders?: unknown;
  exposedResponseHeaders?: unknown;
  maxAge?: number;
  allowCredentials?: boolean;
}
