const WECHAT = 'https://api.weixin.qq.com';

/**
 * Your own mini-program, when the shell names it: then the codes of WeChat's developer tool and of phones work in this
 * run. Without it the simulator answers. Throws if only one of the two variables is set.
 */
export function wechatCredentials(shell: NodeJS.ProcessEnv, log: (line: string) => void): Record<string, string> {
  const { WECHAT_APPID = '', WECHAT_SECRET = '', WECHAT_API_URL = '' } = shell;
  if (WECHAT_APPID === '' && WECHAT_SECRET === '') return {};
  if (WECHAT_APPID === '' || WECHAT_SECRET === '') {
    throw new Error('WECHAT_APPID and WECHAT_SECRET belong together: set both, or neither for the simulator.');
  }
  const url = WECHAT_API_URL || WECHAT;
  log(`wechat: codes of wx.login of ${WECHAT_APPID} are exchanged at ${url}; the simulator is not used for logins`);
  return { WECHAT_APPID, WECHAT_SECRET, WECHAT_API_URL: url };
}
