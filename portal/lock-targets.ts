import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RouteEntry, readServerlessFile } from '../serve/http-api/serverless-file.ts';
import { allResources, getResource } from '../shared/data/resources.ts';
import type { Route } from '../shared/http/lambda.ts';
import type { LockRule } from '../shared/lock/rule.ts';
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
  const targets = [...allResources().map(({ name }) => DATA + name), ...guardedRoutes().map(({ key }) => key)];
  if (targets.includes(text)) return text;
  const meant = nearest(text, targets);
  throw new UsageError(
    `--target takes data:<resource> or a route such as "POST /login"; "${text}" is neither${meant ? `; did you mean "${meant}"?` : ''}`,
  );
}

/** The rules that the code declares for this target. */
export async function declaredRules(target: string): Promise<readonly LockRule[]> {
  if (target.startsWith(DATA)) return getResource(target.slice(DATA.length)).rules;
  const route = guardedRoutes().find(({ key }) => key === target);
  const handlers = await handlersOf(route?.functionName ?? '');
  return handlers.find((handler) => handler.route === target)?.rules ?? [];
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
