// A WeChat mini-program that reads and buys. Its package holds no key: the client logs in with wx.login when the first
// call needs it, and the session signs. Make sdk.js from this project with this command:
//   npx esbuild client/miniapp-client.ts --bundle --platform=neutral --target=es2018 --format=cjs --outfile=sdk.js
// wx.request can call only domains that are registered for the mini-program (WeChat console: request 合法域名).
const { createClient, wxLogin, wxPayment, wxTransport } = require('./sdk.js');
const { baseUrl, appId } = require('./config.js');

const api = createClient({ baseUrl, appId, language: 'zh', transport: wxTransport(wx), silentCode: wxLogin(wx) });

const readNotice = (id) => api.readOne('notice', id);

/** true: the order is paid and the units are in the wallet. After a cancelled payment, the next call continues it. */
async function buy(productId) {
  const { order } = await api.pay({ productId, provider: 'wechatpay' }, wxPayment(wx));
  return order.status === 'paid';
}

module.exports = { readNotice, buy };
