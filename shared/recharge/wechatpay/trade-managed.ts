import { query, writeRepeatably } from '../../db.ts';
import { alarm, count } from '../../telemetry.ts';
import { errcodeOf } from '../../wechat/api.ts';
import { callWithToken } from '../../wechat/call.ts';
import type { MiniProgram } from '../../wechat/mini-program.ts';
import { providerUnavailable } from '../provider.ts';

/**
 * Whether WeChat keeps what users pay at this mini-program until the shipping information of the order was uploaded. It
 * is asked once a day, and the answer is kept in MySQL: each answer has a mark whose time is that of the question.
 */
const MARKS = { managed: 'trade-managed:', other: 'not-trade-managed:' } as const;

/** Throws UNAVAILABLE: WeChat has never answered. */
export async function isTradeManaged(program: MiniProgram): Promise<boolean> {
  const { wechatAppid } = program;
  const [known] = await query(
    `SELECT name, done_until > NOW(3) - INTERVAL 1 DAY AS fresh FROM ledger_marks WHERE name IN (?, ?)
      ORDER BY done_until DESC LIMIT 1`,
    [MARKS.managed + wechatAppid, MARKS.other + wechatAppid],
  );
  const before = known && String(known.name).startsWith(MARKS.managed);
  if (before !== undefined && Number(known?.fresh) === 1) return before;
  const now = await ask(program);
  if (now !== undefined) await remember((now ? MARKS.managed : MARKS.other) + wechatAppid);
  const isManaged = now ?? before;
  if (isManaged === undefined) throw providerUnavailable();
  return isManaged;
}

/** undefined: WeChat does not tell. */
async function ask(program: MiniProgram): Promise<boolean | undefined> {
  const { wechatAppid: appid } = program;
  const answer = await callWithToken(program, '/wxa/sec/order/is_trade_managed', { appid });
  if (answer && errcodeOf(answer) === 0 && typeof answer.is_trade_managed === 'boolean') return answer.is_trade_managed;
  if (answer) alarm('wechat.refused', { errcode: errcodeOf(answer) });
  count('recharge.trade-managed-unknown');
  return undefined;
}

const remember = (name: string) =>
  writeRepeatably(
    'INSERT INTO ledger_marks (name, done_until) VALUES (?, NOW(3)) ON DUPLICATE KEY UPDATE done_until = NOW(3)',
    [name],
  );
