import { serve } from '../../shared/http/lambda.ts';
import { register } from './accounts.ts';
import { channelEnter } from './channel-enter.ts';
import { channelStart } from './channel-start.ts';
import { channelVerify } from './channel-verify.ts';
import { changeMe, eraseMe, readMe } from './me.ts';
import { passwordChange, passwordLogin } from './password.ts';
import { logout, revokeOne, revokeOthers, sessionList } from './sessions.ts';
import { wechatLogin } from './wechat.ts';

export const handler = serve(
  register,
  passwordLogin,
  passwordChange,
  wechatLogin,
  channelStart,
  channelVerify,
  channelEnter,
  readMe,
  changeMe,
  eraseMe,
  sessionList,
  revokeOne,
  revokeOthers,
  logout,
);
