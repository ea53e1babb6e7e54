import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { portalHere as portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: TestStack;
let app: TestApp;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder('data-members');
  stack = await startTestStack();
  app = await stack.createApp();
});
afterAll(() => folder.remove());

const put = (resource: string, id: string, ...members: string[]) =>
  portal(['data', 'put', resource, id, ...members.flatMap((member) => ['--member', member]), '--json']);
const record = async (resource: string, id: string) => (await portalJson(['data', 'get', resource, id])).record;
const read = async (resource: string, id: string) => (await stack.call(app, 'GET', `/data/${resource}/${id}`)).body;
function file(name: string, content: string | Buffer): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}
const SERVICE = ['name=遛狗 · Walk', 'description=Half an hour', 'priceFen=3900', 'category=pets'];
const NOTICE = ['title=Open', 'body=Nine to five', 'publishedAt=2026-01-01T09:00:00Z'];
const written = { code: 0, json: { put: true } };

describe('data put --member', () => {
  test('makes a record with the types that the resource declares', async () => {
    expect(await put('service', '1', ...SERVICE)).toMatchObject(written);
    const expected = { id: '1', name: '遛狗 · Walk', description: 'Half an hour', priceFen: 3900, category: 'pets' };
    expect(await record('service', '1')).toEqual(expected);
    expect(await read('service', '1')).toEqual(expected);
    await put('notice', '1', ...NOTICE);
    expect((await record('notice', '1')).publishedAt).toBe('2026-01-01T09:00:00.000Z');
  });

  test('of an existing record changes the given members alone, and readers see it at once', async () => {
    await put('service', '2', ...SERVICE);
    await read('service', '2');
    expect(await put('service', '2', 'priceFen=1')).toMatchObject(written);
    const expected = { id: '2', name: '遛狗 · Walk', description: 'Half an hour', priceFen: 1, category: 'pets' };
    expect(await read('service', '2')).toEqual(expected);
  });

  test('of a new or a deleted record needs all its members', async () => {
    expect(await put('service', '3', 'name=x')).toMatchObject({ code: 1, stderr: expect.stringContaining('priceFen') });
    await put('service', '3', ...SERVICE);
    await portalJson(['data', 'delete', 'service', '3']);
    expect(await put('service', '3', 'name=x')).toMatchObject({ code: 1 });
    expect(await read('service', '3')).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('takes values with `=`, empty ones, those that begin with a dash, and several lines', async () => {
    const booking = [
      'userId=u1',
      'serviceId=1',
      'day=2030-01-01',
      'status=requested',
      'createdAt=2026-01-01T00:00:00Z',
    ];
    for (const [id, note] of ['a=b==c', '', '-1 is a note', 'first\nsecond', ' 有空格 '].entries()) {
      expect(await put('booking', String(id + 1), ...booking, `note=${note}`)).toMatchObject(written);
      expect((await record('booking', String(id + 1))).note).toBe(note);
    }
  });

  test('reads a text from a file as its author sees it', async () => {
    await put('notice', '2', ...NOTICE);
    const texts: Array<[string | Buffer, string]> = [
      ['一行\n二行\n', '一行\n二行'],
      ['\ufeffWindows\r\ntext\r\n', 'Windows\ntext'],
      ['a=b', 'a=b'],
      ['@home', '@home'],
    ];
    for (const [content, expected] of texts) {
      expect(await put('notice', '2', `body=@${file('body.txt', content)}`)).toMatchObject(written);
      expect((await record('notice', '2')).body).toBe(expected);
    }
    await put('service', '4', ...SERVICE);
    await put('service', '4', 'description=@@小明 from nine');
    expect((await record('service', '4')).description).toBe('@小明 from nine');
    const gbk = `body=@${file('gbk.txt', Buffer.from([0xb9, 0xab, 0xb8, 0xe6]))}`;
    expect(await put('notice', '2', gbk)).toMatchObject({ code: 2, stderr: expect.stringContaining('not UTF-8') });
    for (const missing of ['body=@', `body=@${folder.path}`, 'body=@nowhere.txt']) {
      const refused = await put('notice', '2', missing);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read') });
    }
    expect((await record('notice', '2')).body).toBe('@home');
  });

  test('takes a time as RFC 3339, or as the portal prints it in a zone', async () => {
    await put('notice', '3', ...NOTICE);
    const times = ['2026-11-28 00:05:09 +08:00', '2026-11-27T16:05:09.000Z', '2026-11-28T00:05:09+08:00'];
    for (const time of times) {
      await put('notice', '3', `publishedAt=${time}`);
      expect((await record('notice', '3')).publishedAt).toBe('2026-11-27T16:05:09.000Z');
    }
    const shown = await portal(['data', 'get', 'notice', '3', '--time', 'Asia/Shanghai']);
    expect(shown.stdout).toContain(times[0]);
  });

  test.each([
    ['nmae=x', 'service has no member "nmae"; there is: name, description, priceFen, category'],
    ['pricefen=1', 'service has no member "pricefen"; did you mean priceFen?'],
    ['constructor=x', 'service has no member "constructor"'],
    ['id=9', 'service has no member "id"'],
    ['priceFen=39.00', '--member priceFen takes a whole number, not "39.00"'],
    ['priceFen=', 'takes a whole number, not ""'],
    ['name', '--member takes member=value, not "name"'],
    ['=x', '--member takes member=value, not "=x"'],
  ])('%s is refused: %s', async (member, sentence) => {
    expect(await put('service', '1', member)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  test('refuses what is not clear, and what the resource does not accept', async () => {
    const twice = await put('service', '1', 'name=a', 'name=b');
    expect(twice).toMatchObject({ code: 2, stderr: expect.stringContaining('--member name is given twice') });
    const both = ['data', 'put', 'service', '1', '--member', 'name=a', '--json-body', '{}'];
    expect(await portal(both)).toMatchObject({ code: 2, stderr: expect.stringContaining('not both') });
    const neither = await portal(['data', 'put', 'service', '1']);
    expect(neither).toMatchObject({ code: 2, stderr: expect.stringContaining('give the members') });
    expect(await put('service', '1', 'category=boats')).toMatchObject({ code: 1 });
    for (const time of ['tomorrow', '2026-02-30T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T00:00:00']) {
      const refused = await put('notice', '1', `publishedAt=${time}`);
      expect(refused, time).toMatchObject({ code: 2, stderr: expect.stringContaining('takes a time such as') });
    }
    const inChinese = await portal(['data', 'put', 'service', '1', '--member', 'nam=x', '--lang', 'zh']);
    expect(inChinese.stderr).toContain('service 没有成员“nam”；是不是 name？');
  });
});

describe('data get', () => {
  test('prints all members in the order of the declaration, for a person', async () => {
    await put('notice', '5', 'title=Fake\nbody: x', 'body=one\npublishedAt 1999', 'publishedAt=2026-01-01T09:00:00Z');
    const { code, stdout } = await portal(['data', 'get', 'notice', '5', '--lang', 'zh']);
    expect(code).toBe(0);
    const lines = stdout.split('\n').filter((line) => !line.startsWith(' '));
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['id', 'title', 'body', 'publishedAt']);
  });

  test('shows the version of a record that users write', async () => {
    expect(Object.keys(await record('booking', '1'))).toEqual([
      ...['id', 'userId', 'serviceId', 'day', 'note', 'status', 'createdAt', 'version'],
    ]);
  });

  test('of a record that does not exist, is deleted, or has no valid id is refused', async () => {
    await put('service', '6', ...SERVICE);
    await portalJson(['data', 'delete', 'service', '6']);
    for (const id of ['6', '999']) {
      const sentence = `There is no service ${id}.`;
      expect(await portal(['data', 'get', 'service', id])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(sentence),
      });
    }
    expect(await portal(['data', 'get', 'service', 'x'])).toMatchObject({ code: 1 });
  });
});
