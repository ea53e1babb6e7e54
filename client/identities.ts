// The identities of the user: WeChat, phone, password. The server asks for a fresh session, or for a proof.
import type { Identity, IdentityProof } from './answers.ts';
import { isRefusal } from './api-error.ts';
import type { ClientState, Empty, InternalOptions, Json } from './call.ts';
import { userOf } from './logins.ts';
import { segment } from './path-segment.ts';

/** In place of a session that was opened within ten minutes: the password, or a code of a new wx.login. */
interface Proving {
  proof?: IdentityProof;
}

export function identityCalls(json: Json, empty: Empty, caller: ClientState) {
  const { book, logins } = caller;
  const link = (platform: string, body: object, options?: InternalOptions) =>
    json<Identity>('POST', `/me/identities/${platform}`, { body, ...options });
  const list = async () => (await json<{ identities: Identity[] }>('GET', '/me/identities')).identities;

  return {
    /** The ways to log in, and the phone number. Labels are masked. */
    identities: list,

    /** Without a code, `silentCode` gives it. A code is valid once: after a lost answer call it again without one. */
    async linkWechat(body: Proving & { code?: string } = {}): Promise<Identity> {
      // Not another user, who logs in while the platform makes the code.
      const as = { userId: await userOf(caller) };
      return link('wechat', { ...body, code: body.code || (await logins.code()) }, { as });
    },

    /** `phoneCode`: of the button getPhoneNumber. The user who sent it may send it again for five minutes. */
    linkPhone: (body: Proving & { phoneCode: string }) =>
      // A code of wx.login as proof is used up by the first call.
      link('phone', body, body.proof && 'code' in body.proof ? {} : { repeatable: true }),

    /** For a user who has no account name yet. */
    linkPassword: (body: Proving & { account: string; password: string }) => link('password', body),

    /**
     * Removes an identity. After the removal of a way to log in all other sessions of the user end. A repetition of a
     * call that took effect is NOT_FOUND, so after a lost answer look at `identities()`.
     */
    async unlink(id: string, proving: Proving = {}): Promise<void> {
      await userOf(caller);
      await logins.removing(async () => {
        const removed = (await list()).find((identity) => identity.id === id);
        // A silent login would now be that of another user.
        const hold = async (): Promise<void> => {
          if (removed && removed.platform === 'wechat') await book.stopSilence();
        };
        try {
          await empty('DELETE', `/me/identities/${segment(id)}`, { body: proving });
        } catch (error) {
          if (!isRefusal(error)) await hold();
          throw error;
        }
        await hold();
      });
    },

    /** Everything that is stored about the user, at most once an hour. */
    exportData: () => json<Record<string, unknown>>('GET', '/me/export'),

    /** For a forgotten password. An operator gives the token. All sessions end; call login() next. */
    resetPassword: (body: { resetToken: string; password: string }) =>
      empty('POST', '/login/reset', { body, session: false }),
  };
}
