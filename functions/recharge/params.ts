import { endpoint } from '../../shared/http/endpoint.ts';
import { catalogueRead, productsFrom } from '../../shared/recharge/catalogue.ts';
import { merchantsRead } from '../../shared/recharge/merchant.ts';
import { providersFrom } from '../../shared/recharge/providers.ts';

/** What can be bought and how it can be paid (row C7). */
export const params = endpoint(
  {
    route: 'GET /recharge/params',
    auth: 'user',
    scope: 'recharge',
    reads: () => [catalogueRead(), merchantsRead()],
  },
  async ({ app, reads, leaseId }) => {
    const [products, providers] = await Promise.all([
      productsFrom(leaseId, reads[0]),
      providersFrom(leaseId, reads[1]),
    ]);
    return { products, providers: providers.offeredTo(app.appId).map(({ name }) => name) };
  },
);
