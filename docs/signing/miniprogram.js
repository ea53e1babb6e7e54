// A WeChat mini-program that logs in, reads and buys. sdk.js is made from this project by
//   npx esbuild client/miniapp-client.ts --bundle --platform=neutral --target=es2018 --format=cjs --outfile=sdk.js
// wx.request reaches only domains that are registered for the mini-program (console: request 合法域名).
const { ApiError, createClient, wxPayment, wxTransport } = require('./sdk.js');
const { baseUrl, appId, privateKey } = require('./config.js');

const api = createClient({ baseUrl, appId, privateKey, language: 'zh', transport: wxTransport(wx) });

/** A code of wx.login is good once and for five minutes, so it is asked for right before. */
async function logIn() {
  const code = await new Promise((resolve, reject) => {
    wx.login({ success: (result) => resolve(result.code), fail: reject });
  });
  return (await api.loginWechat({ code })).user;
}

/** Runs `work` and, when the session has ended, once more after a new login. */
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

/** True when the units are there. A cancelled payment is resumed by the next call. */
async function buy(productId) {
  const { order } = await loggedIn(() => api.pay({ productId, provider: 'wechatpay' }, wxPayment(wx)));
  return order.status === 'paid';
}

module.exports = { logIn, readNotice, buy };
