import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DatabaseTaskError } from './execute.ts';

export type Target = {
  databaseUrl: string;
  sandbox: boolean;
  foundIn: string;
  /** undefined: STAGE is not set. */
  stage: string | undefined;
};

const checkout = fileURLToPath(new URL('..', import.meta.url));

/**
 * The database of the deployed stage in the environment, otherwise of the `npm run dev` of this checkout, which writes
 * its address into its data folder. An explicit data folder is stronger than the environment.
 */
export function findDatabase(environment: NodeJS.ProcessEnv, dataFolder: string | undefined): Target {
  const databaseUrl = environment.DATABASE_URL;
  if (databaseUrl && dataFolder === undefined) {
    const stage = environment.STAGE || undefined;
    return {
      databaseUrl: checked(databaseUrl),
      sandbox: Boolean(environment.SANDBOX_KEY),
      foundIn: 'DATABASE_URL',
      stage,
    };
  }
  const file = `${dataFolder ?? `${checkout}.data/dev`}/state.json`;
  const state = readState(file);
  return {
    databaseUrl: checked(state.databaseUrl),
    sandbox: state.sandbox === true || Boolean(environment.SANDBOX_KEY),
    foundIn: file,
    stage: 'dev',
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
    // The file is absent, half-written or not JSON. The sentence below fits all three cases.
  }
  throw new DatabaseTaskError(
    `No database found: DATABASE_URL is not set, and ${file} has no address. Start "npm run dev", or set DATABASE_URL.`,
  );
}

function checked(databaseUrl: string): string {
  const protocol = URL.canParse(databaseUrl) ? new URL(databaseUrl).protocol : '';
  if (['http:', 'https:', 'mysql:'].includes(protocol)) return databaseUrl;
  throw new DatabaseTaskError('The database URL must look like https://USER:PASSWORD@HOST (PlanetScale or a gateway).');
}
