// Who may call now: logins one after the other, the silent login, and its daily replacement.
import type { Login } from './answers.ts';
import { localError, parsed, throwPlatform } from './api-error.ts';
import type { ClientState, Logins, RequestOptions } from './call.ts';
import { within } from './patience.ts';
import { sessionOf } from './session-text.ts';
import { loginRequired, sendSigned } from './signed-call.ts';

/** A login code of the platform, new at each call. */
export type SilentCode = () => Promise<string>;

interface OpenedLogin extends Login<unknown> {
  session?: string;
  key?: string;
  serverTime?: string;
}

const CODE_MS = 15_000;
const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3_600;
export const WECHAT_LOGIN = '/login/wechat';

export function logins(caller: ClientState, silentCode: SilentCode | null): Logins {
  const { book } = caller;
  let running: Promise<OpenedLogin> | null = null;
  let isSilent = false;
  let payments = 0;
  let notBefore = 0;

  function start(silently: boolean, work: () => Promise<OpenedLogin>): Promise<OpenedLogin> {
    const mine = running ? running.then(work, work) : work();
    const done = (): void => {
      if (running === mine) running = null;
    };
    running = mine;
    isSilent = silently;
    mine.then(done, done);
    return mine;
  }

  async function open(path: string, body: object, options?: RequestOptions): Promise<OpenedLogin> {
    const { logouts } = book;
    const isPublic = !caller.privateKey;
    const session = isPublic && 'optional';
    const answer = await sendSigned(caller, 'POST', path, { ...options, body, deviceMark: true, session });
    const { key, ...login } = parsed(answer) as OpenedLogin;
    const at = Date.parse(login.serverTime as string);
    const isWechat = path === WECHAT_LOGIN && silentCode !== null;
    const opened = isPublic ? key && sessionOf(login.session, key, at, isWechat) : sessionOf(login.token);
    if (!opened) throw localError('BAD_ANSWER', 'no session', answer.status, true);
    if (at > 0) caller.clock = Math.floor((at - caller.now()) / 1000);
    // A server of an earlier version gives none.
    if (login.deviceMark) caller.deviceMarks.keep(login.deviceMark);
    if (!isSilent) book.user = opened.userId;
    await book.adopt(opened, logouts);
    return login;
  }

  function silently(): Promise<OpenedLogin> {
    if (running && isSilent) return running;
    return start(true, async () => {
      const code = await within(CODE_MS, silentCode as SilentCode).catch(throwPlatform);
      return open(WECHAT_LOGIN, { code });
    });
  }
  const settled = async (): Promise<void> => {
    if (running) await running.catch(() => undefined);
  };

  return {
    async session() {
      for (;;) {
        const session = await book.mine();
        if (session) return session;
        if (running && !isSilent) await settled();
        else if (!silentCode || !book.silent) return null;
        else await silently();
      }
    },
    logIn: (path, body, options) => start(false, () => open(path, body, options)) as Promise<Login<never>>,
    async silent() {
      if (!silentCode) throw new TypeError('no silentCode');
      const login = await silently();
      book.user = login.user.userId;
      return login as Login<never>;
    },
    renew({ silent, at }, clock) {
      const seconds = caller.now() / 1000 + clock;
      if (!silent || seconds - at / 1000 < DAY_SECONDS || seconds < notBefore || running || payments) return;
      notBefore = seconds + HOUR_SECONDS;
      silently().catch(() => undefined);
    },
    async paying(work) {
      payments++;
      await settled();
      return work().finally(() => payments--);
    },
  };
}

/** The user whose call this is. Throws LOGIN_REQUIRED. */
export async function userOf(caller: ClientState): Promise<string> {
  const { asked } = caller;
  const session = await caller.logins.session();
  if (session) return session.userId;
  throw loginRequired(caller, localError('LOGIN_REQUIRED', 'log in first', 401), asked);
}
