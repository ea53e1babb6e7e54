import { scheduled } from '../shared/http/scheduled.ts';
import { warmCache } from '../shared/upkeep/every-minute.ts';

/** Once a minute and once after deploy: sweeps changed rows, warms hot keys, keeps what must not lapse. */
export const handler = scheduled('cache-warm', (stopAt) => warmCache({ stopAt }));
