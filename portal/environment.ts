import { environmentOf, readRunningStack } from '../local/data-folder.ts';
import { takeEnvironment } from '../local/function-environment.ts';

const STAGE_NAMES = ['DATABASE_URL', 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'];

/** A deployed stage is named by half: guessing the rest could change the wrong one. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export interface Engines {
  /** For a person: which engines these are. */
  where: string;
  /** Of the HTTP API in front of them; undefined for a deployed stage, whose domain the environment does not tell. */
  url: string | undefined;
}

/**
 * Decides what a command works on, and makes it this process's environment: the folder that `--data` names, else the
 * deployed stage of the environment, else the `npm run dev` of this checkout.
 */
export async function findEngines(dataFolder: string | undefined): Promise<Engines> {
  const set = STAGE_NAMES.filter((name) => process.env[name]);
  if (dataFolder === undefined && set.length > 0) {
    const missing = STAGE_NAMES.filter((name) => !set.includes(name));
    if (missing.length > 0) {
      throw new EnvironmentError(
        `The environment names a deployed stage by half: ${missing.join(', ')} not set. Set it (see .env.example), or unset ${set.join(', ')} to work on "npm run dev".`,
      );
    }
    patient(process.env);
    const where = `stage ${process.env.STAGE || 'dev'}, database ${hostOf(process.env.DATABASE_URL)} (environment)`;
    return { where, url: undefined };
  }
  takeEnvironment(await environmentOf(dataFolder));
  process.env.LOG = 'off';
  const running = await readRunningStack(dataFolder);
  return { where: `npm run dev, database ${hostOf(process.env.DATABASE_URL)}`, url: running?.url };
}

/** An operator is farther from the engines than a function is, and waits gladly; log lines have no place in answers. */
function patient(environment: NodeJS.ProcessEnv): void {
  environment.REDIS_TIMEOUT_MS ||= '5000';
  environment.MYSQL_TIMEOUT_MS ||= '15000';
  environment.LOG = 'off';
}

function hostOf(url: string | undefined): string {
  return url && URL.canParse(url) ? new URL(url).host : 'unknown';
}
