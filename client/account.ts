// Accounts, logins and sessions. A login stores its token; later calls send it.
import type { AccountProof, ChannelStart, ChannelVerified, Login, LoginEntry, Session, User } from './answers.ts';
import { ApiError } from './api-error.ts';
import { type ChannelDigestMethod, channelDigest } from './channel-digest.ts';
import { segment } from './path-segment.ts';
import type { Empty, Json } from './signed-call.ts';
import type { DeviceMarkStore, SessionStore } from './storage.ts';

interface ChannelInput {
  channel: string;
  channelUserId: string;
  /** The proof that the channel gave; channel `demo` needs none. */
  ticket?: string;
}

export function accountCalls<Profile>(
  json: Json,
  empty: Empty,
  { sessions, deviceMarks }: { sessions: SessionStore; deviceMarks: DeviceMarkStore },
  stamp: () => string,
) {
  const LOGIN = { session: false, deviceMark: true };
  async function keeping(login: Promise<Login<Profile>>): Promise<Login<Profile>> {
    const answer = await login;
    sessions.keep(answer.token);
    // A server of an earlier version gives none.
    if (typeof answer.deviceMark === 'string') deviceMarks.keep(answer.deviceMark);
    return answer;
  }
  function forgetCurrent(): void {
    const token = sessions.current();
    if (token !== null) sessions.forget(token);
  }

  const startChannelLogin = (body: ChannelInput) =>
    json<ChannelStart>('POST', '/login/channel', { body, ...LOGIN, repeatable: true });

  const verifyChannelLogin = (start: ChannelStart, digestMethod: ChannelDigestMethod = 'HMAC-SHA256') => {
    const { accountAddress, firstString } = start;
    const timeStamp = stamp();
    const digest = channelDigest(digestMethod, accountAddress, firstString, timeStamp);
    const body = { accountAddress, digest, timeStamp, digestMethod };
    return json<ChannelVerified>('POST', '/login/channel/verify', { body, ...LOGIN });
  };

  const enterChannel = (accountAddress: string, secondString: string, entry: LoginEntry) => {
    const body = { accountAddress, secondString, entry: { address: entry.address, port: entry.port } };
    return keeping(json<Login<Profile>>('POST', '/login/channel/enter', { body, ...LOGIN }));
  };

  return {
    register: (body: { account: string; password: string; profile?: Profile }) =>
      json<{ userId: string }>('POST', '/accounts', { body, session: false }),

    login: (body: { account: string; password: string }) =>
      keeping(json<Login<Profile>>('POST', '/login', { body, ...LOGIN, repeatable: true })),

    /** `code` from wx.login is valid once: ask for a new one for every try. */
    loginWechat: (body: { code: string }) => keeping(json<Login<Profile>>('POST', '/login/wechat', { body, ...LOGIN })),

    startChannelLogin,
    verifyChannelLogin,
    enterChannel,

    /** Does all three steps, with the first entry of the login list. */
    async loginChannel(input: ChannelInput): Promise<Login<Profile>> {
      const start = await startChannelLogin(input);
      const verified = await verifyChannelLogin(start);
      const entry = verified.loginList[0];
      if (entry === undefined)
        throw new ApiError({ status: 200, code: 'BAD_ANSWER', detail: 'the login list is empty' });
      return enterChannel(start.accountAddress, verified.secondString, entry);
    },

    isLoggedIn: () => sessions.current() !== null,
    me: () => json<User<Profile>>('GET', '/me'),
    updateProfile: (profile: Profile) => json<User<Profile>>('PUT', '/me', { body: { profile }, repeatable: true }),
    /** This session continues; all other sessions of the user end. */
    changePassword: (body: { oldPassword: string; newPassword: string }) => empty('PUT', '/me/password', { body }),

    /**
     * Erases the personal data of the account. It needs a fresh proof of who the user is: the password, a code of a new
     * wx.login, or the second string of a channel login. It is never sent a second time.
     */
    async deleteAccount(proof: AccountProof): Promise<void> {
      await empty('DELETE', '/me', { body: proof });
      forgetCurrent();
    },

    /** If the server has already ended the session, the user counts as logged out. */
    async logout(options: { all?: boolean } = {}): Promise<void> {
      try {
        await empty('POST', '/logout', { body: options, repeatable: true });
      } catch (error) {
        if (sessions.current() !== null) throw error;
      }
      forgetCurrent();
    },

    sessions: async () => (await json<{ sessions: Session[] }>('GET', '/sessions')).sessions,
    revokeSession: (id: string) => empty('DELETE', `/sessions/${segment(id)}`, {}),
    revokeOtherSessions: () => empty('DELETE', '/sessions', { repeatable: true }),
  };
}
