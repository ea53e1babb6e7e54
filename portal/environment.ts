import { environmentOf, readRunningStack } from '../local/data-folder.ts';
import { takeEnvironment } from '../local/function-environment.ts';

const STAGE_NAMES = ['DATABASE_URL', 'UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN'];

/** Some variables of a deployed stage are missing. A guess could change the wrong stage. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
}

export interface Engines {
  /** Names the engines, to be printed. */
  where: string;
  /** URL of the HTTP API. undefined: a deployed stage, because the environment does not contain its domain. */
  url: string | undefined;
}

/**
 * Finds the engines that a command works on, and sets this process's environment for them: the folder of `--data`;
 * without it the deployed stage of the environment; otherwise the `npm run dev` of this checkout.
 */
export async function findEngines(dataFolder: string | undefined): Promise<Engines> {
  const set = STAGE_NAMES.filter((name) => process.env[name]);
  if (dataFolder === undefined && set.length > 0) {
    const missing = STAGE_NAMES.filter((name) => !set.includes(name));
    if (missing.length > 0) {
      throw new EnvironmentError(
        `The environment names a deployed stage only in part: ${missing.join(', ')} not set. Set it (see .env.example), or unset ${set.join(', ')} to work on "npm run dev".`,
      );
    }
    useOperatorSettings(process.env);
    const where = `stage ${process.env.STAGE || 'dev'}, database ${hostOf(process.env.DATABASE_URL)} (environment)`;
    return { where, url: undefined };
  }
  takeEnvironment(await environmentOf(dataFolder));
  process.env.LOG = 'off';
  const running = await readRunningStack(dataFolder);
  return { where: `npm run dev, database ${hostOf(process.env.DATABASE_URL)}`, url: running?.url };
}

/** Longer timeouts, because an operator is farther from the engines than a function. No log lines in the output. */
function useOperatorSettings(environment: NodeJS.ProcessEnv): void {
  environment.REDIS_TIMEOUT_MS ||= '5000';
  environment.MYSQL_TIMEOUT_MS ||= '15000';
  environment.LOG = 'off';
}

function hostOf(url: string | undefined): string {
  return url && URL.canParse(url) ? new URL(url).host : 'unknown';
}
