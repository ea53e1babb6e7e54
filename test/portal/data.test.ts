import { beforeAll, describe, expect, test } from 'vitest';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
});

const read = async (id: number | string) => {
  const answer = await stack.call(app, 'GET', `/data/service/${id}`);
  return { status: answer.status, cache: answer.headers.get('x-cache'), name: answer.body?.name };
};
const put = (id: number | string, members: object) =>
  portal(['data', 'put', 'service', String(id), '--json-body', JSON.stringify(members), '--json']);
const walk = { name: '遛狗 · Dog walking', description: 'Half an hour', priceFen: 3_900 };

describe('portal data', () => {
  test('a record that is put is read at once, also when its absence was cached', async () => {
    expect(await read(1)).toMatchObject({ status: 404 });
    expect(await read(1)).toMatchObject({ status: 404, cache: 'null' });
    expect(await put(1, walk)).toMatchObject({ code: 0, json: { resource: 'service', id: '1', put: true } });
    expect(await read(1)).toEqual({ status: 200, cache: 'miss', name: walk.name });
    expect(await put(1, { ...walk, name: 'Cat sitting' })).toMatchObject({ code: 0 });
    expect(await read(1)).toEqual({ status: 200, cache: 'miss', name: 'Cat sitting' });
    expect(await read(1)).toEqual({ status: 200, cache: 'hit', name: 'Cat sitting' });
  });

  test('a deleted record is gone with the next read, and put restores it', async () => {
    await put(2, walk);
    await read(2);
    expect(await portalJson(['data', 'delete', 'service', '2'])).toMatchObject({ deleted: true });
    expect(await read(2)).toMatchObject({ status: 404 });
    expect(await portalJson(['data', 'delete', 'service', '2'])).toMatchObject({ deleted: false });
    await put(2, walk);
    expect(await read(2)).toMatchObject({ status: 200, name: walk.name });
  });

  test('after a change by other tools, invalidate makes the next read ask the database', async () => {
    await Promise.all([put(3, walk), put(4, walk)]);
    await Promise.all([read(3), read(4)]);
    await stack.mysql.query("UPDATE services SET name = 'by hand', version = version + 1 WHERE id IN (3, 4)");
    expect(await read(3)).toMatchObject({ cache: 'hit', name: walk.name });
    await portalJson(['data', 'invalidate', 'service', '3', '4']);
    expect(await read(3)).toMatchObject({ cache: 'miss', name: 'by hand' });
    expect(await read(4)).toMatchObject({ cache: 'miss', name: 'by hand' });
  });

  test('a write stays in MySQL when Redis is down and its key cannot be deleted', async () => {
    stack.faults.redis = ({ body }) =>
      /^"?del/i.test(String((body as unknown[])[0])) ? { kind: 'status', status: 500, body: '' } : undefined;
    expect(await put(5, walk)).toMatchObject({ code: 0 });
    stack.faults.redis = undefined;
    expect(await read(5)).toMatchObject({ status: 200 });
  });

  test('put is refused when the id cannot be added to the existence filter', async () => {
    stack.faults.redis = () => ({ kind: 'status', status: 500, body: '' });
    expect(await put(8, walk)).toMatchObject({ code: 1 });
    stack.faults.redis = undefined;
    expect(await read(8)).toMatchObject({ status: 404 });
  });

  test('a member that the resource does not accept is refused by name, and nothing is written', async () => {
    const { name: _name, ...nameless } = walk;
    const wrong: Array<[object, string]> = [
      [nameless, 'name'],
      [{ ...walk, priceFen: '3900' }, 'priceFen'],
      [{ ...walk, priceFen: -1 }, 'priceFen'],
      [{ ...walk, colour: 'red' }, 'colour'],
    ];
    for (const [members, member] of wrong) {
      expect(await put(6, members)).toMatchObject({ code: 1, stderr: expect.stringContaining(member) });
    }
    expect(await read(6)).toMatchObject({ status: 404 });
    expect(await put('0', walk)).toMatchObject({ code: 1, stderr: expect.stringContaining('whole number') });
    const noJson = await portal(['data', 'put', 'service', '6', '--json-body', '{name:']);
    expect(noJson).toMatchObject({ code: 2, stderr: expect.stringContaining('takes JSON') });
    const noResource = await portal(['data', 'put', 'servise', '6', '--json-body', '{}']);
    expect(noResource).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean service?') });
  });

  test('a channel is added, changed, listed and removed', async () => {
    const add = (...more: string[]) => portalJson(['channel', 'add', '--id', 'moon', ...more]);
    const verify = 'https://moon.example/verify';
    expect(await add('--verify', verify, '--login-server', 'game.moon.example:7000')).toMatchObject({ added: true });
    expect(await add('--verify', verify, '--login-server', '[2001:db8::1]:7001')).toMatchObject({ added: false });
    expect(await portalJson(['channel', 'list'])).toEqual({
      channels: [{ channel: 'moon', verifyUrl: verify, loginHost: '2001:db8::1', loginPort: 7001 }],
    });
    await portalJson(['channel', 'remove', '--id', 'moon']);
    expect(await portalJson(['channel', 'list'])).toEqual({ channels: [] });
    expect(await portal(['channel', 'remove', '--id', 'moon'])).toMatchObject({ code: 1 });
    const plain = await portal([
      'channel',
      'add',
      '--id',
      'm',
      '--verify',
      'http://moon.example/',
      '--login-server',
      'm:1',
    ]);
    expect(plain).toMatchObject({ code: 2, stderr: expect.stringContaining('https') });
    for (const url of ['https://169.254.169.254/', 'https://2852039166/', 'https://[::ffff:168.63.129.16]/']) {
      const refused = await portal(['channel', 'add', '--id', 'm', '--verify', url, '--login-server', 'm:1']);
      expect(refused, url).toMatchObject({ code: 1, stderr: expect.stringContaining('public host') });
      const plugin = await portal(['plugin', 'add', '--id', 'm', '--server', url]);
      expect(plugin, url).toMatchObject({ code: 1, stderr: expect.stringContaining('public host') });
    }
    expect(await portalJson(['channel', 'list'])).toEqual({ channels: [] });
  });
});
