import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scene } from './scene.ts';
import { must } from './story.ts';

type Failure = { code?: string };

/** Rows G1 and G2 (one user): several ways to log in lead to one user, also at a second mini-program. */
export async function identities({ story, caller, portal, env, app, run }: Scene): Promise<void> {
  const { step } = story;
  const simulator = (call: string, input: object) => askSimulator(env.WECHAT_API_URL ?? '', call, input);
  const person = `demo-${run}`;
  const wxLogin = async (appid?: string) => (await simulator('codes', { person, ...(appid && { appid }) })).code;
  const [account, password] = [`links-${run}`, randomBytes(12).toString('base64url')];
  const api = caller.sdk(app);
  const byWechat = caller.sdk(app);

  const { userId } = await step('G1', 'a user with a password links WeChat, and is the same user there', async () => {
    await api.register({ account, password });
    const { user } = await api.login({ account, password });
    await api.linkWechat({ code: await wxLogin() });
    const login = await byWechat.loginWechat({ code: await wxLogin() });
    must(login.user.userId === user.userId, 'both logins lead to one user');
    return user;
  });

  const second = await portal('app', 'create', '--name', `demo-second-program-${run}`);
  const appid = `wx${randomBytes(8).toString('hex')}`;
  await step('G1', 'a second mini-program has other openids: the unionid leads to the same user', async () => {
    const secret = randomBytes(16).toString('hex');
    await simulator('programs', { appid, secret });
    await withFile(secret, (file) =>
      portal('app', 'wechat', '--app', second.appId, '--wechat-appid', appid, '--secret-file', file),
    );
    const { user } = await caller.sdk(second).loginWechat({ code: await wxLogin(appid) });
    must(user.userId === userId, 'the user of the first mini-program');
    const platforms = (await api.identities()).map(({ platform }) => platform);
    must(platforms.join() === 'password,wechat,wechat', 'one password, and an openid of each mini-program');
  });

  await step('G2', 'the phone number comes by the button, once for each code, and is shown masked', async () => {
    const number = `139${String(randomInt(1e8)).padStart(8, '0')}`;
    const { code: phoneCode } = await simulator('phone-codes', { number });
    const linked = await api.linkPhone({ phoneCode });
    must((await api.linkPhone({ phoneCode })).id === linked.id, 'the same call again gets the kept number');
    const refused = await byWechat.linkPhone({ phoneCode: `${phoneCode}x` }).catch(({ code }: Failure) => code);
    must(refused === 'BAD_CREDENTIALS', 'a code that WeChat did not issue is refused');
    must((await byWechat.me()).phone === `139****${number.slice(-4)}`, 'every session sees it, masked');
  });

  await step('G1', 'WeChat is removed at both mini-programs; the last way to log in stays', async () => {
    const [wechat] = (await api.identities()).filter(({ platform }) => platform === 'wechat');
    await api.unlink(wechat?.id ?? '', { proof: { password } });
    must((await byWechat.me().catch(({ code }: Failure) => code)) === 'SESSION_REVOKED', 'the other sessions end');
    const left = await api.identities();
    must(left.map(({ platform }) => platform).join() === 'password,phone', 'no openid is left');
    const refused = await api.unlink(left[0]?.id ?? '').catch(({ code }: Failure) => code);
    must(refused === 'LAST_IDENTITY', 'the password cannot be removed');
  });

  await api.deleteAccount({ password });
  await portal('app', 'wechat', '--app', second.appId, '--remove');
  await portal('app', 'disable', '--app', second.appId);
}

/** Asks the WeChat simulator of `npm run dev` for what happens in WeChat: wx.login, the button, the console. */
async function askSimulator(url: string, call: string, input: object): Promise<{ code: string }> {
  const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) };
  const answer = await fetch(`${url}/control/${call}`, sent);
  must(answer.ok, 'WeChat is the simulator of npm run dev. With a mini-program of your own leave out the rows G');
  return (await answer.json()) as { code: string };
}

async function withFile<T>(text: string, work: (file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-demo-'));
  try {
    const file = join(folder, 'secret');
    await writeFile(file, text, { mode: 0o600 });
    return await work(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
