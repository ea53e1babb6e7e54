// Who may call now: logins one after the other, the silent login, and its daily replacement.
import type { Login } from './answers.ts';
import { type ApiError, localError, parsed, throwPlatform, userChanged } from './api-error.ts';
import type { CallOptions, ClientState, Logins, RequestOptions } from './call.ts';
import { unlessAborted, within } from './patience.ts';
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
  /** The last one; others may be before it. A logout ends them all. */
  let running: { login: Promise<OpenedLogin>; isSilent: boolean; logouts: number } | null = null;
  let payments = 0;
  let removals = 0;
  let notBefore = 0;

  function start(isSilent: boolean, work: (logouts: number) => Promise<OpenedLogin>): Promise<OpenedLogin> {
    const { logouts } = book;
    const go = () => work(logouts);
    const login = running ? running.login.then(go, go) : go();
    const mine = { login, isSilent, logouts };
    const done = (): void => {
      if (running === mine) running = null;
    };
    running = mine;
    login.then(done, done);
    return login;
  }

  async function open(silently: boolean, logouts: number, path: string, body: object, options?: RequestOptions) {
    const loggedOut = (): ApiError => localError('LOGIN_REQUIRED', 'logged out', 401);
    if (logouts !== book.logouts) throw loggedOut();
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
    if (logouts !== book.logouts) {
      // Nobody has this session, so nobody else would end it.
      await sendSigned(caller, 'POST', '/logout', { body: {}, session: opened }).catch(() => undefined);
      throw loggedOut();
    }
    if (!silently) book.user = opened.userId;
    await book.adopt(opened);
    return login;
  }

  async function code(): Promise<string> {
    if (!silentCode) throw new TypeError('no silentCode');
    return within(CODE_MS, silentCode).catch(throwPlatform);
  }
  function silently(): Promise<OpenedLogin> {
    if (running?.isSilent && running.logouts === book.logouts) return running.login;
    return start(true, async (logouts) => open(true, logouts, WECHAT_LOGIN, { code: await code() }));
  }
  const settled = async (): Promise<void> => {
    if (running) await running.login.catch(() => undefined);
  };
  async function again(options?: CallOptions): Promise<OpenedLogin> {
    return unlessAborted(options, silently);
  }

  return {
    async session() {
      const { user } = book;
      for (let logged = false; ; ) {
        const session = await book.current();
        // Also a call that waited for a login is the call of the user who made it.
        if (session && session.userId !== (user || book.user)) throw userChanged();
        if (session) return session;
        if (running && !running.isSilent) await settled();
        else if (!silentCode || !book.silent || removals || logged) return null;
        else {
          await silently();
          logged = true;
        }
      }
    },
    logIn: (path, body, options) =>
      unlessAborted(options, () => start(false, (logouts) => open(false, logouts, path, body, options))) as Promise<
        Login<never>
      >,
    again,
    async silent(options) {
      const login = await again(options);
      book.user = login.user.userId;
      return login as Login<never>;
    },
    renew(session, clock) {
      const seconds = caller.now() / 1000 + clock;
      if (!session.silent || seconds - session.at / 1000 < DAY_SECONDS || seconds < notBefore) return;
      if (running || payments || removals || !book.holds(session)) return;
      notBefore = seconds + HOUR_SECONDS;
      silently().catch(() => undefined);
    },
    async paying(work) {
      payments++;
      await settled();
      return work().finally(() => payments--);
    },
    code,
    async removing(work) {
      await settled();
      removals++;
      return work().finally(() => removals--);
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
