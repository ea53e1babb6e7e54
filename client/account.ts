// Accounts, logins and sessions. A login keeps its session; later calls are signed by it (v2: send its token).
import type { AccountProof, ChannelStart, ChannelVerified, Login, LoginEntry, Session, User } from './answers.ts';
import { ApiError, asksForLogin, isRefusal, localError } from './api-error.ts';
import { type CallOptions, type ClientState, type Empty, type Json, serverSeconds } from './call.ts';
import { type ChannelDigestMethod, channelDigest } from './channel-digest.ts';
import { userOf, WECHAT_LOGIN } from './logins.ts';
import { segment } from './path-segment.ts';

interface ChannelInput {
  channel: string;
  channelUserId: string;
  /** The proof that the channel gave; channel `demo` needs none. */
  ticket?: string;
}

export function accountCalls<Profile>(json: Json, empty: Empty, caller: ClientState, common: CallOptions) {
  const { book, logins } = caller;
  const ENTRY = { session: false, deviceMark: true } as const;

  const startChannelLogin = (body: ChannelInput) =>
    json<ChannelStart>('POST', '/login/channel', { body, ...ENTRY, repeatable: true });

  const verifyChannelLogin = (start: ChannelStart, digestMethod: ChannelDigestMethod = 'HMAC-SHA256') => {
    const { accountAddress, firstString } = start;
    const timeStamp = String(serverSeconds(caller));
    const digest = channelDigest(digestMethod, accountAddress, firstString, timeStamp);
    const body = { accountAddress, digest, timeStamp, digestMethod };
    return json<ChannelVerified>('POST', '/login/channel/verify', { body, ...ENTRY });
  };

  const enterChannel = (accountAddress: string, secondString: string, entry: LoginEntry) => {
    const body = { accountAddress, secondString, entry };
    return logins.logIn<Profile>('/login/channel/enter', body, common);
  };

  return {
    register: (body: { account: string; password: string; profile?: Profile }) =>
      json<{ userId: string }>('POST', '/accounts', { body, session: false }),

    login: (body: { account: string; password: string }) =>
      logins.logIn<Profile>('/login', body, { ...common, repeatable: true }),

    /**
     * `code` from wx.login is valid once: ask for a new one for every try. Without one, `silentCode` gives it.
     * `phoneCode`, of the button getPhoneNumber, binds the phone number in the same call.
     */
    async loginWechat({ code, phoneCode }: { code?: string; phoneCode?: string } = {}): Promise<Login<Profile>> {
      if (!code && !phoneCode) return logins.silent<Profile>(common);
      return logins.logIn<Profile>(WECHAT_LOGIN, { code: code || (await logins.code()), phoneCode }, common);
    },

    startChannelLogin,
    verifyChannelLogin,
    enterChannel,

    /** Does all three steps, with the first entry of the login list. */
    async loginChannel(input: ChannelInput): Promise<Login<Profile>> {
      const start = await startChannelLogin(input);
      const verified = await verifyChannelLogin(start);
      const entry = verified.loginList[0];
      if (!entry) throw localError('BAD_ANSWER', 'the login list is empty', 200);
      return enterChannel(start.accountAddress, verified.secondString, entry);
    },

    async isLoggedIn() {
      const session = await book.current();
      return session !== null && session.userId === book.user;
    },
    me: () => json<User<Profile>>('GET', '/me'),
    updateProfile: (profile: Profile) => json<User<Profile>>('PUT', '/me', { body: { profile }, repeatable: true }),

    /** All other sessions of the user end. A public client then logs in again, so that a copied key ends too. */
    async changePassword(body: { oldPassword: string; newPassword: string }): Promise<void> {
      await empty('PUT', '/me/password', { body });
      if (caller.privateKey) return;
      try {
        if (book.silent) await logins.again();
        else {
          const { account } = await json<User<Profile>>('GET', '/me');
          await logins.logIn('/login', { account, password: body.newPassword });
        }
      } catch {
        // The password is changed all the same, and the session is still good.
      }
    },

    /**
     * Erases the personal data of the account. `forfeit`: the user gives up what is left in wallets. It needs a fresh proof of who the user is: the password, a code of a new
     * wx.login, or the second string of a channel login. It is never sent a second time: after a lost answer the user
     * may be gone, and a silent login would make a new one.
     */
    async deleteAccount(proof: AccountProof & { forfeit?: boolean }): Promise<void> {
      await userOf(caller);
      await logins.removing(async () => {
        try {
          await empty('DELETE', '/me', { body: proof, repeatable: false });
        } catch (error) {
          // Refused: the account is still there.
          if (!isRefusal(error)) await book.logOut();
          throw error;
        }
        await book.logOut();
      });
    },

    /**
     * Forgets the session first, so that it holds without a network too. Rejects if the server did not confirm. A public
     * client makes no silent login after it, until the program calls `loginWechat` or starts again. `all` is confirmed only
     * if this session still was valid: after SESSION_REVOKED the other sessions of the user may be.
     */
    async logout(options: { all?: boolean } = {}): Promise<void> {
      const session = await book.current();
      const forgotten = book.logOut();
      const ended = (error: unknown): void => {
        if (options.all || !(error instanceof ApiError && asksForLogin(error))) throw error;
      };
      if (session) await empty('POST', '/logout', { body: options, repeatable: true, session }).catch(ended);
      await forgotten;
    },

    sessions: async () => (await json<{ sessions: Session[] }>('GET', '/sessions')).sessions,
    revokeSession: (id: string) => empty('DELETE', `/sessions/${segment(id)}`, {}),
    revokeOtherSessions: () => empty('DELETE', '/sessions', { repeatable: true }),
  };
}
