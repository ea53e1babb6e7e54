import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { makePush, makeRegistration } from '../../local/simulators/wechat-push.ts';
import { newSender, nowSeconds, pusher, setPush } from '../support/push-sender.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

const sender = newSender();
const path = `/wechat/push/${sender.wechatAppid}`;
const FORGED = { status: 401, body: { code: 'BAD_NOTIFY_SIGNATURE' } };
const UNKNOWN = { status: 404, body: { code: 'NOT_FOUND' } };
const SUCCESS = { status: 200, text: 'success' };
let stack: TestStack;
let push: ReturnType<typeof pusher>;
/** Log lines of the functions. */
const lines: string[] = [];

beforeAll(async () => {
  stack = await startTestStack({ env: { LOG: 'on' } });
  await setPush(stack, sender);
  push = pusher(stack, sender);
  vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(String(line)));
});
afterEach(() => {
  lines.length = 0;
});

/** Every event has members of its own: WeChat's time and sender are the same for all events of one second. */
let events = 0;
const event = (Event: string) => ({
  ...{ ToUserName: 'gh_1', FromUserName: 'o-sender', CreateTime: nowSeconds(), MsgType: 'event', Event },
  trace_id: `trace-${events++}`,
});
const counted = (name: string): number =>
  lines.filter((line) => line.startsWith('{"_aws"') && line.includes(`"${name}":`)).length;

describe('the address of the message push', () => {
  test('is registered by a signed request of the console, which gets its own text back', async () => {
    const query = makeRegistration(sender, '4375120948345356249', { now: nowSeconds() });
    const answer = await stack.send('GET', `${path}?${query}`, {});
    expect(answer).toMatchObject({ status: 200, text: '4375120948345356249' });
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    const old = makeRegistration(sender, '1', { now: nowSeconds() - 400 });
    const other = makeRegistration({ ...sender, token: 'other' }, '1', { now: nowSeconds() });
    for (const wrong of ['', old, other]) {
      expect(await stack.send('GET', `${path}?${wrong}`, {})).toMatchObject(FORGED);
    }
  });

  test('of a mini-program that is not known here does not exist', async () => {
    const stranger = newSender();
    expect(await pusher(stack, stranger)(event('wxa_media_check'))).toMatchObject(UNKNOWN);
    const query = makeRegistration(stranger, '1', { now: nowSeconds() });
    expect(await stack.send('GET', `/wechat/push/${stranger.wechatAppid}?${query}`, {})).toMatchObject(UNKNOWN);
    expect(await stack.send('GET', `/wechat/push/%20?${query}`, {})).toMatchObject(UNKNOWN);
  });
});

describe('a push', () => {
  test('is answered with success, in JSON and in XML, and counted under a bounded set of names', async () => {
    for (const format of ['json', 'xml'] as const) {
      expect(await push(event('subscribe_msg_popup_event'), { format })).toMatchObject(SUCCESS);
      expect(await push(event('an_event_of_tomorrow'), { format })).toMatchObject(SUCCESS);
      expect(await push({ MsgType: 'text', Content: `hello ${format}` }, { format })).toMatchObject(SUCCESS);
    }
    for (const name of ['constructor', '__proto__']) expect(await push(event(name))).toMatchObject(SUCCESS);
    expect(counted('wechat.push.event.subscribe_msg_popup_event')).toBe(2);
    expect(counted('wechat.push.event.other')).toBe(6);
    expect(lines.join('\n')).not.toContain('an_event_of_tomorrow');
  });

  test('that is forged, old, plain, or of another mini-program is refused and leaves no mark', async () => {
    const before = await stack.redis.keys('*push*');
    const members = event('wxa_media_check');
    const wrong = [
      await push(members, { mode: 'plain' }),
      await push(members, { now: nowSeconds() - 400 }),
      await push(members, { now: nowSeconds() + 400 }),
      await push(members, { appidInside: 'wxffffffffffffffff' }),
      await pusher(stack, { ...sender, token: 'other' }, path)(members),
      await pusher(stack, { ...sender, encodingAesKey: newSender().encodingAesKey }, path)(members),
      await stack.send('POST', path, {}, '{}'),
      await stack.send('POST', path, {}),
    ];
    for (const answer of wrong) expect(answer).toMatchObject(FORGED);
    expect(await stack.redis.keys('*push*')).toEqual(before);
    expect(lines.filter((line) => line.includes('"code":"wechat-push-not-encrypted"'))).toHaveLength(1);
    for (const secret of [sender.token, sender.encodingAesKey]) expect(lines.join('\n')).not.toContain(secret);
  });

  test('with a document type, with entities, too deep or too large is refused', async () => {
    const { query } = makePush(sender, event('wxa_media_check'), { now: nowSeconds(), format: 'xml' });
    const send = (body: string) => stack.send('POST', `${path}?${query}`, {}, body);
    const bomb =
      '<!DOCTYPE xml [<!ENTITY a "aa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><xml><Encrypt>&c;</Encrypt></xml>';
    const outside = '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Encrypt>&a;</Encrypt></xml>';
    const deep = `<xml>${'<a>'.repeat(10_000)}${'</a>'.repeat(9_000)}</xml>`.slice(0, 65_000);
    for (const body of [bomb, outside, deep, '<xml>', '<xml><Encrypt></xml>']) {
      expect(await send(body)).toMatchObject(FORGED);
    }
    const large = await send(`<xml><Encrypt>${'A'.repeat(65_536)}</Encrypt></xml>`);
    expect(large).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } });
  });

  test('that WeChat repeats is marked, with a lifetime, and holds nothing of the message', async () => {
    const members = event('wxa_media_check');
    for (let i = 0; i < 3; i++) expect(await push(members)).toMatchObject(SUCCESS);
    expect(counted('wechat.push.repeated')).toBe(2);
    const marks = await stack.redis.keys('*:replay:push:*');
    for (const mark of marks) {
      const left = await stack.redis.ttl(mark);
      expect(left > 0 && left <= 600, mark).toBe(true);
      expect(mark).not.toContain('o-sender');
      expect(await stack.redis.get(mark)).toBe('1');
    }
    expect(await push({ ...members, trace_id: 'another' })).toMatchObject(SUCCESS);
    expect(counted('wechat.push.repeated')).toBe(2);
  });

  test('is answered while Redis does not answer', async () => {
    stack.faults.redis = () => ({ kind: 'status', status: 502, body: 'bad gateway' });
    expect(await push(event('wxa_media_check'))).toMatchObject(SUCCESS);
    stack.faults.redis = undefined;
  });
});
