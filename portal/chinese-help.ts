import type { Sentences } from './catalogue.ts';

/** What `--help` prints. */
export const chineseHelp: Sentences = {
  'one JSON line last, for scripts': '最后一行输出 JSON，供脚本使用',
  'asks no question on a terminal before something is ended, removed or replaced':
    '在终端里终止、移除或替换之前不再询问',
  'works on the running "npm run dev" that keeps its data in this folder':
    '作用于数据在这个目录里的、正在运行的 "npm run dev"',
  'your name in the operator log (default: the login name)': '操作日志里你的名字（默认：登录名）',
  'times as utc (default), local or in a zone such as Asia/Shanghai':
    '时间按 utc（默认）、local（本机时区）或 Asia/Shanghai 这样的时区显示',
  'amounts in fen (default) or yuan': '金额以分 fen（默认）或元 yuan 显示',
  'sentences and help in en (default) or zh': '提示与帮助的语言：en（默认）或 zh',
  'the options of a command': '命令的选项',
  optional: '可选',
  'Works on the deployed stage of the environment (DATABASE_URL, UPSTASH_REDIS_REST_URL and the rest of .env.example),':
    '作用于环境变量指向的已部署环境（DATABASE_URL、UPSTASH_REDIS_REST_URL 等，见 .env.example），',
  'otherwise on the "npm run dev" of this checkout. Exit code: 0 done, 1 refused or failed, 2 wrong usage.':
    '否则作用于本目录的 "npm run dev"。退出码：0 已完成，1 被拒绝或失败，2 用法错误。',

  'apps that may call, and their keys (row A2)': '可以调用的应用及其密钥（A2）',
  'Issues an AppID and its privateKey; of a public app the AppID alone.':
    '签发 AppID 和 privateKey；公开应用只有 AppID。',
  'a public app: for a mini-program or web page, without a key': '公开应用：给小程序或网页用，没有密钥',
  'with --public: what may be called before a login, of {} (default: wechat)':
    '与 --public 一起：登录之前可以调用什么，可选 {1}（默认：wechat）',
  'Makes an app public, changes what may be called before a login, or ends one of its two sides.':
    '把应用设为公开，修改登录之前可以调用什么，或结束它两侧中的一侧。',
  'what may be called before a login, of {} (default: as it is, or wechat)':
    '登录之前可以调用什么，可选 {1}（默认：保持不变，或 wechat）',
  'ends v1 and v2: revokes all keys': '结束 v1 和 v2：作废所有密钥',
  'ends named calls and signed sessions': '结束具名调用和会话签名的调用',
  'Sets, shows or removes the mini-program of an app.': '设置、查看或移除应用的小程序。',
  "the AppID of the mini-program in WeChat's console; several apps may have the same":
    '小程序在微信后台的 AppID；几个应用可以用同一个',
  'a file with its AppSecret; the one before is kept until --end-former':
    '存有 AppSecret 的文件；原来的保留到执行 --end-former',
  'its message push as JSON: token and encodingAesKey': '消息推送的设置，JSON：token 和 encodingAesKey',
  'deletes the former secret': '删除原来的 AppSecret',
  'gives the app the mini-program of WECHAT_APPID again': '应用改回 WECHAT_APPID 的小程序',
  'shows what is set, never a secret': '查看设置，不显示任何机密',
  "the access_tokens that WeChat's server gave": '微信服务器给出的 access_token',
  'Shows the age and the end of an access_token, never the token itself, or replaces it.':
    '查看 access_token 已用多久、何时到期（不显示令牌本身），或替换它。',
  "the AppID of the mini-program in WeChat's console": '小程序在微信后台的 AppID',
  'replaces it, for a token that has leaked': '替换它，用于令牌泄露时',
  'a name for people': '给人看的名称',
  'allowed signature methods (default: {})': '允许的签名算法（默认：{1}）',
  'permissions (default: {})': '权限（默认：{1}）',
  'plugins for which it may issue tokens (default: all)': '可以为哪些插件签发令牌（默认：全部）',
  'Lists all apps.': '列出所有应用。',
  'Shows one app and its keys.': '查看一个应用及其密钥。',
  'Refuses the app: calls that change something at once, all calls within 60 s.':
    '拒绝这个应用：有修改作用的调用立即被拒绝，所有调用 60 秒内被拒绝。',
  'Lets a disabled app call again.': '让停用的应用重新可以调用。',
  'Makes a new privateKey; the old one is valid 24 h more.': '生成新的 privateKey，旧的还有 24 小时有效期。',
  'Revokes one key.': '作废一个密钥。',
  'its id in "app show", such as k1': '它在 "app show" 里的编号，例如 k1',
  'Gives an app scopes, takes scopes from it, or shows them.': '给应用增加权限、去掉权限，或查看它的权限。',
  'scopes to give, valid within 60 s': '要增加的权限，60 秒内生效',
  'scopes to take, refused within 60 s': '要去掉的权限，60 秒内被拒绝',
  'Registers the extra user fields of an app (row B4), or shows them.': '登记应用的用户扩展字段（B4），或查看它们。',
  'JSON Schema of the fields (default: show it)': '字段的 JSON Schema（默认：查看）',
  'removes the registration': '移除登记',

  'the channel': '登录渠道',
  'companies whose users may log in here (rows C1 to C6)': '用户可以在这里登录的合作公司（C1 至 C6）',
  'Adds a channel, or changes it.': '添加登录渠道，或修改已有的。',
  'URL at which its server confirms a ticket': '它的服务器确认票据的地址',
  'its entry in the login list': '它在登录列表里的一项',
  'Lists the channels.': '列出登录渠道。',
  'Removes a channel: its users can no longer log in.': '移除登录渠道：它的用户不能再登录。',

  'completion of commands and options in a shell': '在 shell 里补全命令和选项',
  'Prints a script for bash or zsh. It also defines "portal", which runs in every folder.':
    '输出 bash 或 zsh 的脚本。它还定义 "portal"，在任何目录里都能运行。',

  'business data: writes MySQL first, then the cache (row A9)': '业务数据：先写 MySQL，再处理缓存（A9）',
  'Lists records a page at a time, from the database and not from the cache. Without --list: which lists there are.':
    '分页列出记录，从数据库读取，不经过缓存。不带 --list 时列出有哪些列表。',
  'the list': '列表',
  'a filter that the list needs': '列表需要的筛选条件',
  'for lists of one user: the userId': '用于某个用户的列表：userId',
  'how many, from 1 to 100 (default: the page of the API)': '多少条，1 到 100（默认：接口的一页）',
  'what the page before printed': '上一页打印的位置',
  'Shows a record, from the database and not from the cache.': '查看一条记录，从数据库读取，不经过缓存。',
  'Creates a record, or replaces it or single members of it.': '写入新记录，替换已有的，或只替换它的个别成员。',
  'one member; the others of an existing record stay. @FILE: the text of a file':
    '一个成员；已有记录的其他成员不变。@FILE：文件里的文本',
  'all members of the record except id': '记录除 id 以外的全部成员',
  'Deletes a record.': '删除一条记录。',
  'For rows that other tools changed: the next read loads them from the database.':
    '用于被其他工具改过的行：下一次读取从数据库加载。',

  'records and lists that are read most (row A10)': '读取最多的记录和列表（A10）',
  'Shows the records and lists that are read most.': '列出读取最多的记录和列表。',
  'how many (default 20)': '多少条（默认 20）',
  'how many (default 50)': '多少条（默认 50）',

  'data:<resource>, a route such as "POST /login", or "*" for every route':
    'data:<resource>、"POST /login" 这样的接口，或 "*"（全部接口）',
  'for rules that count by channel': '用于按登录渠道计数的规则',
  'the device mark of the caller, for rules that spare known devices': '调用方的设备标记，用于放过已知设备的规则',
  'this AppID': '这个 AppID',
  'this user': '这个用户',
  'this address; an IPv6 address means its /64 network': '这个地址；IPv6 地址代表它的 /64 网段',
  'limits on calls, and blocks (rows E1 to E5)': '接口锁：限流与封禁（E1 至 E5）',
  'Sets a rule for a target and a tuple of identities. Rules in the code stay in force.':
    '为一个目标和一组身份设置规则。代码里的规则仍然有效。',
  'identities to count by; several form one tuple': '按什么计数；写多个就按它们的组合计数',
  'calls in the window': '时间窗口内的调用次数',
  'length of the window in seconds': '时间窗口的长度（秒）',
  'sets a rule by app alone although there are public apps': '即使有公开应用，也设置只按 app 计数的规则',
  'seconds of the lock after the limit (default: until the window ends)':
    '超过次数后锁定多少秒（默认：到时间窗口结束）',
  'Blocks the target for a time, for everybody or for the given identities.':
    '在一段时间里封禁这个目标：对所有人，或对给出的身份。',
  'how long': '多长时间',
  "Removes the operator's rules and blocks of a target. All its counts begin at zero.":
    '移除运维人员对这个目标设的规则和封禁，并把它的所有计数清零。',
  "Lists the operator's rules and blocks.": '列出运维人员设的规则和封禁。',
  'Shows the state of every rule of a target for an identity. It counts no call.':
    '查看某个身份在这个目标的每条规则上的状态，查看本身不计数。',
  'for rules that count by account (lower case) or account address': '用于按账号（小写）或账号地址计数的规则',
  'for rules that count by record': '用于按记录计数的规则',

  'the key that seals secrets at rest': '加密所存机密的主密钥',
  'After a change of MASTER_KEY: seals all secrets with the new key. It may be interrupted and run again.':
    '更换 MASTER_KEY 之后：用新密钥重新加密所有机密。中途停下也可以再次执行。',
  'After the loss of the master key: records MASTER_KEY as the key of this database.':
    '丢失主密钥之后：把 MASTER_KEY 记为这个数据库的主密钥。',

  'the payment provider, such as wechatpay': '支付方式，例如 wechatpay',
  'merchant settings of the payment providers, sealed at rest': '各支付方式的商户配置，加密保存',
  'Sets the default merchant of a provider, or with --merchant a further one. Orders keep their merchant.':
    '设置某种支付方式的默认商户，带 --merchant 时设置另一个商户。订单保持原来的商户。',
  "the merchant's number, as in the settings: the default stays": '商户号，与配置里的一致：默认商户不变',
  'another default although the present one has open orders or running refunds':
    '即使现在的默认商户还有未完成的订单或退款，也换成另一个',
  "the merchant's number, or number/appid if it has several mini-programs (default: the default merchant)":
    '商户号；它有多个小程序时写成 number/appid（商户号/小程序 AppID）（默认：默认商户）',
  "the merchant's number, or number/appid if it has several mini-programs":
    '商户号；它有多个小程序时写成 number/appid（商户号/小程序 AppID）',
  'Asks the provider about an order that cannot exist: are our signature and its answer accepted? Exit code 1: no.':
    '向支付方询问一个不可能存在的订单：我们的签名是否被接受，对方的应答能否验证？退出码 1：不能。',
  'also while it has open orders, running refunds or apps': '即使它还有未完成的订单、退款或应用',
  'Names the merchant of an app: new orders go there. Existing orders keep theirs.':
    '指定应用的商户：新订单归它。已有订单保持原来的商户。',
  'the default merchant again': '重新使用默认商户',
  'its settings as JSON (docs/recharge.md)': '它的配置，JSON 文件（docs/zh-CN/recharge.md）',
  'Lists the merchants with their open orders and apps, without their secrets.':
    '列出商户及其未完成的订单和应用，不含机密。',
  'Removes a merchant of a provider.': '移除某种支付方式的一个商户。',

  'who changed what': '谁修改了什么',
  'Lists the latest changes.': '列出最近的修改。',
  'an AppID, a lock target, an order number ...': 'AppID、接口锁的目标、订单号等',

  'the plugin': '插件',
  'URL at which its server receives pushes': '它的服务器接收推送的地址',
  'plugins and their servers (rows D1 to D6)': '插件及其服务器（D1 至 D6）',
  'Registers a plugin. Prints its push secret, and the app with which its server validates tokens.':
    '登记插件。输出它的推送密钥，以及它的服务器用来校验令牌的应用。',
  'Lists the plugins.': '列出插件。',
  'Sends the pushes of a plugin to another URL.': '把插件的推送发到另一个地址。',
  'Removes a plugin.': '移除插件。',
  'Makes a new push secret. The former secret also signs, for 24 h.': '生成新的推送密钥，24 小时内旧密钥也参与签名。',

  'products that users can buy (row C7)': '用户可以购买的商品（C7）',
  'Puts a product on sale, or changes it. Existing orders keep their price.': '上架商品，或修改它。已有订单保持原价。',
  'title for users': '给用户看的标题',
  'its price in fen': '价格（分）',
  'units that the wallet gets': '钱包得到的数量',
  'takes it off sale': '下架',
  'Lists the products.': '列出商品。',

  'items on which users spend units, with their price (row C7)': '用户花费余额购买的道具及其价格（C7）',
  'Adds an item, or changes it. What was spent keeps its price.': '添加道具，或修改它。已花费的仍按原价。',
  'the itemId': '道具的 itemId',
  'its price in units': '价格（虚拟币数量）',
  'nobody can buy it any more': '以后谁都不能购买',
  'Lists the items.': '列出道具。',

  'Sets what users of an app may spend by themselves: free amounts, priced items, or nothing.':
    '设置应用的用户可以自行花费什么：任意数量、有定价的道具，或都不可以。',
  'one of {}': '{1} 之一',
  'what users may spend by themselves: {} (default: items)': '用户可以自行花费什么：{1}（默认：items）',
  'a server app: the AppID of the app whose wallets it works on (default: its own)':
    '服务器应用：它操作哪个应用的钱包，填该应用的 AppID（默认：自己的）',
  'also moves the units of wallets; holds and refunds in progress must end first':
    '同时转移钱包里的余额；冻结和进行中的退款须先结束',

  'the orderNo': '订单号',
  'orders, payments and refunds': '订单、支付与退款',
  'Shows all events of an order with its refunds, and whether order and ledger agree.':
    '列出一笔订单发生过的一切和它的退款，以及订单与账本是否一致。',
  'the orderNo, or give --transaction': '订单号，或给出 --transaction',
  "the provider's number of the payment, or give --order": '支付平台的交易单号，或给出 --order',
  'the refundNo': '退款单号',
  'Cancels a refund that the provider has not taken. Its units return to the wallet.':
    '取消支付平台还没有受理的退款。虚拟币退回钱包。',
  'you looked at the merchant platform: no money was paid back, and nobody can be asked':
    '已在商户平台查过：没有退钱，并且已无法向平台查询',
  'Makes a closed refund again, under a new number. Typed twice, it makes one.':
    '用新的单号重做一笔已关闭的退款。执行两次也只有一笔。',
  'Records a refund that was made at the merchant platform. Takes the units, and sends no money.':
    '登记一笔在商户平台上做的退款：扣回虚拟币，不退钱。',
  "the provider's number of the refund": '支付平台的退款单号',
  'how much was paid back there': '在那里退了多少',
  'Corrects a wallet by an entry of its own, up or down.': '用单独的一条记录更正钱包，增加或减少。',
  'units to add, or with a minus sign to take': '要增加的数量；带负号则是扣除',
  'why; users see it in their entries': '原因，用户能在明细里看到',
  'the balance may become negative': '余额可以变成负数',
  'one more adjustment of the same amount within a day': '一天之内再做一笔相同数量的调整',
  'Gives units that nobody paid for, with an end or without one.':
    '赠送没有人付钱的虚拟币，可以有到期时间，也可以没有。',
  'units to give': '要赠送的数量',
  'what is left then leaves the wallet: 2026-12-31T23:59:59+08:00': '届时剩下的部分离开钱包：2026-12-31T23:59:59+08:00',
  'one more grant of the same amount within a day': '一天之内再赠送一笔相同数量的虚拟币',
  'the requestId': '请求编号',
  'Lists the movements of money that wait for a second person.': '列出等待第二个人批准的资金操作。',
  'Executes what another operator asked for.': '执行另一位运维人员请求的操作。',
  'Ends a request without a movement.': '结束一个请求，什么也不移动。',
  'Lists the newest orders of a user, at every app.': '列出某个用户在所有应用里最新的订单。',
  'Asks the provider for the state of an order, and credits the order if it is paid.':
    '向支付平台查询订单，已支付就入账。',
  'Tells WeChat again that the units of an order were delivered, so that it pays out the money.':
    '再次告诉微信订单的虚拟币已发放，让微信结算这笔钱。',
  'Refunds an order, in full or in part. Units leave the wallet first, then the money is paid back.':
    '全额或部分退款：先从钱包扣回虚拟币，再退钱。',
  'how much (default: all that is left)': '退多少（默认：剩余的全部）',
  'text for the payer': '给付款人看的说明',
  'the same key never refunds twice': '同一个 key 不会退两次',
  'one more refund of the same amount within a day': '一天之内再退一笔相同的金额',
  "Compares a provider's bill of a day with the books, in both directions. Exit code 1: they differ; 2: they could not be compared.":
    '把支付平台某一天的账单与账簿双向核对。退出码 1：不一致；2：没能核对。',
  'the bill of a neighbouring day, for what was paid near midnight': '相邻一天的账单，用于接近零点的支付',
  'Settles a difference that no command removes, so that its month can be closed. Moves nothing.':
    '了结一处没有命令能消除的不一致，使那个月可以结清。不移动任何资金和虚拟币。',
  'its name, as "recharge reconcile" and "recharge month" print it':
    '它的名称，由 "recharge reconcile" 和 "recharge month" 打印',
  'why it is in order; it is printed with the difference': '为什么没有问题；与这处不一致一起打印',
  'Ends the settlement of a difference: it counts as open again.': '撤销对一处不一致的了结：它重新算作未解决。',
  'the payment provider': '支付方式',
  'a day in China': '北京时间的某一天',
  'Writes orders, payments, refunds and ledger entries of days, one JSON line each, or CSV for a spreadsheet.':
    '导出若干天的订单、支付、退款和账本记录：每条一行 JSON，或给表格软件用的 CSV。',
  'the first day in China': '第一天（北京时间）',
  'the last day in China': '最后一天（北京时间）',
  'CSV in place of JSON lines: amounts in yuan, times of China': '用 CSV 代替 JSON 行：金额以元计，北京时间',
  'writes into this file (default: standard output)': '写入这个文件（默认：标准输出）',
  'Shows the sums of a day: payments, refunds, units, the units outstanding, and whether the bill was compared.':
    '查看一天的合计：支付、退款、虚拟币及用户持有量，以及账单是否核对过。',
  'Closes a month: whether bills, books and ledger agree on every day. Exit code 1: something is open or differs; 2: nothing can be compared.':
    '月结：账单、账簿与账本是否每天都一致。退出码 1：有未核对或不一致的；2：没有可核对的内容。',
  'a month in China': '北京时间的某个月',
  'the merchant, if the provider has several here': '商户号，这个支付方式在这里有多个商户时给出',
  "WeChat Pay's trade bill (type ALL) of that day (default: download it)":
    '微信支付当天的交易账单（类型 ALL；默认：自动下载）',
  "Prints the key that signs the sandbox's notifications.": '打印给沙箱通知签名的密钥。',
  'Pays an order at the sandbox and sends its notification.': '在沙箱支付一笔订单并发出通知。',
  'sends no notification: only sync or the recharge sweeper finds the payment':
    '不发通知：只有 sync 或充值巡检能发现这笔支付',

  'users, their identities, and whether they may log in': '用户、他们的身份，以及能否登录',
  'Shows the userId, and whether the user may log in.': '查看 userId，以及用户能否登录。',
  'the login name, or the address of a channel account': '登录名，或渠道账号的地址',
  'the openid of WeChat, at any mini-program': '微信的 openid，哪个小程序都可以',
  'the unionid of WeChat': '微信的 unionid',
  'the phone number, such as 13812345678 or +4915112345678': '手机号，例如 13812345678 或 +4915112345678',
  'the beginning of a login name or nickname; lists at most 20 users': '登录名或昵称的开头：最多列出 20 个用户',
  'Lists the identities of a user: WeChat, phone number, channels, account name.':
    '列出用户的身份：微信、手机号、渠道、账号名。',
  'Removes an identity of a user. The last one that can log in stays.':
    '移除用户的一个身份。最后一个能登录的身份会保留。',
  'its id in "user identities"': '它在 "user identities" 里的编号',
  'Merges two users that are one person. Without --wallets refused while one of them has units, an open order or a refund in progress.':
    '把同一个人的两个用户合并。不带 --wallets 时，其中一个还有余额、未完成的订单或进行中的退款就会被拒绝。',
  'the userId that ends': '将结束的 userId',
  'the userId that stays': '保留的 userId',
  'Makes a token with which a user sets a new password, once and within 30 minutes.':
    '生成令牌，用户可以凭它设置新密码，30 分钟内有效，只能用一次。',
  'Ends all sessions of a user and refuses logins.': '终止用户的所有会话，并拒绝登录。',
  'Lets a disabled user log in again.': '让停用的用户重新可以登录。',

  'engines and clocks': '存储引擎和时钟',
  'Shows whether the engines answer, and how far the clocks of functions are from the clock of Redis.':
    '查看存储引擎是否有响应，以及各函数的时钟与 Redis 的时钟相差多少。',
};
