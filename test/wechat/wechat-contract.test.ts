import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWechatSimulator, type WechatSimulator } from '../../local/simulators/wechat/index.ts';
import { WECHAT_PATHS } from '../../local/simulators/wechat/paths.ts';

/**
 * The simulator and WeChat pass the same tests. Codes come from a phone, so only invalid ones are sent. A run changes
 * nothing at WeChat: in normal mode, stable_token returns the token that other servers have.
 */
interface Server {
  url: string;
  appid: string;
  secret: string;
}
// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
type Answer = any;

const { WECHAT_CONTRACT_APPID: appid = '', WECHAT_CONTRACT_SECRET: secret = '' } = process.env;
const wechat: Server = { url: 'https://api.weixin.qq.com', appid, secret };
const isWechatGiven = appid !== '' && secret !== '';

/** `server`: is asked when a test runs. */
function contract(server: () => Server): void {
  const read = async (response: Response): Promise<Answer> => {
    expect(response.status).toBe(200);
    return response.json();
  };
  const post = async (path: string, body: object): Promise<Answer> => {
    const headers = { 'content-type': 'application/json' };
    return read(await fetch(server().url + path, { method: 'POST', headers, body: JSON.stringify(body) }));
  };
  const fetchToken = (changed: object = {}) => {
    const { appid, secret } = server();
    return post(WECHAT_PATHS.token, { grant_type: 'client_credential', appid, secret, ...changed });
  };
  const logIn = async (changed: Record<string, string> = {}): Promise<Answer> => {
    const { url, appid, secret } = server();
    const given = { appid, secret, js_code: 'not-a-code', grant_type: 'authorization_code', ...changed };
    return read(await fetch(`${url}${WECHAT_PATHS.session}?${new URLSearchParams(given)}`));
  };
  const refusal = (...errcodes: number[]) => ({
    errcode: expect.toSatisfy((errcode: number) => errcodes.includes(errcode), `one of ${errcodes}`),
    errmsg: expect.any(String),
  });

  test('stable_token gives the same token twice, of at most 512 characters and 7200 s', async () => {
    const first = await fetchToken();
    expect(first).toEqual({
      access_token: expect.stringMatching(/^[\x21-\x7e]{1,512}$/),
      expires_in: expect.any(Number),
    });
    expect(first.expires_in).toBeGreaterThanOrEqual(300);
    expect(first.expires_in).toBeLessThanOrEqual(7200);
    expect((await fetchToken()).access_token).toBe(first.access_token);
  });

  test('a wrong secret is refused by both interfaces that take one', async () => {
    const wrong = { secret: '0'.repeat(32) };
    expect(await fetchToken(wrong)).toMatchObject(refusal(40125, 40001));
    expect(await logIn(wrong)).toMatchObject(refusal(40125));
  });

  test('an unknown AppID is refused', async () => {
    expect(await fetchToken({ appid: 'wx0000' })).toMatchObject(refusal(40013));
    expect(await logIn({ appid: 'wx0000' })).toMatchObject(refusal(40013));
  });

  test('an invalid login code is refused', async () => {
    expect(await logIn()).toMatchObject(refusal(40029));
  });

  test('an invalid phone code is refused', async () => {
    const { access_token } = await fetchToken();
    const answer = await post(`${WECHAT_PATHS.phone}?access_token=${access_token}`, { code: 'not-a-code' });
    expect(answer).toMatchObject(refusal(40029));
  });

  test('an invalid access_token is refused', async () => {
    const answer = await post(`${WECHAT_PATHS.phone}?access_token=not-a-token`, { code: 'not-a-code' });
    expect(answer).toMatchObject(refusal(40001));
  });
}

describe('the WeChat simulator', () => {
  const program = { appid: 'wx1234567890abcdef', secret: 'an-app-secret' };
  let simulator: WechatSimulator;
  beforeAll(async () => {
    simulator = await startWechatSimulator(program);
  });
  afterAll(() => simulator.stop());
  contract(() => ({ url: simulator.url, ...program }));
});

if (isWechatGiven) describe('WeChat itself', () => contract(() => wechat));
else test.skip('WeChat itself: needs a mini-program in WECHAT_CONTRACT_APPID and WECHAT_CONTRACT_SECRET', () => {});
