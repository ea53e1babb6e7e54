import type { Context } from 'aws-lambda';
import { checkConfig } from '../config.ts';
import { logInvocation, logLine, noteCaller, runInvocation } from '../telemetry.ts';
import { logUnknown } from './log-unknown.ts';

/** Time reserved for the answer and the log line. */
const RESERVE_MS = 5_000;

/**
 * The handler of a schedule: it runs the work, then logs and returns the report. If the work throws, the invocation
 * fails and AWS counts the failure.
 */
export function scheduled<Report extends object>(
  name: string,
  work: (stopAt: number) => Promise<Report>,
): (event: unknown, lambda: Context) => Promise<Report> {
  return (_event, lambda) => {
    const startedAt = Date.now();
    const remaining = lambda.getRemainingTimeInMillis();
    return runInvocation(lambda.awsRequestId, remaining, async () => {
      noteCaller({ route: name, proof: 'none' });
      try {
        checkConfig();
        const report = await work(startedAt + remaining - RESERVE_MS);
        logLine({ level: 'info', code: name, ...report });
        logInvocation({ step: 'schedule', status: 200, ms: Date.now() - startedAt });
        return report;
      } catch (error) {
        logUnknown(error);
        logInvocation({ step: 'schedule', status: 500, code: 'INTERNAL', ms: Date.now() - startedAt });
        throw error;
      }
    });
  };
}
