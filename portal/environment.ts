import { environmentOf } from '../local/data-folder.ts';
import { takeEnvironment } from '../local/function-environment.ts';

const STAGE_NAMES = ['DATABASE_URL', 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'];

/** A deployed stage is named by half: guessing the rest could change the wrong one. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

/**
 * Decides what a command works on, and makes it this process's environment: the folder that `--data` names, else the
 * deployed stage of the environment, else the `npm run dev` of this checkout. Answers where that is, in a sentence.
 */
export async function findEngines(dataFolder: string | undefined): Promise<string> {
  const set = STAGE_NAMES.filter((name) => process.env[name]);
  if (dataFolder === undefined && set.length > 0) {
    const missing = STAGE_NAMES.filter((name) => !set.includes(name));
    if (missing.length > 0) {
      throw new EnvironmentError(
        `The environment names a deployed stage by half: ${missing.join(', ')} not set. Set it (see .env.example), or unset ${set.join(', ')} to work on "npm run dev".`,
      );
    }
    patient(process.env);
    return `stage ${process.env.STAGE || 'dev'}, database ${hostOf(process.env.DATABASE_URL)} (environment)`;
  }
  takeEnvironment(await environmentOf(dataFolder));
  process.env.LOG = 'off';
  return `npm run dev, database ${hostOf(process.env.DATABASE_URL)}`;
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
