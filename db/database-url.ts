import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DatabaseTaskError } from './execute.ts';

type Target = { databaseUrl: string; sandbox: boolean; foundIn: string };

const checkout = fileURLToPath(new URL('..', import.meta.url));

/**
 * The deployed stage that the environment names, else the `npm run dev` of this checkout, which leaves its address in
 * its data folder. An explicit data folder wins over the environment: who names one means it.
 */
export function findDatabase(environment: NodeJS.ProcessEnv, dataFolder: string | undefined): Target {
  const databaseUrl = environment.DATABASE_URL;
  if (databaseUrl && dataFolder === undefined) {
    return { databaseUrl: checked(databaseUrl), sandbox: Boolean(environment.SANDBOX_KEY), foundIn: 'DATABASE_URL' };
  }
  const file = `${dataFolder ?? `${checkout}.data/dev`}/state.json`;
  const state = readState(file);
  return {
    databaseUrl: checked(state.databaseUrl),
    sandbox: state.sandbox === true || Boolean(environment.SANDBOX_KEY),
    foundIn: file,
  };
}

function readState(file: string): { databaseUrl: string; sandbox: unknown } {
  try {
    const state: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (
      typeof state === 'object' &&
      state !== null &&
      'databaseUrl' in state &&
      typeof state.databaseUrl === 'string'
    ) {
      return { databaseUrl: state.databaseUrl, sandbox: 'sandbox' in state && state.sandbox };
    }
  } catch {
    // Absent, half-written or no JSON: for the person who reads the sentence below it is all the same.
  }
  throw new DatabaseTaskError(
    `No database to work on: DATABASE_URL is not set, and ${file} names none. Start "npm run dev", or set DATABASE_URL.`,
  );
}

function checked(databaseUrl: string): string {
  const protocol = URL.canParse(databaseUrl) ? new URL(databaseUrl).protocol : '';
  if (['http:', 'https:', 'mysql:'].includes(protocol)) return databaseUrl;
  throw new DatabaseTaskError('The database URL must look like https://USER:PASSWORD@HOST (PlanetScale or a gateway).');
}
