import { seedDemoUser } from './demo-user.ts';
import type { Execute } from './execute.ts';
import { insertMissing, type SqlValue } from './insert-missing.ts';
import { sampleItems } from './seed/items.ts';
import { sampleNotices } from './seed/notices.ts';
import { sampleProducts } from './seed/products.ts';
import { sampleServices } from './seed/services.ts';

type Seeded = {
  services: number;
  notices: number;
  products: number;
  items: number;
  /** null: the sandbox is switched off. */
  demoUserId: string | null;
};

/**
 * Adds the sample data. It may run any number of times: an existing row is not changed. `sandbox` adds account `demo`
 * with a password that everybody knows: never set it on a real deployment.
 */
export async function seed(
  execute: Execute,
  { sandbox, log = () => {} }: { sandbox: boolean; log?: (line: string) => void },
): Promise<Seeded> {
  const services = sampleServices();
  await insertMissing(
    execute,
    'services',
    ['id', 'name', 'description', 'price_fen', 'category'],
    services.map(serviceRow),
  );
  log(`services 1-${services.length}`);

  const notices = sampleNotices();
  await insertMissing(execute, 'notices', ['id', 'title', 'body', 'published_at'], notices.map(noticeRow));
  log(`notices 1-${notices.length}`);

  await insertMissing(
    execute,
    'products',
    ['product_id', 'title', 'amount_fen', 'units'],
    sampleProducts.map((product) => [product.productId, product.title, product.amountFen, product.units]),
  );
  log(`products ${sampleProducts.map(({ productId }) => productId).join(', ')}`);

  await insertMissing(
    execute,
    'items',
    ['item_id', 'title', 'amount'],
    sampleItems.map(({ itemId, title, amount }) => [itemId, title, amount]),
  );
  log(`items ${sampleItems.map(({ itemId }) => itemId).join(', ')}`);

  const demoUserId = sandbox ? await seedDemoUser(execute) : null;
  if (sandbox) log('sandbox: account demo, vouchers 1-3, bookings 1-3, reviews 1-3');
  return {
    services: services.length,
    notices: notices.length,
    products: sampleProducts.length,
    items: sampleItems.length,
    demoUserId,
  };
}

function serviceRow({
  id,
  name,
  description,
  priceFen,
  category,
}: ReturnType<typeof sampleServices>[number]): SqlValue[] {
  return [id, name, description, priceFen, category];
}

function noticeRow({ id, title, body, publishedAt }: ReturnType<typeof sampleNotices>[number]): SqlValue[] {
  return [id, title, body, publishedAt.toISOString().slice(0, -1).replace('T', ' ')];
}
