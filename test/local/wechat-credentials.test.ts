import { expect, onTestFinished, test } from 'vitest';
import { startWechatSimulator } from '../../local/simulators/wechat/index.ts';
import { wechatCredentials } from '../../local/wechat-credentials.ts';

const credentials = (shell: Record<string, string>) => {
  const lines: string[] = [];
  return { env: wechatCredentials(shell, (line) => lines.push(line)), lines };
};

test('a mini-program of the shell is used for logins, at WeChat unless an address is given, and its secret is not logged', () => {
  const own = { WECHAT_APPID: 'wx1', WECHAT_SECRET: 'very-secret' };
  const { env, lines } = credentials(own);
  expect(env).toEqual({ ...own, WECHAT_API_URL: 'https://api.weixin.qq.com' });
  expect(lines.join()).toContain('wx1');
  expect(lines.join()).not.toContain('very-secret');
  expect(credentials({ ...own, WECHAT_API_URL: 'http://127.0.0.1:1' }).env.WECHAT_API_URL).toBe('http://127.0.0.1:1');
});

test('without it the simulator answers, and half of it is refused', () => {
  expect(credentials({})).toEqual({ env: {}, lines: [] });
  expect(credentials({ WECHAT_APPID: '', WECHAT_SECRET: '', WECHAT_API_URL: 'http://x' }).env).toEqual({});
  for (const half of [{ WECHAT_APPID: 'wx1' }, { WECHAT_SECRET: 's' }]) {
    expect(() => credentials(half)).toThrow('belong together');
  }
});

test('a code that the simulator does not know is logged, with the codes that it takes', async () => {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const simulator = await startWechatSimulator({ appid: 'wx1', secret: 's', devCodes: true, log });
  onTestFinished(() => simulator.stop());
  const exchange = async (code: string) => {
    const query = `appid=wx1&secret=s&grant_type=authorization_code&js_code=${code}`;
    return (await fetch(`${simulator.url}/sns/jscode2session?${query}`)).json();
  };
  expect(await exchange('0a1b2c3d')).toMatchObject({ errcode: 40029 });
  expect(lines).toEqual([expect.stringContaining('dev-alice-1')]);
  expect(lines[0]).not.toContain('0a1b2c3d');
  expect(await exchange('dev-alice-1')).toMatchObject({ openid: expect.any(String) });
  expect(await exchange('dev-alice-1')).toMatchObject({ errcode: 40163 });
  expect(lines).toHaveLength(1);
});
