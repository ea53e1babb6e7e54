import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type HttpApi, type HttpApiOptions, startHttpApi } from '../../serve/http-api/http-api.ts';

declare global {
  /** Set by a test: the bundles of the fixture write their reports into these. */
  var authorizerEvents: unknown[] | undefined;
  /** The authorizer waits for it when the token is 'held'. */
  var authorizerHeld: (() => Promise<void>) | undefined;
  var patientStarted: (() => void) | undefined;
  var patientEnded: (() => void) | undefined;
}

const folder = fileURLToPath(new URL('./fixtures/http-api/', import.meta.url));

export const fixtureFiles = { serverlessFile: `${folder}serverless.yml`, distDirectory: `${folder}bundles` };

/** The fixture service on its own port; it stops at the end of the test. */
export async function fixtureApi(options: HttpApiOptions = {}): Promise<HttpApi> {
  const api = await startHttpApi({ ...fixtureFiles, ...options });
  onTestFinished(() => api.stop());
  return api;
}
