import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RouteEntry, readServerlessFile } from '../serve/http-api/serverless-file.ts';
import { allResources, getResource, lockTargetOf } from '../shared/data/resources.ts';
import type { Route } from '../shared/http/lambda.ts';
import { EVERY_CALL, EVERY_ROUTE } from '../shared/lock/default-rules.ts';
import type { LockTarget } from '../shared/lock/rule.ts';
import { UsageError } from './command.ts';
import { nearest } from './nearest.ts';

/** Targets of lock rules: resources, and routes with the authorizer. Only their calls pass admission, which locks. */
const checkout = new URL('..', import.meta.url);
const DATA = 'data:';

function guardedRoutes(): RouteEntry[] {
  const { routes } = readServerlessFile(fileURLToPath(new URL('serverless.yml', checkout)));
  return routes.filter(({ authorizer }) => authorizer !== undefined);
}

/** Returns the target. Throws UsageError if there is no such target. */
export function targetForm(text: string): string {
  const resources = allResources().map(({ name }) => DATA + name);
  const targets = [EVERY_ROUTE, ...resources, ...guardedRoutes().map(({ key }) => key)];
  if (targets.includes(text)) return text;
  const meant = nearest(text, targets);
  throw new UsageError(
    `--target takes data:<resource>, a route such as "POST /login", or "*" for every route; "${text}" is not one of these${meant ? `; did you mean "${meant}"?` : ''}`,
  );
}

/** The target with the rules that the code declares for it. */
export async function declaredTarget(name: string): Promise<LockTarget> {
  if (name === EVERY_ROUTE) return EVERY_CALL;
  if (name.startsWith(DATA)) return lockTargetOf(getResource(name.slice(DATA.length)));
  const route = guardedRoutes().find(({ key }) => key === name);
  const handlers = await handlersOf(route?.functionName ?? '');
  return { name, rules: handlers.find((handler) => handler.route === name)?.rules ?? [] };
}

/** A function is a file of functions/, or the index.ts of a folder there. */
async function handlersOf(functionName: string): Promise<readonly Route[]> {
  if (functionName === '') return [];
  const isFile = existsSync(new URL(`functions/${functionName}.ts`, checkout));
  // In this form, a bundler finds the files that may be loaded.
  const { handler } = (
    isFile ? await import(`../functions/${functionName}.ts`) : await import(`../functions/${functionName}/index.ts`)
  ) as { handler: { routes?: readonly Route[] } };
  return handler.routes ?? [];
}
