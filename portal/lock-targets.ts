import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RouteEntry, readServerlessFile } from '../serve/http-api/serverless-file.ts';
import { allResources, getResource } from '../shared/data/resources.ts';
import type { Route } from '../shared/http/lambda.ts';
import type { LockRule } from '../shared/lock/rule.ts';
import { UsageError } from './command.ts';
import { nearest } from './nearest.ts';

/** What can be locked: resources of the registry, and the routes behind the authorizer, since admission locks them. */
const checkout = new URL('..', import.meta.url);
const DATA = 'data:';

function guardedRoutes(): RouteEntry[] {
  const { routes } = readServerlessFile(fileURLToPath(new URL('serverless.yml', checkout)));
  return routes.filter(({ authorizer }) => authorizer !== undefined);
}

/** Throws UsageError for what is no target. */
export function targetForm(text: string): string {
  const targets = [...allResources().map(({ name }) => DATA + name), ...guardedRoutes().map(({ key }) => key)];
  if (targets.includes(text)) return text;
  const meant = nearest(text, targets);
  throw new UsageError(
    `--target takes data:<resource> or a route such as "POST /login"; "${text}" is none${meant ? `; did you mean "${meant}"?` : ''}`,
  );
}

/** The rules that stand in the code for this target. */
export async function declaredRules(target: string): Promise<readonly LockRule[]> {
  if (target.startsWith(DATA)) return getResource(target.slice(DATA.length)).rules;
  const route = guardedRoutes().find(({ key }) => key === target);
  const handlers = await handlersOf(route?.functionName ?? '');
  return handlers.find((handler) => handler.route === target)?.rules ?? [];
}

/** A function is a file of functions/, or the index.ts of a folder there. */
async function handlersOf(functionName: string): Promise<readonly Route[]> {
  const files = [`functions/${functionName}.ts`, `functions/${functionName}/index.ts`];
  const file = files.map((name) => new URL(name, checkout)).find((url) => existsSync(url));
  if (!file) return [];
  const { handler } = (await import(file.href)) as { handler: { routes?: readonly Route[] } };
  return handler.routes ?? [];
}
