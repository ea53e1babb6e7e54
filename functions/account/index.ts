import { serve } from '../../shared/http/lambda.ts';
import { channelEnter } from './channel-enter.ts';
import { channelStart } from './channel-start.ts';
import { channelVerify } from './channel-verify.ts';
import { exportMe, identityList } from './identities.ts';
import { changeMe, readMe } from './me.ts';
import { logout, revokeOne, revokeOthers, sessionList } from './sessions.ts';
import { wechatLogin } from './wechat.ts';
import { wechatAccessToken } from './wechat-access-token.ts';

/** The user and the sessions, the logins that compute no password hash, and WeChat's access_token. */
export const handler = serve(
  wechatLogin,
  channelStart,
  channelVerify,
  channelEnter,
  readMe,
  changeMe,
  identityList,
  exportMe,
  sessionList,
  revokeOne,
  revokeOthers,
  logout,
  wechatAccessToken,
);
