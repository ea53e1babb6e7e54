import { resolve } from 'node:path';
import { type HttpApi, type HttpApiOptions, startHttpApi } from '../serve/http-api/http-api.ts';
import { readServerlessFile } from '../serve/http-api/serverless-file.ts';

export interface RestartableApi extends HttpApi {
  /** Reads serverless.yml again, on the same port. Throws if the file has an error; then nothing changes. */
  restart(): Promise<void>;
}

/** An HTTP API for `npm run dev`, which follows changes of serverless.yml. */
export async function startRestartableApi(options: HttpApiOptions): Promise<RestartableApi> {
  const first = await startHttpApi(options);
  let current: HttpApi = first;
  return {
    ...first,
    runSchedule: (functionName, input) => current.runSchedule(functionName, input),
    reload: () => current.reload(),
    stop: () => current.stop(),
    async restart() {
      readServerlessFile(resolve(options.serverlessFile ?? 'serverless.yml'));
      await current.stop();
      current = await startHttpApi({ ...options, port: first.port });
    },
  };
}
