import { scheduled } from '../shared/http/scheduled.ts';
import { warmCache } from '../shared/upkeep/every-minute.ts';

/** Once a minute and once after deploy: sweeps changed rows, loads hot records, and renews keys that must not end. */
export const handler = scheduled('cache-warm', (stopAt) => warmCache({ stopAt }));
