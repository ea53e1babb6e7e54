/** The cashier page: a click pays an order or ends a refund. All values from the API are inserted as text. */
export const cashierPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>mock-wechatpay</title>
<style>
  body { font: 15px system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
  th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #ddd; }
  button { margin-right: .4rem; } #error { color: #a00; min-height: 1.5em; }
</style>
<h1>mock-wechatpay</h1>
<p id="error" role="alert"></p>
<h2>Orders</h2><table id="orders"></table>
<h2>Refunds</h2><table id="refunds"></table>
<h2>Notifications</h2><table id="notifications"></table>
<script>
const post = async (path, input) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch('/_mock/' + path, { method: 'POST', headers, body: JSON.stringify(input) });
  document.getElementById('error').textContent = answer.ok ? '' : (await answer.json()).message;
  await show();
};
const fill = (id, heads, rows) => {
  const table = document.getElementById(id);
  table.replaceChildren();
  const line = (tag, cells) => {
    const row = table.insertRow();
    for (const cell of cells) {
      const place = document.createElement(tag);
      place.append(...[cell].flat());
      row.append(place);
    }
  };
  line('th', heads);
  for (const row of rows) line('td', row);
};
const button = (label, path, input) => {
  const made = document.createElement('button');
  made.textContent = label;
  made.onclick = () => post(path, input);
  return made;
};
const yuan = (fen) => (fen / 100).toFixed(2) + ' CNY';
const payButtons = ({ outTradeNo, state }) => {
  if (state === 'NOTPAY') return [button('Pay', 'pay', { outTradeNo })];
  return state === 'CLOSED' ? [button('Pay anyway', 'pay', { outTradeNo, evenIfClosed: true })] : [];
};
const refundButtons = ({ outRefundNo, status }) => status === 'SUCCESS' || status === 'CLOSED' ? [] :
  ['SUCCESS', 'CLOSED', 'ABNORMAL'].map((end) => button(end, 'refund-result', { outRefundNo, status: end }));
const show = async () => {
  const { orders, refunds, notifications } = await (await fetch('/_mock/state')).json();
  fill('orders', ['Order', 'For', 'Amount', 'State', ''],
    orders.map((one) => [one.outTradeNo, one.description, yuan(one.totalFen), one.state, payButtons(one)]));
  fill('refunds', ['Refund', 'Order', 'Amount', 'State', ''],
    refunds.map((one) => [one.outRefundNo, one.outTradeNo, yuan(one.refundFen), one.status, refundButtons(one)]));
  fill('notifications', ['Event', 'To', 'State', 'Answers', ''], notifications.map((one) => [one.event, one.url, one.state,
    one.attempts.map((attempt) => attempt.status ?? 'none').join(', '), button('Again', 'resend', { id: one.id })]));
};
show();
setInterval(() => document.hidden || show(), 2000);
</script>
</html>
`;
