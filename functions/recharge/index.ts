import { serve } from '../../shared/http/lambda.ts';
import { balance, entries, spendUnits } from './balance.ts';
import { notify, register } from './notify.ts';
import { list, read, sync } from './orders.ts';
import { params } from './params.ts';
import { place } from './place-order.ts';

/** Row C7 (recharge): parameters, order, payment and record, and the balance that results. */
export const handler = serve(params, place, list, read, sync, notify, register, balance, entries, spendUnits);
