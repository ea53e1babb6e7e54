import { endpoint } from '../../shared/http/endpoint.ts';
import { tokenToHandOut } from '../../shared/wechat/access-token.ts';
import { miniProgramOf, miniProgramsRead } from '../../shared/wechat/mini-program.ts';

/** For servers of the same team: if they fetched a token from WeChat by force, that would end the shared one. */
export const wechatAccessToken = endpoint(
  {
    route: 'GET /wechat/access-token',
    auth: 'app',
    scope: 'wechat:token',
    v2Only: true,
    reads: () => [miniProgramsRead()],
  },
  async ({ app, leaseId, reads: [programs] }) => {
    const program = await miniProgramOf(leaseId, app.appId, programs);
    const { token, endsAt } = await tokenToHandOut(program);
    return { accessToken: token, expiresAt: new Date(endsAt).toISOString() };
  },
);
