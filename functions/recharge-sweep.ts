import { scheduled } from '../shared/http/scheduled.ts';
import { sweepRecharge } from '../shared/recharge/sweep.ts';

/** Once a minute: no payment waits for its notification alone, no order stays open for ever, no refund is forgotten. */
export const handler = scheduled('recharge-sweep', (stopAt) => sweepRecharge({ stopAt }));
