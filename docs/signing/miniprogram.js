// A WeChat mini-program that logs in, reads and buys. Make sdk.js from this project with this command:
//   npx esbuild client/miniapp-client.ts --bundle --platform=neutral --target=es2018 --format=cjs --outfile=sdk.js
// wx.request can call only domains that are registered for the mini-program (WeChat console: request 合法域名).
const { ApiError, createClient, wxPayment, wxTransport } = require('./sdk.js');
const { baseUrl, appId, privateKey } = require('./config.js');

const api = createClient({ baseUrl, appId, privateKey, language: 'zh', transport: wxTransport(wx) });

/** A code of wx.login can be used once, within five minutes. So each login asks for a new one. */
async function logIn() {
  const code = await new Promise((resolve, reject) => {
    wx.login({ success: (result) => resolve(result.code), fail: reject });
  });
  return (await api.loginWechat({ code })).user;
}

/** Runs `work`. If the session has ended, logs in again and runs `work` once more. */
async function loggedIn(work) {
  if (!api.isLoggedIn()) await logIn();
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || api.isLoggedIn()) throw error;
    await logIn();
    return work();
  }
}

const readNotice = (id) => api.readOne('notice', id);

/** true: the order is paid and the units are in the wallet. After a cancelled payment, the next call continues it. */
async function buy(productId) {
  const { order } = await loggedIn(() => api.pay({ productId, provider: 'wechatpay' }, wxPayment(wx)));
  return order.status === 'paid';
}

module.exports = { logIn, readNotice, buy };
