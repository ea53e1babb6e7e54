import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { encryptPush, makePush, makeRegistration, type PushOptions } from '../../local/simulators/wechat-push.ts';
import { openPush, pushEcho } from '../../shared/wechat/push/message.ts';
import { PushRefused } from '../../shared/wechat/push/refused.ts';

beforeAll(() => void vi.stubEnv('LOG', 'off'));

const NOW = 1_714_112_445;
/** The example of WeChat's documentation. */
const PAGE = { wechatAppid: 'wxba5fad812f8e6fb9', token: 'AAAAA', encodingAesKey: 'A'.repeat(43) };
const PAGE_MESSAGE =
  '{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}';
const PAGE_ENCRYPT =
  '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=';
const PAGE_QUERY = {
  signature: '6c5c811b55cc85e0e1b54100749188c20beb3f5d',
  timestamp: String(NOW),
  nonce: '415670741',
  openid: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
  encrypt_type: 'aes',
  msg_signature: '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3',
};

/** Another implementation made this one, with other settings. */
const OTHER = {
  wechatAppid: 'wx0123456789abcdef',
  token: 'pushtoken',
  encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
};
const OTHER_ENCRYPT =
  'Q3stYC6hdFzMh9T8HCvyDJBbbuBl50g3nbDc7PYoBZ3XaQ3uBKS76LO31s6P33ExLrAUadpUkq0EBbz8vVEg4onkgi0jR8AZNP9ZjOHRrEuRmegpOqa8JSbNYz8jwL2OcP+SRCuHZPNsDlbD2wErHeaP9oiH6AWfPyhRRxttiYAZn7C+T+mseNpg8E3/LmLhLUmSdZ4kKxNp4sdk1lOdxu1EQ99rtKzUXnSgj6hTj4MA9sKAJolgO92ETNi2nGixELhOUnnaYGkZQmJL2JLrLjhQc31MkFmu65m2zzSr+kl4MphJBv+K8DaPJ7WD7mOYfEoeV+peWOX/k6kLgdW3GIcMX7CinNGGMS9/ErE+/Wv8uCFpWoVQh51zWPxl5J5Q8JtSQE2BxElHD97RZYizwqs3JNuiWqAuCakpob2oq9I=';

type Push = { query: Record<string, string | undefined>; body: string };
const open = ({ query, body }: Push, now = NOW, receiver = PAGE) =>
  openPush({ query, body: Buffer.from(body) }, receiver, now);

function refusalOf(work: () => unknown): string {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof PushRefused) return error.reason;
    throw error;
  }
}

const made = (members: Parameters<typeof makePush>[1], options: Partial<PushOptions> = {}): Push => {
  const { query, body } = makePush(PAGE, members, { now: NOW, ...options });
  return { query: Object.fromEntries(new URLSearchParams(query)), body };
};

describe('a message push', () => {
  test("of WeChat's documentation is opened, and the simulator makes the same bytes", () => {
    const push = { query: PAGE_QUERY, body: JSON.stringify({ ToUserName: 'gh_97417a04a28d', Encrypt: PAGE_ENCRYPT }) };
    expect(open(push)).toMatchObject({ event: 'debug_demo', body: JSON.parse(PAGE_MESSAGE) });
    expect(encryptPush(PAGE, PAGE_MESSAGE, { random: 'a8eedb185eb2fecf' })).toBe(PAGE_ENCRYPT);
    const simulated = made(JSON.parse(PAGE_MESSAGE), { random: 'a8eedb185eb2fecf', nonce: '415670741' });
    const { openid: _, ...query } = PAGE_QUERY;
    expect(simulated).toEqual({ ...push, query });
  });

  test("of WeChat's documentation in XML is opened", () => {
    const receiver = { ...PAGE, wechatAppid: 'wx134c8103faa5a59e' };
    const query = {
      timestamp: '1715943329',
      nonce: '1590219412',
      msg_signature: '6c12a4205838198b8fa631b3220723bb07f1015c',
    };
    const Encrypt =
      'D7yzvUNAL930rd28wf21s4hvXhz0L6Uit/p2Di6C5DHyYGpEgdBRnKjBec34JwoQXicwaZC7fOVihW80F4VtsdvE//1vr7oAbqjDv8KenVp+ajKYpJnyQ4zMRhIC+a31fCVOMC03FfzV/QuC94kBP55a+Za3sJgvAn+ZbsNqZI5DkyuzkhQN8OBqCzFhizGmy0xpM0MEA4agpvE+RuNO1rhHTtuJB5yltw1FiYzecSXJ+y/D2r81VkRn2eYjh2ltsoyfbDR7Is6ookXIFxTfyeNyeHxMeT4KN5WpCDmSbTcUYrbBUlkGLJ9n/rU8YOywma6G7aTb7KZKOqCxgfoUlYEZPk4FUL/TK7ShriFDMVCLyjQJ15Ob++agDWtcxhfUfe6HIoIpRW8mKNBQiY/Jd1svvuskA1wLef1RTtzKfMpagSCX/laZINmdnX4zrF6kIaR9P4xQrWXbsTFHTYe0Mg==';
    const body = `<xml>
    <ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName>
    <Encrypt><![CDATA[${Encrypt}]]></Encrypt>
</xml>`;
    expect(open({ query, body }, 1_715_943_329, receiver).body).toEqual({
      ToUserName: 'gh_97417a04a28d',
      FromUserName: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
      CreateTime: '1715943329',
      MsgType: 'event',
      Event: 'debug_demo',
      debug_str: 'hello world',
    });
  });

  test('of another implementation is opened', () => {
    const query = { timestamp: '1700000000', nonce: '1320562132' };
    const msg_signature = '357327d4dbf2f557ebd75ca73dd8e24219634550';
    const push = { query: { ...query, msg_signature }, body: JSON.stringify({ Encrypt: OTHER_ENCRYPT }) };
    expect(open(push, 1_700_000_000, OTHER)).toMatchObject({ event: 'xpay_goods_deliver_notify' });
  });

  test('says the same in JSON and in XML, also with several of one name, and only its encrypted part counts', () => {
    const members = { Event: 'e', List: [{ a: '1' }, { a: ']]>&lt;' }], Text: '五毛 < 1 & "x"' };
    for (const format of ['json', 'xml'] as const) {
      for (const mode of ['encrypted', 'compatible'] as const) {
        const push = made(members, { format, mode });
        expect(open(push).body).toEqual(members);
        const changed = { ...push, body: push.body.replace('五毛', '五元') };
        expect(open(changed).body).toEqual(members);
      }
    }
  });

  test('has the same digest in every delivery, and another message has another one', () => {
    const digests = [1, 2].map((now) => open(made({ Event: 'e', CreateTime: 1 }, { now: NOW + now })).digest);
    expect(new Set(digests).size).toBe(1);
    expect(open(made({ Event: 'e', CreateTime: 2 })).digest).not.toBe(digests[0]);
  });

  test('that was changed in any part is refused, and so is one of another mini-program', () => {
    const push = made({ Event: 'e' });
    const changes = [{ nonce: '1' }, { timestamp: String(NOW + 1) }, { msg_signature: push.query.signature }];
    for (const change of [...changes, { msg_signature: undefined }]) {
      expect(refusalOf(() => open({ ...push, query: { ...push.query, ...change } }))).toBe('BAD_SIGNATURE');
    }
    const { Encrypt } = JSON.parse(push.body);
    const body = JSON.stringify({ Encrypt: `${Encrypt[0] === 'A' ? 'B' : 'A'}${Encrypt.slice(1)}` });
    expect(refusalOf(() => open({ ...push, body }))).toBe('BAD_SIGNATURE');
    expect(refusalOf(() => open(push, NOW, { ...PAGE, token: 'other' }))).toBe('BAD_SIGNATURE');
    expect(refusalOf(() => open(push, NOW, { ...PAGE, wechatAppid: 'wxother' }))).toBe('WRONG_APP');
    expect(refusalOf(() => open(made({ Event: 'e' }, { appidInside: 'wxother' })))).toBe('WRONG_APP');
    expect(refusalOf(() => open(push, NOW, { ...PAGE, encodingAesKey: `${'A'.repeat(41)}BA` }))).toBe('UNDECRYPTABLE');
  });

  test('in plain mode is refused, and only a signed one counts as plain', () => {
    const push = made({ Event: 'e' }, { mode: 'plain' });
    expect(refusalOf(() => open(push))).toBe('PLAIN');
    const forged = { ...push.query, signature: '0'.repeat(40), msg_signature: push.query.signature };
    expect(refusalOf(() => open({ ...push, query: forged }))).toBe('BAD_SIGNATURE');
  });

  test('is accepted up to 300 s from its time stamp', () => {
    const ages = [-301, -300, 300, 301].map((age) => refusalOf(() => open(made({ Event: 'e' }), NOW + age)));
    expect(ages).toEqual(['STALE', 'accepted', 'accepted', 'STALE']);
  });

  test('of any content is opened, or refused with one of the declared reasons', () => {
    const texts = fc.option(fc.oneof(fc.string(), fc.constantFrom(...Object.values(PAGE_QUERY))), { nil: undefined });
    const query = fc.record({ timestamp: texts, nonce: texts, signature: texts, msg_signature: texts });
    fc.assert(
      fc.property(query, fc.oneof(fc.json(), fc.string()), (given, body) => {
        expect(refusalOf(() => open({ query: given, body }))).not.toBe('accepted');
      }),
    );
    fc.assert(
      fc.property(fc.base64String({ minLength: 4, maxLength: 200 }), (Encrypt) => {
        const parts = [PAGE.token, String(NOW), '1', Encrypt].sort().join('');
        const msg_signature = createHash('sha1').update(parts).digest('hex');
        const push = {
          query: { timestamp: String(NOW), nonce: '1', msg_signature },
          body: JSON.stringify({ Encrypt }),
        };
        expect(refusalOf(() => open(push))).not.toBe('accepted');
      }),
    );
  });
});

test('the push address is registered only by a signed request', () => {
  const query = {
    signature: 'f464b24fc39322e44b38aa78f5edd27bd1441696',
    echostr: '4375120948345356249',
    timestamp: '1714036504',
    nonce: '1514711492',
  };
  const now = 1_714_036_504;
  expect(pushEcho(query, PAGE.token, now)).toBe('4375120948345356249');
  const simulated = makeRegistration(PAGE, query.echostr, { now, nonce: query.nonce });
  expect(Object.fromEntries(new URLSearchParams(simulated))).toEqual(query);
  expect(refusalOf(() => pushEcho(query, 'other', now))).toBe('BAD_SIGNATURE');
  expect(refusalOf(() => pushEcho(query, PAGE.token, now + 301))).toBe('STALE');
  expect(refusalOf(() => pushEcho({ ...query, echostr: '<script> ' }, PAGE.token, now))).toBe('MALFORMED');
});
