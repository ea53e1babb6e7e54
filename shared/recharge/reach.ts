import type { Order } from './order.ts';
import type { Provider } from './provider.ts';
import { providerOf } from './providers.ts';

/** Why nobody can be asked about an order any more. A person has to look at the merchant platform then. */
export type Unreachable = 'merchant-removed' | 'payer-unknown';

/** The provider that can be asked about an order. */
export async function reach(order: Order): Promise<{ provider: Provider } | { why: Unreachable }> {
  const provider = await providerOf(order);
  if (!provider) return { why: 'merchant-removed' };
  const isAskable = !provider.knowsPayer || (await provider.knowsPayer(order));
  return isAskable ? { provider } : { why: 'payer-unknown' };
}

/** null: its provider can be asked. */
export async function whyUnreachable(order: Order | null): Promise<Unreachable | null> {
  const reached = order && (await reach(order));
  return reached && 'why' in reached ? reached.why : null;
}
