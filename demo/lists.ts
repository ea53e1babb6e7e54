import { randomInt } from 'node:crypto';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';

interface Item {
  id: string;
  priceFen: number;
}
interface Page {
  items: Item[];
  next?: string;
}

/** Rows F1 to F3 (lists): pages, and how soon they show a write. */
export async function lists({ story, caller, portal, app }: Scene): Promise<void> {
  const { step } = story;
  const list = (query: string, remark?: string) =>
    caller.call(app, 'GET', '/data/service', { query, ...(remark && { remark }) });
  const page = async (query: string): Promise<Page> => answers(await list(query), 200);

  const next = await step('F1', 'a list in pages: the cheapest services, in order, each of them once', async () => {
    const first = await page('list=cheapest&limit=20');
    const second = await page(`list=cheapest&limit=20&after=${first.next}`);
    const items = [...first.items, ...second.items];
    must(new Set(items.map(({ id }) => id)).size === 40, 'forty services, none of them twice');
    const prices = items.map(({ priceFen }) => priceFen);
    must(JSON.stringify(prices) === JSON.stringify(prices.toSorted((a, b) => a - b)), 'the cheapest first');
    return first.next as string;
  });
  await step(
    'F1',
    'a cached page costs one request to Redis in all, and none to MySQL',
    async () => {
      const answer = await list('list=cheapest&limit=20');
      answers(answer, 200);
    },
    { redis: 1, mysql: 0 },
  );
  await step(
    'F3',
    'an invented list, filter, size or cursor is refused without a request to an engine',
    async () => {
      const altered = `${next.slice(0, -1)}${next.endsWith('A') ? 'B' : 'A'}`;
      answers(await list('list=dearest'), 400, 'INVALID_INPUT');
      answers(await list('list=by-category&category=boats'), 400, 'INVALID_INPUT');
      answers(await list('list=cheapest&limit=1000'), 400, 'INVALID_INPUT');
      answers(await list('list=cheapest&after=MS4xLjE.AAAAAAAAAAAAAAAA', 'invented'), 400, 'INVALID_INPUT');
      answers(await list(`list=cheapest&after=${altered}`, 'one letter changed'), 400, 'INVALID_INPUT');
      answers(await list(`list=by-category&category=pets&after=${next}`, 'of another list'), 400, 'INVALID_INPUT');
    },
    { redis: 0, mysql: 0 },
  );
  await step('F2', 'the next read of a list shows what was written, and not what was deleted', async () => {
    const id = String(randomInt(900_000_000, 999_999_999));
    const members = { name: 'Free of charge', description: 'Written by npm run demo.', priceFen: 0, category: 'other' };
    await page('list=cheapest');
    await portal('data', 'put', 'service', id, '--json-body', JSON.stringify(members));
    const written = (await page('list=cheapest')).items[0]?.id;
    await portal('data', 'delete', 'service', id);
    must(written === id, 'the new service is the first one');
    must(
      !(await page('list=cheapest')).items.some((item) => item.id === id),
      'it is not in the list after its deletion',
    );
  });
}
