/** The interfaces of WeChat that are simulated. */
export const WECHAT_PATHS = {
  session: '/sns/jscode2session',
  token: '/cgi-bin/stable_token',
  phone: '/wxa/business/getuserphonenumber',
  tradeManaged: '/wxa/sec/order/is_trade_managed',
  shipping: '/wxa/sec/order/upload_shipping_info',
  xpayQuery: '/xpay/query_order',
  xpayProvide: '/xpay/notify_provide_goods',
  xpayRefund: '/xpay/refund_order',
} as const;
export type WechatPath = (typeof WECHAT_PATHS)[keyof typeof WECHAT_PATHS];

const paths: readonly string[] = Object.values(WECHAT_PATHS);
export const isWechatPath = (path: unknown): path is WechatPath => typeof path === 'string' && paths.includes(path);
