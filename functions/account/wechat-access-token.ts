import { endpoint } from '../../shared/http/endpoint.ts';
import { tokenToHandOut } from '../../shared/wechat/access-token.ts';
import { miniProgramOf, miniProgramsRead } from '../../shared/wechat/mini-program.ts';

/** For servers of one's own: a token that they fetched from WeChat by force would end the one that is shared here. */
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
