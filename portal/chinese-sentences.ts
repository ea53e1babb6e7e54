import type { Sentences } from './catalogue.ts';

/** Headings, states and sentences. */
export const chineseSentences: Sentences = {
  all: '全部',
  name: '名称',
  kind: '类型',
  'open before a login': '登录之前可以调用',
  methods: '签名算法',
  scopes: '权限',
  state: '状态',
  plugins: '插件',
  created: '创建时间',
  ends: '失效时间',
  key: '密钥',
  'user fields': '扩展字段',
  enabled: '启用',
  disabled: '停用',
  erased: '已注销',
  merged: '已合并',
  'merged into': '已合并到',
  phone: '手机号',
  identities: '身份',
  identity: '身份',
  platform: '平台',
  label: '标识',
  'hash of the subject': '主体的哈希',
  'identities that move': '转移的身份',
  'account name': '账号名',
  'phone number': '手机号',
  'records that move': '转移的记录',
  'extra fields that move': '转移的扩展字段',
  'units that move': '转移的余额',
  'client spends': '客户端花费',
  'acts for': '代表应用',
  moves: '转移',
  'ends: the other user keeps its own': '结束：另一个用户保留自己的',
  'reset token': '重置令牌',
  link: '链接',
  live: '有效',
  ended: '已到期',
  revoked: '已作废',
  channel: '渠道',
  'verify URL': '确认地址',
  'login server': '登录服务器',
  record: '记录',
  'reads a minute': '每分钟读取',
  'record or list': '记录或列表',
  'about {}': '约 {1}',
  rules: '规则',
  blocks: '封禁',
  target: '目标',
  by: '计数依据',
  limit: '次数',
  window: '窗口',
  lock: '锁定',
  until: '截止',
  rule: '规则',
  'set by': '来源',
  used: '已用',
  secrets: '机密',
  'sealed again': '重新加密',
  provider: '支付方式',
  'mini-program': '小程序',
  merchant: '商户',
  app: '应用',
  user: '用户',
  ip: '地址',
  at: '时间',
  who: '谁',
  did: '做了什么',
  to: '对象',
  plugin: '插件',
  server: '服务器',
  'AppID of its server': '它的服务器的 AppID',
  'push secret': '推送密钥',
  product: '商品',
  title: '标题',
  price: '价格',
  gives: '得到',
  order: '订单',
  list: '列表',
  filter: '筛选',
  status: '状态',
  amount: '金额',
  what: '事件',
  reference: '流水号',
  bill: '账单',
  books: '账簿',
  day: '日期',
  time: '时间',
  transaction: '交易单号',
  units: '虚拟币',
  asset: '资产',
  refund: '退款单号',
  "provider's refund": '平台退款单号',
  entry: '记录号',
  balance: '余额',
  reason: '原因',
  'units before': '期初虚拟币',
  spent: '消费',
  granted: '赠送',
  'refunded units': '退款扣回',
  expired: '过期',
  other: '其他',
  'units outstanding': '期末虚拟币',
  'days that agree': '一致的天数',
  'open days': '未核对的天数',
  'days that differ': '不一致的天数',
  'paid in bills': '账单支付',
  'paid in books': '账簿支付',
  'refunded in bills': '账单退款',
  'refunded in books': '账簿退款',
  payments: '支付',
  refunds: '退款',
  refunded: '退款金额',
  paid: '已支付',
  credited: '已入账',
  'refund asked': '申请退款',
  'units taken': '扣回',
  'units returned': '退回',
  expires: '到期',
  account: '账号',
  'logs in by': '登录方式',

  'on {}': '作用于 {1}',
  'Help: {}': '帮助：{1}',
  'Continue? (y/N) ': '继续吗？(y/N) ',
  'Nothing was changed.': '没有做任何修改。',
  '--{} is given twice': '--{1} 出现了两次',
  '--{} takes no value': '--{1} 不带值',
  '--{} is missing': '缺少 --{1}',
  '--{} {} is missing': '缺少 --{1} {2}',
  '<{}> is missing': '缺少 <{1}>',
  '"{}" is one word too many': '多了一个词“{1}”',
  'there is no option {}': '没有选项 {1}',
  'there is no option {}; did you mean --{}?': '没有选项 {1}；是不是 --{2}？',
  '--{} needs a value: --{} {}': '--{1} 需要一个值：--{2} {3}',
  '--{} takes one of {}, not "{}"': '--{1} 只能是 {2} 之一，不能是“{3}”',
  '--{} takes a whole number from {} to {}, not "{}"': '--{1} 应为 {2} 到 {3} 的整数，不能是“{4}”',
  '--{} takes a list of {}; "{}" is not one of them': '--{1} 应为 {2} 组成的列表；没有“{3}”',
  '--time takes utc, local or a time zone such as Asia/Shanghai, not "{}"':
    '--time 应为 utc、local 或 Asia/Shanghai 这样的时区，不能是“{1}”',
  'completion takes {}, not "{}"': 'completion 只支持 {1}，不支持“{2}”',
  '--{} takes 1 to 64 of A-Z a-z 0-9 _ -, not "{}"': '--{1} 应为 1 到 64 个 A-Z a-z 0-9 _ -，不能是“{2}”',
  '--{} takes a text of 1 to 100 characters': '--{1} 应为 1 到 100 个字符',
  '--{} takes an https URL (http only for this machine) without user and password':
    '--{1} 应为不带用户名和密码的 https 地址（只有本机可以用 http）',
  '--{} takes HOST:PORT, such as login.example.com:7000, not "{}"':
    '--{1} 应为 HOST:PORT，例如 login.example.com:7000，不能是“{2}”',
  '--{} takes an IP address, not "{}"': '--{1} 应为 IP 地址，不能是“{2}”',
  '--{} takes JSON, and the value is not valid JSON': '--{1} 应为 JSON，给出的不是合法的 JSON',
  '--{} names a file that cannot be read: {}': '--{1} 指定的文件无法读取：{2}',
  '--json-schema takes a file with a JSON object': '--json-schema 应为内容是 JSON 对象的文件',
  '--id: channel demo belongs to the sandbox': '--id：渠道 demo 属于沙箱',
  '--target takes data:<resource>, a route such as "POST /login", or "*" for every route; "{}" is not one of these{}':
    '--target 应为 data:<resource>、"POST /login" 这样的接口或 "*"（全部接口）；“{1}”都不是{2}',
  'Clocks: Redis does not answer.': '时钟：Redis 没有响应。',
  'this machine': '本机',
  'ahead of Redis by': '比 Redis 快',
  'A clock is more than {} off. Beyond 300 s its calls are refused.':
    '有时钟相差超过 {1}。超过 300 秒时它的调用都会被拒绝。',
  'an IPv6 --ip': 'IPv6 的 --ip',
  'expected an https URL of a public host, without user, password or fragment':
    '应为公网主机的 https 地址，不带用户名、密码和片段',
  '--{} takes a day such as 2026-11-24': '--{1} 应为 2026-11-24 这样的日期',
  'name the user by one of --account, --openid, --user, --phone, --unionid, --text':
    '请用 --account、--openid、--user、--phone、--unionid、--text 中的一个指明用户',
  '--{} takes a phone number such as 13812345678 or +4915112345678':
    '--{1} 应为手机号，例如 13812345678 或 +4915112345678',
  '--from and --into name the same user': '--from 和 --into 指的是同一个用户',
  'there is no "{} {}"; {}': '没有“{1} {2}”；{3}',
  'there is no "{}"{}': '没有“{1}”{2}',
  '{} needs one of: {}': '{1} 后面应为：{2}',
  'there is no resource "{}"{}': '没有资源“{1}”{2}',
  '{} has no member "{}"{}': '{1} 没有成员“{2}”{3}',
  '{} has no list "{}"{}': '{1} 没有列表“{2}”{3}',
  'list {} has no filter "{}"{}': '列表 {1} 没有筛选条件“{2}”{3}',
  'list {} takes no --filter': '列表 {1} 不带 --filter',
  '--{} needs --list NAME': '--{1} 需要同时给出 --list NAME',
  'list {} needs --filter {}': '列表 {1} 需要 --filter {2}',
  'list {} is of one user: name it with --user ID': '列表 {1} 属于某个用户：请用 --user ID 指明',
  'list {} is of all users: it takes no --user': '列表 {1} 属于全体用户，不带 --user',
  '--after takes what the page before printed, not "{}"': '--after 应为上一页打印的位置，不能是“{1}”',
  '--{} takes member=value, not "{}"': '--{1} 应为 成员=值，不能是“{2}”',
  '--member {} takes a whole number, not "{}"': '--member {1} 应为整数，不能是“{2}”',
  '--member {} takes a time such as 2026-01-01T09:00:00Z, not "{}"':
    '--member {1} 应为 2026-01-01T09:00:00Z 这样的时间，不能是“{2}”',
  '--{} names a file that is not UTF-8: {}': '--{1} 指定的文件不是 UTF-8：{2}',
  'give --member or --json-body, not both': '--member 和 --json-body 只能给一个',
  'give the members: --member member=value, or all of them with --json-body JSON':
    '请给出成员：--member 成员=值，或用 --json-body JSON 给出全部成员',

  'The environment names a deployed stage only in part: {} not set. Set it (see .env.example), or unset {} to work on "npm run dev".':
    '环境变量只设了一部分，缺少 {1}。请设置它（见 .env.example），或清除 {2} 以便作用于 "npm run dev"。',
  'Another change ran at the same time; nothing was changed. Try again.':
    '同时有另一项修改，没有做任何修改。请再试一次。',
  'Tables are missing in this database. Run "npm run db -- migrate" first.':
    '这个数据库里缺少表。请先执行 "npm run db -- migrate"。',
  'The database refused a statement (error {}); nothing was changed.':
    '数据库拒绝了一条语句（错误 {1}），没有做任何修改。',
  'The input is not valid. {}': '输入不合法。{1}',
  'It does not exist here.': '这里没有它。',
  'An id is a whole number from 1 to 9999999999999999.': 'id 是 1 到 9999999999999999 的整数。',
  'A request to {} failed ({}). Check that {} runs, and that its address and token are correct; then try again.':
    '对{1}的请求失败（{2}）。请检查{3}是否在运行、地址和令牌是否正确，然后再试一次。',
  'A request to {} failed ({}). Check that {} runs, and that its address and token are correct. It is not known whether the change was made: check with list or show before you try again.':
    '对{1}的请求失败（{2}）。请检查{3}是否在运行、地址和令牌是否正确。修改是否完成无从得知：再试之前先用 list 或 show 查看。',
  'A request to {} failed ({}). Check that {} runs, and that its address and token are correct':
    '对{1}的请求失败（{2}）。请检查{3}是否在运行、地址和令牌是否正确',
  '{}. It is not known whether the change was made: check with list or show before you try again.':
    '{1}。修改是否完成无从得知：再试之前先用 list 或 show 查看。',
  '{}; then try again.': '{1}，然后再试一次。',
  'This is a bug: {}.': '这是程序缺陷：{1}。',

  'The privateKey is shown only once. Keep it where only the caller can read it.':
    'privateKey 只显示这一次。请存放在只有调用方能读到的地方。',
  'MD5 is weak: change this app to HMAC-SHA256 soon.': 'MD5 不安全：请尽快把这个应用换成 HMAC-SHA256。',
  'App {} ({}) will be refused: calls that change something at once, all calls within 60 s.':
    '应用 {1}（{2}）将被拒绝：有修改作用的调用立即被拒绝，所有调用 60 秒内被拒绝。',
  'This app is a server that acts for app {}: make that app public.':
    '这个应用是代表应用 {1} 行事的服务器：请把应用 {1} 设为公开。',
  'App {} ({}) acts for it and stays: disable it, too, if it must stop.':
    '应用 {1}（{2}）代表它行事，不受影响：如果也要停用，请另外停用它。',
  '{} is disabled: calls that change something are refused at once, all calls within 60 s.':
    '{1} 已停用：有修改作用的调用立即被拒绝，所有调用 60 秒内被拒绝。',
  '{} is enabled: its calls are accepted within 5 s.': '{1} 已启用：5 秒内放行。',
  'App {} ({}): key {} will end in 24 h.': '应用 {1}（{2}）：密钥 {3} 将在 24 小时后失效。',
  'The privateKey is shown only once. It is valid everywhere within 5 s.': 'privateKey 只显示这一次，5 秒内处处生效。',
  'The former key {} is valid until {}.': '旧密钥 {1} 有效到 {2}。',
  'App {} ({}): key {} will be refused, for calls that change something at once, for all calls within 60 s.':
    '应用 {1}（{2}）：密钥 {3} 将被拒绝，对有修改作用的调用立即生效，对所有调用 60 秒内生效。',
  'It is the last valid key: every call of the app will be refused.':
    '这是最后一个有效密钥：这个应用的所有调用都会被拒绝。',
  'Valid keys that stay: {}.': '剩余有效密钥：{1} 个。',
  'Key {} is revoked: calls that change something are refused at once, all calls within 60 s.':
    '密钥 {1} 已作废：有修改作用的调用立即被拒绝，所有调用 60 秒内被拒绝。',
  'App {} ({}): calls that need {} will be refused within 60 s.':
    '应用 {1}（{2}）：需要 {3} 的调用将在 60 秒内被拒绝。',
  '--add and --remove both name {}': '--add 和 --remove 都写了 {1}',
  'This app is public, and only servers may have {}.': '这个应用是公开应用，只有服务器才能有 {1}。',
  'What is open before a login needs {}: shut it first with "app public --open".':
    '登录之前打开的接口需要 {1}：先用 "app public --open" 关闭它。',
  'The app has no valid key now: create one with "app rotate-key".':
    '这个应用没有有效密钥了：用 "app rotate-key" 生成一个。',
  'both; end v1 and v2 with "app public --only" when the log shows no more calls of them':
    'both；等日志里不再有 v1 和 v2 的调用，用 "app public --only" 结束它们',
  'It has no key: its package holds the AppID alone, which is no secret.':
    '它没有密钥：程序包里只有 AppID，而 AppID 不是机密。',
  '--public takes no --methods: the sessions of a public app sign': '--public 不能带 --methods：公开应用由会话签名',
  '--public takes no scope of servers: {}': '--public 不能带服务端的权限：{1}',
  '--open goes with --public': '--open 要与 --public 一起用',
  'give --only or --off, not both': '--only 和 --off 只能给一个',
  '--open goes with neither --only nor --off': '--open 不能与 --only 或 --off 一起用',
  '{}: the rule of operators by app alone can lock out all users of this app; add ip or user to it.':
    '{1}：运维设置的规则只按 app 计数，能把这个应用的所有用户锁在外面；请给它加上 ip 或 user。',
  '{} is public only: v1 and v2 are refused, by calls that change something at once, by all within 60 s.':
    '{1} 现在只是公开应用：v1 和 v2 被拒绝，有修改作用的调用立即生效，所有调用 60 秒内生效。',
  '{} is not public any more: named calls and signed sessions are refused, those that change something at once, all within 60 s.':
    '{1} 不再是公开应用：具名调用和会话签名的调用被拒绝，有修改作用的立即生效，所有的 60 秒内生效。',
  'What is opened may be called within 5 s; what is shut is refused within 60 s.':
    '打开的 5 秒内可以调用；关闭的 60 秒内被拒绝。',
  'App {} ({}): its keys {} will be revoked; clients that sign with them are refused.':
    '应用 {1}（{2}）：它的密钥 {3} 将被作废，用这些密钥签名的客户端会被拒绝。',
  'App {} ({}): its named calls and all its signed sessions will be refused.':
    '应用 {1}（{2}）：它的具名调用和所有会话签名的调用将被拒绝。',
  'App {} ({}): before a login these will be refused: {}.': '应用 {1}（{2}）：登录之前将拒绝这些：{3}。',
  'This app has {}, which only servers may have: create a public app of its own.':
    '这个应用有 {1}，只有服务端才能有：请另外创建一个公开应用。',
  'This app is not public yet: run "app public" without --only first.':
    '这个应用还不是公开应用：请先不带 --only 执行 "app public"。',
  'This app has no key: of a public app the sessions sign. For one that is neither, run "app public" first.':
    '这个应用没有密钥：公开应用由会话签名。如果它也不是公开应用，先运行 "app public"。',
  'named by': '来自',
  'WECHAT_APPID, the default': '默认的 WECHAT_APPID',
  secret: 'AppSecret',
  'former secret': '原来的 AppSecret',
  'kept until --end-former': '保留到执行 --end-former',
  'message push': '消息推送',
  'other apps': '其他应用',
  changed: '修改时间',
  set: '已设置',
  stored: '已保存',
  environment: '来自环境变量',
  'age in seconds': '已用秒数',
  'refreshes today': '今天获取次数',
  'forced today': '今天强制刷新次数',
  'give one of --wechat-appid, --end-former, --remove and --show':
    '--wechat-appid、--end-former、--remove、--show 要给出其中一个',
  "--{} takes the AppID of the mini-program in WeChat's console, such as wx0123456789abcdef":
    '--{1} 是小程序在微信后台的 AppID，例如 wx0123456789abcdef',
  '--push-file takes a file with the JSON object {"token":"...","encodingAesKey":"..."}':
    '--push-file 是一个文件，内容为 JSON 对象 {"token":"...","encodingAesKey":"..."}',
  'The former secret of mini-program {} is deleted.': '小程序 {1} 原来的 AppSecret 已删除。',
  'App {} has no mini-program of its own any more.': '应用 {1} 不再有自己的小程序。',
  'App {} has no mini-program of its own.': '应用 {1} 没有自己的小程序。',
  'Mini-program {} has no former secret.': '小程序 {1} 没有原来的 AppSecret。',
  'Mini-program {} has no secret here yet: give --secret-file.':
    '这里还没有小程序 {1} 的 AppSecret：请给出 --secret-file。',
  'Mini-program {} has no secret here: set it with "app wechat".':
    '这里没有小程序 {1} 的 AppSecret：用 "app wechat" 设置。',
  'The former secret of mini-program {} will be deleted: only the new one is used from then on.':
    '小程序 {1} 原来的 AppSecret 将被删除：之后只用新的。',
  'App {} ({}): its mini-program {} will be {}. Its users keep their identities, but their openids of {} are unknown there.':
    '应用 {1}（{2}）：它的小程序 {3} 将改为 {4}。用户保留原有身份，但他们在 {5} 的 openid 在那里不认识。',
  'No other app has mini-program {}: its secrets here will be deleted.':
    '没有其他应用使用小程序 {1}：这里保存的它的机密将被删除。',
  'Mini-program {} has a former secret beside its secret: a new one will end it.':
    '小程序 {1} 除了 AppSecret 还保留着原来的一个：设置新的会结束原来的那个。',
  'The message push of mini-program {} is set: messages that are signed with the former settings will be refused.':
    '小程序 {1} 已设置消息推送：按原设置发来的消息将被拒绝。',
  'The token cannot be replaced now: that is possible once in 30 s, and 20 times a day (Shanghai time).':
    '现在不能替换令牌：至少相隔 30 秒，每天（上海时间）20 次。',
  'The access_token of mini-program {} will be replaced: your servers that have it must ask for it again.':
    '小程序 {1} 的 access_token 将被替换：持有它的自有服务器要重新获取。',
  'expected 1 to 32 of A-Z a-z 0-9 _ -': '应为 1 到 32 个 A-Z a-z 0-9 _ - 字符',
  'expected 16 to 128 characters': '应为 16 到 128 个字符',
  'expected 3 to 32 of A-Z a-z 0-9': '应为 3 到 32 个 A-Z a-z 0-9 字符',
  'expected 43 of A-Z a-z 0-9': '应为 43 个 A-Z a-z 0-9 字符',
  'none registered': '没有登记',
  'registered for {}': '已为 {1} 登记',
  removed: '已移除',
  'App {} ({}): its registered user fields will be replaced: {}': '应用 {1}（{2}）：已登记的扩展字段将被替换：{3}',
  'There is no app {}; "app list" lists all apps.': '没有应用 {1}；"app list" 列出所有应用。',
  'This app has two live keys already: wait until the older one ends, or revoke it ("app show").':
    '这个应用已经有两个有效密钥：等旧的失效，或作废它（"app show"）。',
  'a public app can be named by anybody, so a rule by app alone lets a stranger lock out all its users: count by app and ip, or by user, or give --anyone-can-name-it':
    '任何人都能以公开应用的名义调用，只按 app 计数的规则会让陌生人把它的所有用户锁在外面：请按 app 和 ip 计数，或按 user 计数，或给出 --anyone-can-name-it',
  'This app has no key {}; "app show --app {}" lists its keys.':
    '这个应用没有密钥 {1}；"app show --app {2}" 列出它的密钥。',

  'Channel {} is {}.': '渠道 {1} 已{2}。',
  'Channel {} exists: {} and {}:{} will be replaced.': '渠道 {1} 已存在：{2} 和 {3}:{4} 将被替换。',
  'Channel {} will be removed: its users can no longer log in. Their accounts are kept.':
    '渠道 {1} 将被移除：它的用户不能再登录，账号保留。',
  'Channel {} is removed. Its accounts are kept.': '渠道 {1} 已移除，账号保留。',
  'There is no channel {}; "channel list" lists all channels.': '没有渠道 {1}；"channel list" 列出所有渠道。',

  '{} {} is written.': '{1} {2} 已写入。',
  '{} {} exists and will be replaced: {}': '{1} {2} 已存在，将被替换：{3}',
  '{} {} exists: {} will be "{}", it was "{}"': '{1} {2} 已存在：{3} 将改为“{4}”，原来是“{5}”',
  'There is no {} {}.': '没有 {1} {2}。',
  'Next page: {}': '下一页：{1}',
  '{} {} will be deleted: {}': '{1} {2} 将被删除：{3}',
  '{} {} is deleted.': '{1} {2} 已删除。',
  'There was no {} {}.': '没有 {1} {2}。',
  'The next read of {} {} loads it from the database.': '下一次读取 {1} {2} 时从数据库加载。',
  'Estimated: one of {} reads is counted.': '估算值：每 {1} 次读取抽样一次。',

  '{}: {} calls in {} s by {}, then refused {}. {}': '{1}：按 {4} 计，{3} 秒内 {2} 次，之后拒绝：{5}。{6}',
  '{}: the rule by {} is replaced; it was {} calls in {} s, lock {}.':
    '{1}：按 {2} 计的规则将被替换，原来是 {4} 秒内 {3} 次，锁定 {5}。',
  '{}: a limit of 0 refuses every call.': '{1}：次数为 0 会拒绝所有调用。',
  '{} will be blocked for everybody for {} s. --app, --user or --ip name whom to block.':
    '{1} 将对所有人封禁 {2} 秒。用 --app、--user、--ip 指明封禁谁。',
  '{}: {} rules and {} blocks of operators will be removed.': '{1}：将移除运维人员设的 {2} 条规则和 {3} 个封禁。',
  'All its counts begin at zero, for everybody: callers that are locked now may call again.':
    '它的所有计数清零，对所有人生效：现在被锁住的调用方可以重新调用。',
  '{} is blocked for {} for {} s. {}': '{1} 对 {2} 封禁 {3} 秒。{4}',
  "{}: the operator's rules and blocks are removed, counts begin at zero; everywhere within 5 s.":
    '{1}：运维人员设的规则和封禁已移除，计数清零；5 秒内处处生效。',
  'blocked by the operator for another {} s': '被运维人员封禁，还有 {1} 秒',
  'unknown without {}': '缺少 {1}，无法得知',
  'not counted': '不计数',
  'locked for another {} s': '锁定中，还有 {1} 秒',
  'open, window ends in {} s': '未锁定，窗口还有 {1} 秒',
  open: '未锁定',

  'unreadable: {}': '无法解密：{1}',
  'Put the key that sealed them into MASTER_KEY_OLD, and run this command again.':
    '请把当时加密用的密钥放进 MASTER_KEY_OLD，再次执行本命令。',
  '{} AppIDs were made with a former key: keep it in MASTER_KEY_OLD while they are in use.':
    '{1} 个 AppID 是用旧密钥生成的：它们仍在使用时，旧密钥要留在 MASTER_KEY_OLD 里。',
  'MASTER_KEY_OLD is no longer needed.': '已经不再需要 MASTER_KEY_OLD。',
  'Key {} will seal every secret of this stage, in place of {}.': '密钥 {1} 将代替 {2}，加密这个环境的所有机密。',
  'Key {} is the master key of this database now.': '密钥 {1} 现在是这个数据库的主密钥。',
  'Key {} will be the master key of this database, whatever sealed its secrets.':
    '密钥 {1} 将成为这个数据库的主密钥，不论其中的机密是用什么密钥加密的。',
  'What another key sealed stays unreadable, and AppIDs of another key are refused: only for a key that is lost.':
    '用其他密钥加密的内容仍然无法解密，用其他密钥生成的 AppID 会被拒绝：只用于密钥已经丢失的情况。',
  'sealed secret is damaged or belongs to another record': '加密的机密已损坏，或属于另一条记录',

  '{} uses merchant {}.': '{1} 使用商户 {2}。',
  '{} uses merchant {} now: its settings will be replaced.': '{1} 现在使用商户 {2}：它的配置将被替换。',
  'Merchant {} of {} is set beside the default.': '{2} 的商户 {1} 已设置，默认商户不变。',
  'Merchant {} ({}) stays for its own orders.': '商户 {1}（{2}）继续负责它自己的订单。',
  'New orders of {} will go to another merchant than {} ({}), which stays for its own orders: {}.':
    '{1} 的新订单将归另一个商户，不再归 {2}（{3}）；后者继续负责它自己的订单：{4}。',
  'Merchant {} of {} will be removed: no orders, syncs and refunds there until it is set again. It has {}.':
    '{2} 的商户 {1} 将被移除：重新设置之前不能在那里下单、同步和退款。它有 {3}。',
  'open orders': '未完成的订单',
  'running refunds': '进行中的退款',
  'removed: no orders': '已移除：不能下单',
  'cannot be used: set it again': '无法使用：请重新设置',
  'No merchant is set for {}.': '{1} 没有设置商户。',
  'Merchant {} of {} is removed.': '{2} 的商户 {1} 已移除。',
  '{} has no merchant {}.': '{1} 没有商户 {2}。',
  'Merchant {} has several mini-programs: name one of {}.': '商户 {1} 有多个小程序：请写明是 {2} 中的哪一个。',
  'Merchant {} ({}) has {}: nothing was changed. With --force the new merchant becomes the default, and this one stays for its own orders.':
    '商户 {1}（{2}）有 {3}：没有做任何修改。加上 --force，新商户成为默认，这个商户继续负责它自己的订单。',
  'Merchant {} ({}) has {}, and {} apps name it: nothing was changed. --force removes it.':
    '商户 {1}（{2}）有 {3}，还有 {4} 个应用指定它：没有做任何修改。--force 会移除它。',
  'is not the merchant of the settings, which is {}': '与配置里的商户不同，配置里是 {1}',
  'expected an https URL of a public host': '应为公网主机的 https 地址',
  'expected one of {}': '应为 {1} 之一',
  'expected an object': '应为对象',
  'is not acceptable': '不符合要求',
  'The settings cannot be opened with MASTER_KEY and MASTER_KEY_OLD: set the merchant again.':
    '用 MASTER_KEY 和 MASTER_KEY_OLD 都打不开配置：请重新设置商户。',
  'The settings cannot be used: set the merchant again.': '配置无法使用：请重新设置商户。',
  'WeChat Pay answered that an invented order exists: check baseUrl.':
    '微信支付回答说一个虚构的订单存在：请检查 baseUrl。',
  'WeChat Pay accepts our signature, and its answer verifies with the platform keys.':
    '微信支付接受我们的签名，它的应答也能用平台密钥验证。',
  'WeChat Pay accepts our signature and refuses the question ({}, {}): check mchId, appId and the permissions of the merchant.':
    '微信支付接受我们的签名，但拒绝了询问（{1}，{2}）：请检查 mchId、appId 和商户的权限。',
  'WeChat Pay does not accept our signature ({}, {}): check mchId, merchantSerial and merchantPrivateKeyPem.':
    '微信支付不接受我们的签名（{1}，{2}）：请检查 mchId、merchantSerial 和 merchantPrivateKeyPem。',
  'The answer of WeChat Pay does not verify: check platformKeys, the id and the PEM of each, and the clock of this machine.':
    '微信支付的应答无法验证：请检查 platformKeys 里每一项的 id 和 PEM，以及本机的时钟。',
  'WeChat Pay cannot be reached: check baseUrl and the network.': '连接不上微信支付：请检查 baseUrl 和网络。',
  'WeChat Pay gave no usable answer ({}): try again, then check baseUrl.':
    '微信支付没有给出可用的应答（{1}）：请重试，再检查 baseUrl。',
  'Mini-program {} has no secret here: give it one with "app wechat".':
    '小程序 {1} 在这里没有密钥：请用 "app wechat" 设置。',
  'WeChat gave no usable answer: try again.': '微信没有给出可用的应答：请重试。',
  'WeChat does not accept our signature ({}): check appKey, which belongs to env {}.':
    '微信不接受我们的签名（{1}）：请检查 appKey，它属于 env {2}。',
  'WeChat refuses the question ({}): check the secret of mini-program {}.':
    '微信拒绝了询问（{1}）：请检查小程序 {2} 的密钥。',
  'WeChat accepts our signature, and knows the mini-program.': '微信接受我们的签名，并认识这个小程序。',
  'Mini-program {} gets no access_token: check its secret with "app wechat".':
    '小程序 {1} 拿不到 access_token：请用 "app wechat" 检查它的密钥。',
  'give either --merchant or --none': '--merchant 和 --none 只能给一个，且必须给一个',
  'New orders of app {} by {} go to merchant {} ({}).': '应用 {1} 通过 {2} 的新订单归商户 {3}（{4}）。',
  'New orders of app {} by {} go to the default merchant.': '应用 {1} 通过 {2} 的新订单归默认商户。',
  'App {}: new orders by {} will go to the default merchant, and not to {}.':
    '应用 {1}：通过 {2} 的新订单将归默认商户，不再归 {3}。',
  'App {}: new orders by {} will go to merchant {}, and not to {}.':
    '应用 {1}：通过 {2} 的新订单将归商户 {3}，不再归 {4}。',

  'Secrets are shown only once: give them to the plugin team.': '密钥只显示这一次：请交给插件团队。',
  'Plugin {}: pushes will no longer go to {}.': '插件 {1}：推送不再发到 {2}。',
  'Plugin {} ({}) will be removed: no tokens are issued for it any more, and app {} of its server will be refused.':
    '插件 {1}（{2}）将被移除：不再签发它的令牌，它的服务器所用的应用 {3} 会被拒绝。',
  'Plugin {}: its push secret will end in 24 h.': '插件 {1}：它的推送密钥将在 24 小时后失效。',
  'former secret also signs until {}': '旧密钥也参与签名，直到 {1}',
  'Pushes of {} go to {} within 5 s.': '{1} 的推送 5 秒内改发到 {2}。',
  'Plugin {} is removed: no tokens are issued for it, and the app of its server is refused.':
    '插件 {1} 已移除：不再签发它的令牌，它的服务器所用的应用会被拒绝。',
  'The former secret also signs, for 24 h.': '24 小时内旧密钥也参与签名。',
  'a plugin id is 1 to 64 of A-Z a-z 0-9 _ -': '插件 id 是 1 到 64 个 A-Z a-z 0-9 _ -',
  'the server must be an https URL of a public host, without user, password or fragment':
    '服务器应为公网主机的 https 地址，不带用户名、密码和片段',
  'plugin {} exists already: remove it first, or rotate its secret': '插件 {1} 已存在：先移除它，或更换它的密钥',
  'there is no plugin {}': '没有插件 {1}',

  '{} {}: {} units for {}.': '{1} {2}：{3} 个，价格 {4}。',
  'Product {} will be replaced; it is {}, {} units for {}, {}.':
    '商品 {1} 将被替换，原来是 {2}，{3} 个，价格 {4}，{5}。',

  'There is no sandbox here: SANDBOX_KEY is not set.': '这里没有沙箱：没有设置 SANDBOX_KEY。',
  // A bill that cannot be compared.
  'Line {} has tabs, semicolons or quotation marks: {}': '第 {1} 行有制表符、分号或引号：{2}',
  'Line 1 has tabs, semicolons or quotation marks: {}': '第 1 行有制表符、分号或引号：{1}',
  'Line 1 is not the head of a trade bill of type ALL, because the column {} is missing: download that bill.':
    '第 1 行不是 ALL 类型交易账单的表头，缺少“{1}”一列：请下载这种账单。',
  'Line {} has {} values in place of {}: {}': '第 {1} 行有 {2} 个值，应有 {3} 个：{4}',
  'Line {} has no time such as 2026-11-24 09:30:00: {}': '第 {1} 行没有 2026-11-24 09:30:00 这样的时间：{2}',
  'Line {} is of {}, not of {}: name the day of the bill, or another file.':
    '第 {1} 行属于 {2}，不属于 {3}：请给出账单的日期，或换一个文件。',
  'Line {} is of merchant {}, not of {}: name the merchant of the bill, or another file.':
    '第 {1} 行属于商户 {2}，不属于 {3}：请给出账单的商户号，或换一个文件。',
  'Line {} is in {}, not in CNY: it cannot be compared with the books.':
    '第 {1} 行的币种是 {2}，不是 CNY：无法与账簿核对。',
  'Line {} has no value in the column {}: download the bill again.': '第 {1} 行的“{2}”一列是空的：请重新下载账单。',
  'Line {} has the rounded number {} in the column {}: {}': '第 {1} 行的“{3}”一列是被四舍五入的数字 {2}：{4}',
  'Line {} has "{}" in place of a number in the column {}: {}': '第 {1} 行的“{3}”一列应为编号，却是“{2}”：{4}',
  'Line {} has "{}" in place of a number of lines: {}': '第 {1} 行应为笔数，却是“{2}”：{3}',
  'Line {} repeats line {}: download the bill again, and compare one bill at a time.':
    '第 {1} 行与第 {2} 行重复：请重新下载账单，一次只核对一份。',
  'Line {} has the unknown state "{}": the bill cannot be compared.':
    '第 {1} 行的交易状态“{2}”无法识别：账单不能核对。',
  'Line {} has "{}" in place of an amount in yuan: {}': '第 {1} 行应为以元计的金额，却是“{2}”：{3}',
  'The bill has no summary at its end, so it is cut: download it again.': '账单末尾没有汇总，说明不完整：请重新下载。',
  'Line {} does not begin with a backtick and is not the summary: {}': '第 {1} 行不以反引号开头，也不是汇总：{2}',
  'Line {} follows the summary: the file holds more than one bill, and one is compared at a time.':
    '第 {1} 行在汇总之后：文件里不止一份账单，一次只能核对一份。',
  'The summary counts {} lines, and {} were read: the file is cut. Download it again.':
    '汇总写的是 {1} 笔，读到 {2} 笔：文件不完整，请重新下载。',
  'The summary says {} in {}, and the lines add up to {}: the file was changed. Download it again.':
    '汇总的“{2}”是 {1}，各行相加是 {3}：文件被改动过，请重新下载。',
  'The summary has no column {}: download the bill again.': '汇总里没有“{1}”一列：请重新下载账单。',
  'The file is empty: download the bill again.': '文件是空的：请重新下载账单。',
  'The file is compressed: unpack it with "gunzip" first.': '文件是压缩的：请先用 "gunzip" 解压。',
  'The file is in UTF-16: convert it with "iconv -f UTF-16 -t UTF-8 FILE", then compare that.':
    '文件是 UTF-16 编码：请先用 "iconv -f UTF-16 -t UTF-8 FILE" 转换再核对。',
  'The file is in GBK: convert it with "iconv -f GB18030 -t UTF-8 FILE", then compare that.':
    '文件是 GBK 编码：请先用 "iconv -f GB18030 -t UTF-8 FILE" 转换再核对。',
  'The file is not a text in UTF-8, so it is not a trade bill.': '文件不是 UTF-8 文本，不是交易账单。',
  "{} has no bill of {} yet, and the books have payments or refunds of that day: try again after ten o'clock.":
    '{1} 还没有 {2} 的账单，而账簿在那一天有支付或退款：请在十点之后再试。',
  'The sandbox has its bills in the database: leave out --bill and --also.':
    '沙箱的账单在数据库里：请去掉 --bill 和 --also。',
  '{} has several merchants: name one of {} with --merchant.': '{1} 有多个商户：请用 --merchant 给出其中一个：{2}。',
  'No merchant is set for {} under this number: see "merchant list".':
    '没有为 {1} 设置这个商户：请看 "merchant list"。',
  'The settings of the merchant of {} cannot be used: run "merchant set" again.':
    '{1} 的商户设置无法使用：请重新执行 "merchant set"。',
  '{} has no bill that can be compared: compare the sums of "recharge day" with its console.':
    '{1} 没有可以核对的账单：请把 "recharge day" 的合计与它的后台比对。',

  // What bill and books do not have in common.
  'Order {} was paid by transaction {} and not credited: run "recharge sync --order {}", then compare again.':
    '订单 {1} 已由交易 {2} 支付但没有入账：请执行 "recharge sync --order {3}"，然后再核对一次。',
  "Transaction {} paid order {}, which does not exist here: find out in the provider's console who paid, and refund it there if nothing was delivered.":
    '交易 {1} 支付了订单 {2}，而这里没有这笔订单：请在支付平台后台查明付款人，没有交付就在那里退款。',
  'Order {} costs {} fen and {} fen were paid: look at "recharge show --order {}", and refund the payment in the provider\'s console.':
    '订单 {1} 的价格是 {2} 分，实付 {3} 分：请看 "recharge show --order {4}"，并在支付平台后台退款。',
  "Order {} was credited for another transaction, so {} paid it a second time: refund that transaction in the provider's console.":
    '订单 {1} 已按另一笔交易入账，{2} 是第二次支付：请在支付平台后台退还这笔交易。',
  'Refund {} was made in the provider\'s console, and its units are still in the wallet: run "recharge refund-book --order {} --refund-id {} --amount-fen {}".':
    '退款 {1} 是在支付平台后台做的，虚拟币还在钱包里：请执行 "recharge refund-book --order {2} --refund-id {3} --amount-fen {4}"。',
  "Refund {} is of order {}, which does not exist here: find out in the provider's console whose payment it was.":
    '退款 {1} 属于订单 {2}，而这里没有这笔订单：请在支付平台后台查明是谁的支付。',
  'Refund {} is closed here, so its units were returned, and the provider paid the money back: run "recharge refund-book --order {} --refund-id {} --amount-fen {}". If nothing is left of the order, take the units with "recharge adjust".':
    '退款 {1} 在这里已关闭，虚拟币已退回，而支付平台退了钱：请执行 "recharge refund-book --order {2} --refund-id {3} --amount-fen {4}"。如果订单已没有可退的金额，用 "recharge adjust" 扣回虚拟币。',
  'Refund {} is of order {} in the bill, and of another order here: look at "recharge show --order {}" and at the provider\'s console.':
    '退款 {1} 在账单里属于订单 {2}，在这里属于另一笔订单：请看 "recharge show --order {3}" 和支付平台后台。',
  'Refund {} is {} fen here and {} fen in the bill: look at "recharge show --order {}" and at the provider\'s console.':
    '退款 {1} 在这里是 {2} 分，在账单里是 {3} 分：请看 "recharge show --order {4}" 和支付平台后台。',
  'Order {} is in the bill of {} and in the books of {}: it is one payment, and nothing is to do.':
    '订单 {1} 在 {2} 的账单里、在 {3} 的账簿里：是同一笔支付，无需处理。',
  'Refund {} is in the bill of {} and in the books of {}: it is one refund, and nothing is to do.':
    '退款 {1} 在 {2} 的账单里、在 {3} 的账簿里：是同一笔退款，无需处理。',
  'Refund {} was in progress when the bill was made, and the provider closed it later: no money was returned, and nothing is to do.':
    '出账单时退款 {1} 还在进行，之后支付平台关闭了它：没有退钱，无需处理。',
  'Order {} was credited for transaction {}, which the bill does not have: look for it in the provider\'s console, and take the units back with "recharge adjust" if nothing was paid.':
    '订单 {1} 按交易 {2} 入了账，而账单里没有这笔交易：请在支付平台后台查找，确实没有付款就用 "recharge adjust" 扣回虚拟币。',
  'Order {} was paid at {}, near midnight, and is in the bill of {}: it is one payment, and nothing is to do.':
    '订单 {1} 在 {2} 支付，接近零点，它在 {3} 的账单里：是同一笔支付，无需处理。',
  'Order {} was paid at {}, near midnight, and the bill of {} was not read: compare again when that bill is there, or give its file with "--also {}=FILE".':
    '订单 {1} 在 {2} 支付，接近零点，而没有读到 {3} 的账单：请等那份账单出来后再核对，或用 "--also {4}=FILE" 给出它的文件。',
  'Refund {} is {} here, and the bill does not have it: look for it in the provider\'s console, and at "recharge show --order {}".':
    '退款 {1} 在这里是 {2}，账单里没有：请在支付平台后台查找，并看 "recharge show --order {3}"。',
  'Refund {} was made at {} and is in the bill of {}: it is one refund, and nothing is to do.':
    '退款 {1} 在 {2} 提出，它在 {3} 的账单里：是同一笔退款，无需处理。',
  'Refund {} was made at {}, and the bill of {} was not read: compare again when that bill is there, or give its file with "--also {}=FILE".':
    '退款 {1} 在 {2} 提出，而没有读到 {3} 的账单：请等那份账单出来后再核对，或用 "--also {4}=FILE" 给出它的文件。',
  'Nothing was compared: {} and the books have no payment and no refund of {}.':
    '没有可核对的内容：{1} 和账簿在 {2} 都没有支付和退款。',
  'Bill and books agree in both directions.': '账单与账簿双向一致。',
  'Bill and books agree in both directions, but for what is settled.': '除已了结的以外，账单与账簿双向一致。',
  'Bill and books could not be compared to the end.': '账单与账簿没能核对完。',
  'not decided, because the bill of another day was not read: {}': '没有读到另一天的账单，尚未判定：{1} 处',
  'settled: {}': '已了结：{1} 处',
  'settled: {} by {} at {}': '已了结：{1}，{2}，{3}',
  'What no command removes is settled by a person: "recharge settle-difference --difference NAME --reason TEXT", with the name at the end of its line.':
    '没有命令能消除的，由人了结："recharge settle-difference --difference NAME --reason TEXT"，名称在那一行的末尾。',
  '{} has no bill of {}, and the books have payments or refunds of that day that no other bill has: give the file of the bill with --bill if there is one.':
    '{1} 没有 {2} 的账单，而账簿在那一天有别的账单里都没有的支付或退款：如果有账单文件，请用 --bill 给出。',
  '--also takes a day and a file such as 2026-11-25=bill.csv, not "{}"':
    '--also 应为 2026-11-25=bill.csv 这样的日期和文件，而不是 "{1}"',
  'No stored comparison has the difference {}: run "recharge reconcile" for its day, which prints the names.':
    '已保存的核对结果里没有不一致 {1}：请对那一天执行 "recharge reconcile"，它会打印名称。',
  'The amounts of difference {} have changed: nothing was settled. Look at it again.':
    '不一致 {1} 的金额变了：没有了结任何东西，请再看一遍。',
  'Difference {} was changed at this moment: look at it again.': '不一致 {1} 正在被改动：请再看一遍。',
  'Difference {} is not settled.': '不一致 {1} 没有了结。',
  'It will no longer count as open, and its day agrees without it. Nothing is moved.':
    '它将不再算作未解决，那一天不计它也算一致。不移动任何资金和虚拟币。',
  'Difference {} is settled by {} at {}: {}.': '不一致 {1} 已由 {2} 在 {3} 了结：{4}。',
  'Difference {} was settled by {} at {}: {}. It will count as open again.':
    '不一致 {1} 由 {2} 在 {3} 了结：{4}。它将重新算作未解决。',
  'Difference {} counts as open again.': '不一致 {1} 重新算作未解决。',
  'differences: {}': '不一致：{1} 处',
  'explained by another day: {}': '由相邻的一天解释：{1} 处',
  'In the bill: payments {} ({}), refunds {} ({}). In the books: payments of {}.':
    '账单：{1} 笔支付共 {2}，{3} 笔退款共 {4}。账簿：支付共 {5}。',
  'Other AppIDs of this merchant, which are not compared:': '这个商户的其他 AppID，不参与核对：',
  'line {}': '第 {1} 行',
  '--from is a day after --to': '--from 在 --to 之后',
  '--file names a file that cannot be written: {}': '--file 指定的文件无法写入：{1}',
  '{} payments, {} refunds, {} unpaid orders and {} ledger entries are in {}.':
    '{1} 笔支付、{2} 笔退款、{3} 笔未支付的订单和 {4} 条账本记录已写入 {5}。',
  '{} was compared with its bill at {}: they agree.': '{1} 已在 {2} 与账单核对：一致。',
  '{} was compared with its bill at {}, differences: {}.': '{1} 已在 {2} 与账单核对，不一致：{3} 处。',
  '{} was not compared with its bill after the day was over: run "recharge reconcile".':
    '{1} 在这一天结束之后还没有与账单核对：请执行 "recharge reconcile"。',
  'Order {} is paid, and the ledger has another number of units for it: run "recharge sync --order {}", then "npm run audit-ledger".':
    '订单 {1} 已支付，账本里的虚拟币数目不同：请执行 "recharge sync --order {2}"，然后执行 "npm run audit-ledger"。',
  'Refund {} took another number of units than it should: look at "recharge show --order {}", then run "npm run audit-ledger".':
    '退款 {1} 扣回的虚拟币数目不对：请看 "recharge show --order {2}"，然后执行 "npm run audit-ledger"。',
  'The entries of wallet {} do not lead to its balance: run "npm run audit-ledger".':
    '钱包 {1} 的记录与余额对不上：请执行 "npm run audit-ledger"。',
  '--month takes a month such as 2026-11': '--month 应为 2026-11 这样的月份',
  'Fees are not in the books: take them from the bills of the provider.': '账簿里没有手续费：请以支付平台的账单为准。',
  'Nothing can be compared for {}: no merchant has money, or no day of it is over.':
    '{1} 没有可核对的内容：没有商户有资金往来，或者还没有一天结束。',
  '{} is closed: bills, books and ledger agree on every day.': '{1} 已结清：账单、账簿与账本每天都一致。',
  '{} is not over, days left: {}. It can be closed after its last day.':
    '{1}还没有结束，还剩 {2} 天。最后一天过后才能关账。',
  'The day is not over, so this comparison does not count: make it again tomorrow.':
    '这一天还没有结束，这次对账不算数：请明天再对一次。',
  '{} is not closed: see what is open or differs.': '{1} 尚未结清：请看未核对和不一致的部分。',
  '{} has open days, so run "recharge reconcile --provider {} --day" with each: {}.':
    '{1} 有未核对的日期，请逐日执行 "recharge reconcile --provider {2} --day"：{3}。',
  '{} differs on some days, so run "recharge reconcile --provider {} --day" with each again: {}.':
    '{1} 有不一致的日期，请逐日重新执行 "recharge reconcile --provider {2} --day"：{3}。',
  '{} has other payments or refunds in the books than when its days were compared: compare its days again.':
    '{1} 的账簿与逐日核对时相比，支付或退款已有变化：请重新核对这些日期。',
  '{}: its bills and books differ by this, which is explained:': '{1}：账单与账簿相差这些，均已解释：',
  '{}: this was settled:': '{1}：已了结：',
  '{} is closed: bills, books and ledger agree on every day, but for what is settled.':
    '{1} 已结清：除已了结的以外，账单、账簿与账本每天都一致。',
  'There is no order {}.': '没有订单 {1}。',
  'This order is paid at {}, not at the sandbox.': '这笔订单在 {1} 支付，不在沙箱。',
  '{} is paid at the sandbox, {}. Status: {}.': '{1} 已在沙箱支付，{2}。状态：{3}。',
  'ORDER AND LEDGER DO NOT AGREE: run "recharge sync", then look again.':
    '订单与账本不一致：执行 "recharge sync" 后再看。',
  'This user has no orders: is it the userId? "user find --account NAME" prints the userId.':
    '这个用户没有订单：给出的是 userId 吗？"user find --account NAME" 打印 userId。',
  '{} is still {}.': '{1} 仍然是 {2}。',
  '{} was {}, now {}.': '{1} 原来是 {2}，现在是 {3}。',
  'Order {} ({}, user {}, {}): {} of {} will be paid back.': '订单 {1}（{2}，用户 {3}，{4}）：将退还 {6} 中的 {5}。',
  'Left to refund afterwards: {}. Units leave the wallet first, also if it becomes negative.':
    '之后还可以退：{1}。先从钱包扣回虚拟币，余额可能变成负数。',
  'Refund {} of {} is {}; {}.': '退款 {1}，金额 {2}，状态 {3}；{4}。',
  'Refund {} of {}: {}.': '退款 {1}，金额 {2}：{3}。',
  'It was made at the provider, as {}.': '它是在支付平台做的，单号 {1}。',
  'Why it ended: {}.': '结束的原因：{1}。',
  'Next: {}': '下一步：{1}',
  '--actor needs a name with visible text': '--actor 需要一个看得见的名字',
  'give --order or --transaction': '请给出 --order 或 --transaction',
  'No order was credited for transaction {}. Look for the order: "recharge list --user ID", then "recharge sync --order NO".':
    '没有哪笔订单因交易 {1} 入账。先找订单："recharge list --user ID"，再执行 "recharge sync --order NO"。',
  'There is no refund {}.': '没有退款 {1}。',
  'Refund {} of {} (order {}) will not be sent again. If the provider does not know it, {} units return to the wallet.':
    '退款 {1}（金额 {2}，订单 {3}）将不再发出。如果支付平台没有这笔退款，{4} 个虚拟币退回钱包。',
  'Order {}: {} will be paid back, as a new refund. {}': '订单 {1}：将作为一笔新的退款退还 {2}。{3}',
  'Order {} (user {}): units for {} will be taken, because this money was paid back at the provider. No money is sent.':
    '订单 {1}（用户 {2}）：将扣回 {3} 对应的虚拟币，因为这笔钱已在支付平台退还。不会再退钱。',
  'Order {} is {}: nothing was refunded.': '订单 {1} 的状态是 {2}：没有退款。',
  'Only {} fen of order {} are left to refund: nothing was done.': '订单 {2} 只剩 {1} 分可退：没有做任何事。',
  'Order {} was refunded at {}, and the books do not know that refund: nothing was done. Look it up at the merchant platform, then run "recharge refund-book --order {} --refund-id ID --amount-fen N".':
    '订单 {1} 已在 {2} 退过款，而账上没有那笔退款：没有做任何事。请到商户平台查到它，再执行 "recharge refund-book --order {3} --refund-id ID --amount-fen N"。',
  'Refund {} cannot be cancelled: the money was paid back.': '退款 {1} 不能取消：钱已经退还。',
  'Refund {} cannot be cancelled: the provider has accepted it and is paying the money back.':
    '退款 {1} 不能取消：支付平台已受理，正在退钱。',
  "Refund {} cannot be cancelled here: the provider holds its money, because the payer's account cannot receive it. Finish it at the merchant platform; the recharge sweeper follows its state.":
    '退款 {1} 不能在这里取消：付款人的账户收不了款，钱还在支付平台。请到商户平台处理；充值巡检会跟进它的状态。',
  'Refund {} is {}: only a refund that is closed can be made again.':
    '退款 {1} 的状态是 {2}：只有已关闭的退款才能重做。',
  'Another refund of order {} was made at this moment: nothing was booked. Try again.':
    '此刻订单 {1} 有另一笔退款：没有登记。请重试。',
  'The amount is a whole number of fen, from 1.': '金额是以分为单位的整数，从 1 起。',
  'The number of the refund has 1 to 64 letters and digits.': '退款单号是 1 到 64 个字母和数字。',
  '{} cannot be asked about refunds of order {}.': '不能向 {1} 查询订单 {2} 的退款。',
  '{} says that no money of order {} was returned: nothing was booked.': '{1} 表示订单 {2} 没有退过钱：没有登记。',
  'Refund {} of this order has not ended: nothing was booked. Look at "recharge show".':
    '这笔订单的退款 {1} 还没有结束：没有登记。请看 "recharge show"。',
  'It is refund {}, which was made here and is in the books: nothing was booked.':
    '这就是在这里做的退款 {1}，已在账上：没有登记。',
  'Order {} of {} is {}: there is nothing to report to WeChat.': '{2} 的订单 {1} 的状态是 {3}：没有要向微信报告的。',
  'The recharge sweeper reports it within a minute; look at "recharge show" then.':
    '充值巡检会在一分钟内报告；之后用 "recharge show" 查看。',
  'WeChat was not told yet that the units were delivered, and may keep the money until then. The recharge sweeper tries again.':
    '还没有告诉微信虚拟币已发放，在那之前微信可能冻结这笔钱。充值巡检会再试。',
  'WeChat knows that the units were delivered.': '微信已知道虚拟币已发放。',
  'WeChat need not be told that the units were delivered.': '不需要告诉微信虚拟币已发放。',
  "WeChat does not accept the report that the units were delivered; the alarm delivery-refused has the reason. Correct it and try again, or report it at WeChat's console.":
    '微信不接受虚拟币已发放的报告；原因见告警 delivery-refused。改正后再试，或在微信后台录入发货信息。',
  'The payer of order {} is not known here any more: refund it at WeChat\'s console, and then run "recharge refund-book --order {} --refund-id ID --amount-fen N".':
    '这里已经没有订单 {1} 的付款人：请在微信后台退款，再执行 "recharge refund-book --order {2} --refund-id ID --amount-fen N"。',
  'Order {} is {}: nothing was booked.': '订单 {1} 的状态是 {2}：没有登记。',
  'Only {} fen of order {} are left to refund: nothing was booked.': '订单 {2} 只剩 {1} 分可退：没有登记。',
  'This refund is in the books as {}, with {} fen: nothing was booked.':
    '这笔退款已在账上，单号 {1}，金额 {2} 分：没有登记。',
  'The provider has not taken it yet, and the recharge sweeper tries again. It can be cancelled.':
    '支付平台还没有受理，充值巡检会再试。可以取消它。',
  'It is not sent again. The recharge sweeper asks the provider, and then returns the units.':
    '它不会再发出。充值巡检会先查询支付平台，然后退回虚拟币。',
  'The provider is paying the money back. It cannot be cancelled.': '支付平台正在退钱，不能取消。',
  "The payer's account cannot receive the money, and the provider still holds it. Finish it at the merchant platform; the recharge sweeper follows its state.":
    '付款人的账户收不了款，钱还在支付平台。请到商户平台处理；充值巡检会跟进它的状态。',
  'No money was paid back, and the units were returned. It can be made again under a new number.':
    '没有退钱，虚拟币已退回钱包。可以用新的单号重做。',
  'The money was paid back all the same, and is in the books as another refund. Nothing is left to do.':
    '钱还是退了，已作为另一笔退款记在账上。没有别的事要做。',
  'The payer got more than was paid, and has the {} units. Ask for the money, or take the units with "recharge adjust".':
    '付款人拿回的钱比付的多，还保留着 {1} 个虚拟币。请要回钱，或用 "recharge adjust" 扣回虚拟币。',
  'Refund {} of {} (order {}) will be closed, because you looked at the merchant platform and no money was paid back: {} units return to the wallet.':
    '退款 {1}（金额 {2}，订单 {3}）将被关闭，因为你已在商户平台查过、没有退钱：{4} 个虚拟币退回钱包。',
  'Refund {} is {} now: nothing was done. Try again.': '退款 {1} 现在的状态是 {2}：没有做任何事。请重试。',
  'The provider can be asked about refund {}: leave --unpaid out. Nothing was done.':
    '可以向支付平台查询退款 {1}：请去掉 --unpaid。没有做任何事。',
  'A request for refund {} may be on its way: nothing was done. Try again in a minute.':
    '退款 {1} 可能有请求在途：没有做任何事。请一分钟后再试。',
  'Its merchant is not set here any more: set it again, or look at the merchant platform. If the money was paid back, run "recharge refund-book --order {} --refund-id {} --amount-fen {}"; if not, cancel it.':
    '它的商户已不在这里：请重新设置，或到商户平台查看。如果钱已退还，执行 "recharge refund-book --order {1} --refund-id {2} --amount-fen {3}"；如果没有，取消它。',
  'Nobody knows its payer any more, so WeChat cannot be asked: look at WeChat\'s console. If the money was paid back, run "recharge refund-book --order {} --refund-id {} --amount-fen {}"; if not, cancel it.':
    '已经没有它的付款人，无法向微信查询：请到微信后台查看。如果钱已退还，执行 "recharge refund-book --order {1} --refund-id {2} --amount-fen {3}"；如果没有，取消它。',
  'Refund {} is of order {}: nothing was booked.': '退款 {1} 属于订单 {2}：没有登记。',
  '{} has not paid refund {} back ({}): nothing was booked.': '{1} 还没有退还退款 {2}（{3}）：没有登记。',
  '{} says that refund {} is {} fen: nothing was booked.': '{1} 表示退款 {2} 是 {3} 分：没有登记。',
  "{} knows no refund {} by the merchant's number, and the books explain that money of order {} was returned: nothing was booked. Give the merchant's number of the refund as --refund-id, so that it can be asked for.":
    '{1} 没有商户退款单号为 {2} 的退款，而订单 {3} 退过的钱账上已有说明：没有登记。请把商户退款单号作为 --refund-id，这样才能查询它。',
  '{} returned {} fen of order {}, of which the books do not explain {}: nothing was booked.':
    '{1} 退还了订单 {3} 的 {2} 分，其中账上没有说明的是 {4} 分：没有登记。',
  'Refund {} is of transaction {}, which was not credited: there are no units to take, and nothing was booked.':
    '退款 {1} 属于没有入账的交易 {2}：没有要扣回的虚拟币，没有登记。',
  'Refund {} is of transaction {}, which paid order {} a second time and was never credited: no units are to be taken, and nothing is to do.':
    '退款 {1} 属于交易 {2}，它第二次支付了订单 {3}、从未入账：没有要扣回的虚拟币，不用做任何事。',
  'Refund {} was paid back by the provider after it was closed here: it cannot be made again.':
    '退款 {1} 在这里关闭之后，支付平台又退了钱：不能重做。',
  'Refund {}, which is closed here, is on its way at {}: nothing was done. Try again when it has ended.':
    '在这里已关闭的退款 {1} 正在 {2} 进行：没有做任何事。等它结束后再试。',
  'Refund {}, which was closed here, was paid back by {}: it is in the books now, and nothing else was done. Look at "recharge show --order {}".':
    '在这里已关闭的退款 {1} 已由 {2} 退了钱：现在已记在账上，没有做别的事。请看 "recharge show --order {3}"。',
  'The money was paid back. Nothing is left to do.': '钱已退还，没有别的事要做。',
  'The money was paid back at the provider, and the units were taken. Nothing is left to do.':
    '钱已在支付平台退还，虚拟币已扣回，没有别的事要做。',

  'The wallet of user {} at app {} has {} units and will have {}.':
    '用户 {1} 在应用 {2} 的钱包有 {3} 个，之后将有 {4} 个。',
  'The wallet has {} units now.': '钱包现在有 {1} 个。',
  'The amount is a whole number from -{} to {}, and not 0.': '数量是 -{1} 到 {2} 的整数，不能是 0。',
  '--amount takes a whole number from -{} to {} that is not 0, not "{}"':
    '--amount 应为 -{1} 到 {2} 之间不等于 0 的整数，不是“{3}”',
  'The reason has 1 to 200 characters, and one of them is visible.': '原因是 1 到 200 个字符，至少一个看得见。',
  'Entry {} of {} units of this wallet was made within the last 24 h: nothing was done. --again makes one more.':
    '这个钱包在 24 小时内已经有过一笔 {2} 个的记录（{1}），没有做任何事。要再做一笔请加 --again。',
  'User {} was merged into user {}: name that user.': '用户 {1} 已合并到用户 {2}：请指明那个用户。',
  'User {} is erased: nothing was done.': '用户 {1} 已注销：没有做任何事。',
  'The wallet has {} units available: nothing was adjusted. --allow-debt lets the balance become negative.':
    '钱包有 {1} 个可用：没有调整。加 --allow-debt 才能让余额变成负数。',
  'The amount is a whole number from 1 to {}.': '数量是 1 到 {1} 的整数。',
  'The end is a time such as 2026-12-31T23:59:59+08:00, up to {}.':
    '到期时间的写法如 2026-12-31T23:59:59+08:00，最晚到 {1}。',
  'The end {} is past: nothing was done.': '到期时间 {1} 已过：没有做任何事。',
  'The balance would become too large: nothing was done.': '余额会变得太大：没有做任何事。',
  'What is left of the grant leaves the wallet at {}.': '到 {1} 时，赠送的虚拟币剩下多少就离开钱包多少。',

  'No request waits for a second person.': '没有等待第二个人批准的请求。',
  request: '请求',
  'asked by': '请求人',
  '{}, asked by {}: {}. It was executed before: nothing more is moved.':
    '{1}，请求人 {2}：{3}。它已经执行过，不会再移动什么。',
  '{}, asked by {}: {}. It will be executed.': '{1}，请求人 {2}：{3}。它将被执行。',
  '{}, asked by {}: {}. It will not be executed.': '{1}，请求人 {2}：{3}。它不会被执行。',
  'Request {} was approved by {}.': '请求 {1} 已由 {2} 批准。',
  'Request {} was rejected by {}.': '请求 {1} 已由 {2} 拒绝。',
  'Request {} is rejected. Nothing was moved.': '请求 {1} 已拒绝。什么也没有移动。',
  'Request {} is being executed by {}. If that command ended early, approve it again.':
    '请求 {1} 正由 {2} 执行。如果那条命令中途结束了，请再批准一次。',
  'There is no request {}. "recharge requests" lists those that wait.':
    '没有请求 {1}。"recharge requests" 列出等待中的请求。',
  'You ({}) asked for request {}: another person has to approve it. Nothing was done.':
    '请求 {2} 是你（{1}）提出的：必须由另一个人批准。没有做任何事。',
  'It is above the limit: it will be stored as a request, and moves nothing before another person approves it.':
    '它超过了限额：将作为请求保存，另一个人批准之前什么也不会移动。',
  'Nothing was moved: this is above the limit, and waits for a second person as request {}.':
    '什么也没有移动：它超过了限额，作为请求 {1} 等待第二个人。',
  'The second person runs: {}': '第二个人执行：{1}',
  'Nothing is left to refund of order {}.': '订单 {1} 没有可退的金额了。',
  'Refund {} of {} fen of this order was made within the last 24 h: nothing was done. --again makes one more.':
    '这笔订单在 24 小时内已经退过 {2} 分（退款 {1}），没有做任何事。要再退一笔请加 --again。',
  'credited, not in the bill': '已入账，不在账单里',
  'paid, no such order': '已支付，没有这笔订单',
  'paid another amount': '支付金额不同',
  'paid, not credited': '已支付，未入账',
  'refunded, unknown here': '已退款，这里没有记录',
  "refunded, another order's": '已退款，属于另一笔订单',
  'refunded another amount': '退款金额不同',
  'refunded, closed here': '已退款，在这里已关闭',

  'There is no user {}. --user takes the userId: "user find --account NAME" prints it.':
    '没有用户 {1}。--user 应为 userId："user find --account NAME" 打印它。',
  'User {} is logged out at every app from the next request, and cannot log in.':
    '用户 {1} 从下一次请求起在所有应用里登出，并且不能登录。',
  'User {} may log in again. Sessions that ended stay ended.': '用户 {1} 可以重新登录。已终止的会话不会恢复。',
  'User {} ({}) will be logged out at every app, and cannot log in any more.':
    '用户 {1}（{2}）将在所有应用里登出，并且不能再登录。',
  'There is no user with this {}.': '没有这个 {1} 的用户。',
  'User {} has no identity {}: "user identities --user ID" lists them.':
    '用户 {1} 没有身份 {2}："user identities --user ID" 列出全部身份。',
  'User {} has no other identity to log in with: nothing was removed.':
    '用户 {1} 没有其他可以登录的身份：没有移除任何东西。',
  'Identity {} {} of user {} will be removed.': '用户 {3} 的身份 {1} {2} 将被移除。',
  'All sessions of the user will end. A login with what was removed creates a new user.':
    '用户的所有会话将结束。用被移除的身份登录会创建新用户。',
  'Identity {} of user {} is removed.': '用户 {2} 的身份 {1} 已移除。',
  'There is no user {}. "user find" prints the userId.': '没有用户 {1}。"user find" 打印 userId。',
  'User {} is erased.': '用户 {1} 已注销。',
  'User {} was merged into user {} before.': '用户 {1} 之前已合并到用户 {2}。',
  'A user cannot be merged into itself.': '用户不能合并到自己。',
  'Nothing was merged.': '没有合并。',
  'A public app cannot have {}, which only servers may have.': '公开应用不能有 {1}，只有服务器可以有。',
  '--for goes with a server app, not with --public': '--for 用于服务器应用，不能与 --public 一起使用',
  '--client-spend takes one of {}': '--client-spend 的取值是 {1} 之一',
  'App {}: users spend "{}", valid within 60 s.': '应用 {1}：用户的花费方式为 "{2}"，60 秒内生效。',
  'App {} ({}): {} will be refused within 60 s.': '应用 {1}（{2}）：{3}将在 60 秒内被拒绝。',
  'all spends of the client': '客户端的所有花费',
  'spends of the client with its own amount': '客户端自定数量的花费',
  'App {} acts for app {} itself: name that app.': '应用 {1} 自己代表应用 {2}：请填后者。',
  'User {} is disabled: enable it first, with "user enable --user {}".':
    '用户 {1} 已停用：请先启用它："user enable --user {2}"。',
  'User {}, app {}: {} units, {} of them held, {} open orders, {} refunds in progress.':
    '用户 {1}，应用 {2}：余额 {3} 个，其中冻结 {4} 个，未完成的订单 {5} 笔，进行中的退款 {6} 笔。',
  'For 30 days nobody can register the account name that ends.': '结束的账号名 30 天内谁都不能注册。',
  'The user then has more records than the quota of: {}.': '用户拥有的以下记录超过了用户可写的数量：{1}。',
  'User {} will end, with its sessions and its profile. User {} gets what it has. This cannot be undone.':
    '用户 {1} 将结束，会话和资料一并结束。它拥有的归用户 {2}。此操作不能撤销。',
  'User {} was merged into user {}. Its orders and ledger entries keep its userId.':
    '用户 {1} 已合并到用户 {2}。它的订单和账目保留原来的 userId。',
  'User {} has no account name and no password: the login is by {}.':
    '用户 {1} 没有账号名，也没有密码：登录方式是 {2}。',
  'It is shown only once. Everybody who has it can set the password: give it to the user alone.':
    '它只显示一次，谁拿到它都能设置密码：只交给用户本人。',
  'The token for user {} that was made before will end.': '之前为用户 {1} 生成的令牌将失效。',

  'the name of a stage (STAGE) is 1 to 64 of A-Z a-z 0-9 _ -': '环境名（STAGE）是 1 到 64 个 A-Z a-z 0-9 _ -',
  'This database belongs to stage {}, and {}: nothing was done. Set STAGE={} and the other variables of that stage, or name the database of stage {}. For a copy of another stage\'s database: "npm run db -- stage --set NAME".':
    '这个数据库属于环境 {1}，而{2}：没有做任何事。请设置 STAGE={3} 和该环境的其他变量，或改用环境 {4} 的数据库。如果这个库是从其他环境复制来的："npm run db -- stage --set NAME"。',
  'This database does not say which stage it belongs to, and STAGE is not set: nothing was done. Set STAGE, or record it once: STAGE=<stage> npm run db -- migrate':
    '这个数据库没有记录属于哪个环境，也没有设置 STAGE：没有做任何事。请设置 STAGE，或记录一次：STAGE=<stage> npm run db -- migrate',
  'MASTER_KEY (key {}) is not the master key of this database (key {}): nothing was done. Set the MASTER_KEY of this stage. If the key was changed, put the former one into MASTER_KEY_OLD and run "master-key reseal". If it is lost: "master-key accept".':
    'MASTER_KEY（密钥 {1}）不是这个数据库的主密钥（密钥 {2}）：没有做任何事。请设置这个环境的 MASTER_KEY。如果更换过密钥，把旧的放进 MASTER_KEY_OLD 并执行 "master-key reseal"。如果密钥丢失："master-key accept"。',
  'The master key of this database is {}, which is in MASTER_KEY_OLD, and MASTER_KEY is {}. If the functions have this MASTER_KEY, run "master-key reseal" first.':
    '这个数据库的主密钥是 {1}，在 MASTER_KEY_OLD 里，而 MASTER_KEY 是 {2}。如果函数用的就是这个 MASTER_KEY，请先执行 "master-key reseal"。',
  'Nothing runs on {}: start "npm run dev", or name its folder with --data.':
    '{1} 上没有正在运行的服务：启动 "npm run dev"，或用 --data 指明它的目录。',
};

/** What stands inside a sentence in the place of a value. */
export const chineseParts: Sentences = {
  '{} open orders and {} running refunds': '{1} 个未完成的订单和 {2} 笔进行中的退款',
  '; did you mean --{}?': '；是不是 --{1}？',
  '; did you mean "{}"?': '；是不是“{1}”？',
  '; did you mean {}?': '；是不是 {1}？',
  'did you mean "{} {}"?': '是不是“{1} {2}”？',
  'there is: {}': '可以用：{1}',
  '; there is: {}': '；可以用：{1}',
  'STAGE is {}': 'STAGE 是 {1}',
  'STAGE is not set': '没有设置 STAGE',
  'for {} s': '{1} 秒',
  '{} fen': '{1} 分',
  '{} yuan': '{1} 元',
  'until the window ends': '到时间窗口结束',
  'a spreadsheet has changed the file. Download the bill again, and do not open it before.':
    '文件被表格软件改动过。请重新下载账单，核对之前不要打开它。',
  'refunded here, not in the bill': '这里已退款，不在账单里',
  'paid twice': '重复支付',
  'refunded, no such order': '已退款，没有这笔订单',
  'booked on another day': '记在另一天',
  'refund booked on another day': '退款记在另一天',
  'refund closed after the bill': '出账单之后关闭的退款',
  'refund of a second payment': '重复支付的退款',
  'payment near midnight': '接近零点的支付',
  'payment near midnight, bill not read': '接近零点的支付，没有读到账单',
  'refund near midnight, bill not read': '接近零点的退款，没有读到账单',
  'refund near midnight': '接近零点的退款',
  everybody: '所有人',
  itself: '它自己',
  none: '无',
  'is on sale': '已上架',
  'is off sale': '已下架',
  'on sale': '在售',
  'can be bought': '可以购买',
  'is switched off': '已停用',
  'switched off': '已停用',
  'Item {} {}, at {} units.': '道具 {1} {2}，价格 {3} 个。',
  'Item {} will be replaced; it is {}, at {} units.': '道具 {1} 将被替换；现在是 {2}，价格 {3} 个。',
  'off sale': '已下架',
  'its notification was accepted': '它的通知已被接受',
  'no notification was sent: use "recharge sync"': '没有发通知：请用 "recharge sync"',
  'no account name': '没有账号名',
  'Units leave the wallet first, also if it becomes negative.': '先从钱包扣回虚拟币，余额可能变成负数。',
  '{} units are back in the wallet': '{1} 个虚拟币已退回钱包',
  '{} units left the wallet': '从钱包扣回 {1} 个',
  'an operator cancelled it': '运维人员取消了它',
  'another refund of the order, which was closed here, was paid back': '这笔订单另一笔在这里已关闭的退款被退了钱',
  'it was closed here, and the provider paid it back later': '它在这里已关闭，支付平台后来又退了钱',
  'it was closed here, and the provider paid it back later, beside other refunds of the order':
    '它在这里已关闭，支付平台后来又退了钱，而这笔订单还有别的退款',
  'the provider closed it': '支付平台关闭了它',
  'the provider refused it: the payment allows no such refund': '支付平台拒绝：这笔支付不能这样退款',
  'the provider refused it: it does not accept a value of it': '支付平台拒绝：有一个值不被接受',
  'the provider refused it: it does not know the payment': '支付平台拒绝：没有这笔支付',
  "the provider refused it: the payer's account is closed or frozen": '支付平台拒绝：付款人的账户已注销或被冻结',
  'the provider refused it: the payment is in a state without refunds': '支付平台拒绝：这笔支付的状态不能退款',
  'the provider refused it: a limit for refunds of this payment is reached': '支付平台拒绝：这笔支付的退款已达上限',
  "the provider refused it: the merchant's balance is too low": '支付平台拒绝：商户余额不足',
  'the provider refused it: too many calls': '支付平台拒绝：调用太频繁',
  "the provider refused it: the merchant's settings are wrong": '支付平台拒绝：商户的配置不对',
  'the payment was made through Apple: only its payer can ask for the money, in the App Store':
    '这笔支付是通过 Apple 完成的：只有付款人能在 App Store 申请退款',
  'the provider refused it': '支付平台拒绝了它',
  'expected a positive integer': '应为正整数',
  'expected one line of 1 to {} bytes with visible text': '应为一行可见的文字，1 到 {1} 个字节',
  'its merchant is not set up here': '它的商户没有在这里配置',
  'refunds of {} are made at its console': '{1} 的退款在它的控制台上做',
  'at most {} fen are left to refund': '最多还可以退 {1} 分',
  'the order is {}': '订单的状态是 {1}',
  'the input': '输入',
  'the database': '数据库',
  'It applies from the next call.': '从下一次调用起生效。',
  'sealed under master key {}; it is neither MASTER_KEY nor in MASTER_KEY_OLD':
    '由主密钥 {1} 加密；它既不是 MASTER_KEY，也不在 MASTER_KEY_OLD 里',
  added: '添加',
  changed: '修改',
  'stage {}, database {} (environment)': '环境 {1}，数据库 {2}（来自环境变量）',
  'npm run dev, database {}': 'npm run dev，数据库 {1}',
};
