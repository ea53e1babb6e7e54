import { AppError } from '../shared/errors.ts';
import { currentHealth } from '../shared/health.ts';
import { serve } from '../shared/http/lambda.ts';

/** For load balancers and monitors: without access_token and admission. With one engine down, reads still work. */
export const handler = serve({
  route: 'GET /health',
  success: 'ok',
  async answer() {
    const engines = await currentHealth();
    const down = Object.values(engines).filter((state) => state === 'down').length;
    if (down === 2) throw new AppError('UNAVAILABLE', 'No engine answers.', { retryAfterSeconds: 5 });
    return { status: down === 0 ? 'ok' : 'degraded', engines };
  },
});
