import { warmCache } from '../shared/cache-warm.ts';
import { scheduled } from '../shared/http/scheduled.ts';

/** Once a minute and once after deploy: sweeps changed rows, warms hot keys, keeps what must not lapse. */
export const handler = scheduled('cache-warm', (stopAt) => warmCache({ stopAt }));
