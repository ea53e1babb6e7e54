import { beforeAll, describe, expect, test } from 'vitest';
import { allResources } from '../../shared/data/resources.ts';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let user: string;
let other: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  const app = await stack.createApp();
  [user = '', other = ''] = await sessionsOf(stack, app).newUsers(2);
  for (const [id, owner] of [user, user, user, other].entries()) await book(String(id + 1), owner);
});

const book = (id: string, userId: string, note = `note ${id}`) =>
  portalJson([
    ...['data', 'put', 'booking', id, '--member', `userId=${userId}`, '--member', `note=${note}`],
    ...['--member', 'serviceId=1', '--member', 'day=2030-01-01', '--member', 'status=requested'],
    ...['--member', `createdAt=2026-01-01T00:00:0${id}Z`],
  ]);
const list = (resource: string, ...words: string[]) => portal(['data', 'list', resource, ...words]);
const listJson = (resource: string, ...words: string[]) => portalJson(['data', 'list', resource, ...words]);
const ids = (items: Array<{ id: string }>) => items.map(({ id }) => id);

/** Runs the printed commands, as a shell would read them, until there is none. */
async function walk(words: string[]): Promise<string[]> {
  const found: string[] = [];
  for (let next: string[] | undefined = words; next; ) {
    const { code, stdout, stderr } = await portal(next);
    expect(code, stderr).toBe(0);
    const rows = stdout
      .split('\n')
      .slice(1)
      .filter((line) => /^\d/.test(line));
    found.push(...rows.map((line) => line.split(' ')[0] ?? ''));
    const [, command] = /^Next page: npm run -s portal -- (.*)$/m.exec(stdout) ?? [];
    next = command?.split(' ').map((word) => word.replaceAll("'", ''));
  }
  return found;
}

describe('data list', () => {
  test('prints pages in the order of the list, and the command for the next one', async () => {
    const found = await walk([
      'data',
      'list',
      'service',
      '--list',
      'by-category',
      '--filter',
      'category=pets',
      '--limit',
      '7',
    ]);
    const sql = "SELECT id FROM services WHERE category = 'pets' AND deleted_at IS NULL ORDER BY price_fen, id";
    const [rows] = await stack.mysql.query(sql);
    expect(found.length).toBeGreaterThan(14);
    expect(found).toEqual(ids(rows as Array<{ id: string }>).map(String));
    const newest = await walk([
      'data',
      'list',
      'notice',
      '--list',
      'newest',
      '--time',
      'Asia/Shanghai',
      '--limit',
      '9',
    ]);
    const [notices] = await stack.mysql.query('SELECT id FROM notices ORDER BY published_at DESC, id DESC');
    expect(newest).toEqual(ids(notices as Array<{ id: string }>).map(String));
  });

  test('prints the members of the list as columns, with names that are not translated', async () => {
    const { stdout } = await list('notice', '--list', 'newest', '--limit', '1', '--lang', 'zh');
    const [heading = '', , next = ''] = stdout.split('\n');
    expect(heading.split(/ +/)).toEqual(['id', 'title', 'publishedAt']);
    expect(next).toMatch(
      /^下一页：npm run -s portal -- data list notice --list newest --limit 1 --lang zh --after \d+\.\d+$/,
    );
  });

  test('as JSON has the items and the place after them', async () => {
    const { items, next, ...rest } = await listJson('service', '--list', 'cheapest');
    expect([items.length, rest, Object.keys(items[0])]).toEqual([
      20,
      { resource: 'service', list: 'cheapest' },
      ['id', 'name', 'priceFen', 'category'],
    ]);
    const second = await listJson('service', '--list', 'cheapest', '--after', next);
    expect(ids(second.items)).not.toContain(items.at(-1).id);
    const all = await listJson('booking', '--list', 'mine', '--user', user);
    expect(all).not.toHaveProperty('next');
  });

  test('of one user has the records of this user alone', async () => {
    expect(ids((await listJson('booking', '--list', 'mine', '--user', user)).items)).toEqual(['3', '2', '1']);
    const asked = ['--list', 'mine-by-status', '--filter', 'status=requested', '--user', other];
    const { items } = await listJson('booking', ...asked);
    expect(items).toEqual([expect.objectContaining({ id: '4', userId: other, status: 'requested', version: 1 })]);
    expect((await list('booking', '--list', 'mine', '--user', 'nobody')).stdout).toBe('none');
  });

  test('reads the database, so it shows what another tool has just changed', async () => {
    await list('booking', '--list', 'mine', '--user', user);
    await stack.mysql.query("UPDATE bookings SET note = 'by hand' WHERE id = 3");
    await stack.resetCounters();
    expect((await listJson('booking', '--list', 'mine', '--user', user)).items[0].note).toBe('by hand');
    expect((await stack.counters()).redisRequests).toBe(0);
  });

  test('shows a long text of several lines as one line', async () => {
    await book('5', other, `one\ntwo ${'长'.repeat(80)}`);
    const { stdout } = await list('booking', '--list', 'mine', '--user', other);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toContain('one\\ntwo 长长');
    expect(stdout).toContain('…');
  });

  test('without --list names the lists, their filters and their order', async () => {
    const { stdout } = await list('booking');
    expect(stdout).toMatch(
      /^mine-by-status +status=requested\|confirmed\|done\|cancelled +--user +createdAt descending$/m,
    );
    expect((await list('review')).stdout).toContain('serviceId=<service id>');
    for (const { name, lists = [] } of allResources()) {
      const shown = (await listJson(name)).lists.map((one: { name: string }) => one.name);
      expect(shown).toEqual(lists.map((one) => one.name));
    }
  });

  test('a value for the shell is quoted in the next command', async () => {
    await book('6', other);
    await book('7', other);
    await stack.mysql.query('UPDATE bookings SET user_id = ? WHERE id IN (6, 7)', ["o'hare $HOME"]);
    const { stdout } = await list('booking', '--list', 'mine', '--user', "o'hare $HOME", '--limit', '1');
    expect(stdout).toContain("--user 'o'\\''hare $HOME' --after");
  });
});

test.each([
  [['--list', 'newst'], 'notice has no list "newst"; did you mean newest?'],
  [['--list', 'mine'], 'notice has no list "mine"; there is: newest'],
  [['--list', 'newest', '--filter', 'title=x'], 'list newest takes no --filter'],
  [['--list', 'newest', '--user', 'u'], 'list newest is of all users'],
  [['--list', 'newest', '--limit', '101'], '--limit takes a whole number from 1 to 100'],
  [['--list', 'newest', '--after', '1'], '--after takes what the page before printed'],
  [['--list', 'newest', '--after', '1.2 OR 1'], '--after takes what the page before printed'],
])('data list notice %j is refused: %s', async (words, sentence) => {
  expect(await list('notice', ...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
});

test.each([
  [['booking', '--list', 'mine'], 'list mine is of one user: name it with --user ID'],
  [['service', '--filter', 'category=pets'], '--filter needs --list NAME'],
  [['service', '--limit', '5'], '--limit needs --list NAME'],
  [['service', '--list', 'by-category'], 'needs --filter category=home|'],
  [['service', '--list', 'by-category', '--filter', 'category=boats'], 'takes one of home, '],
  [['service', '--list', 'by-category', '--filter', 'categry=pets'], 'did you mean category?'],
  [['service', '--list', 'by-category', '--filter', 'category=pets', '--filter', 'category=home'], 'is given twice'],
  [['review', '--list', 'of-service'], 'needs --filter serviceId=<service id>'],
  [['servise', '--list', 'cheapest'], 'did you mean service?'],
])('data list %j is refused: %s', async (words, sentence) => {
  expect(await portal(['data', 'list', ...words])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(sentence),
  });
});
