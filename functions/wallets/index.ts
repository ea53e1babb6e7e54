import { serve } from '../../shared/http/lambda.ts';
import { capture, place, release } from './holds.ts';
import { entries, grant, read, spend } from './wallet.ts';

/** The wallets of users, for server apps (row C7 (recharge)): look-up, spend, grant, hold. */
export const handler = serve(read, entries, spend, grant, place, capture, release);
