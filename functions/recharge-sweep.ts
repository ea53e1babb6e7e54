import { scheduled } from '../shared/http/scheduled.ts';
import { sweepRecharge } from '../shared/recharge/sweep.ts';

/** Once a minute: finds payments whose notification did not arrive, closes expired orders, and continues refunds. */
export const handler = scheduled('recharge-sweep', (stopAt) => sweepRecharge({ stopAt }));
