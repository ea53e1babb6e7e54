import { type Language, pick, places, type Text } from './places.ts';

type Notice = { id: number; title: string; body: string; publishedAt: Date };

type Topic = { title: Text; body: Text };

const topic = (zh: string, bodyZh: string, en: string, bodyEn: string): Topic => ({
  title: { zh, en },
  body: { zh: bodyZh, en: bodyEn },
});

/** {place} and {day} are filled in; {day} lies three days after the notice. */
const topics: readonly Topic[] = [
  topic(
    '{place}店{day}延长营业至二十二点',
    '下班晚的邻居可以慢慢来，最后一小时仍可预约全部项目。',
    '{place} stays open until ten on {day}',
    'If work runs late, take your time: the last hour takes bookings for everything.',
  ),
  topic(
    '{place}片区{day}停水检修',
    '预计上午九时至下午三时停水，受影响的订单已自动顺延，不收改期费。',
    'Water works in {place} on {day}',
    'The supply is off from nine to three. Bookings it touches have moved by themselves, free of charge.',
  ),
  topic(
    '{day}{place}邻里市集',
    '三十个摊位，手作、旧书和刚出炉的面包；自带杯子，豆浆免费续。',
    'Neighbours’ market in {place} on {day}',
    'Thirty stalls of crafts, old books and warm bread. Bring a cup and the soy milk is on us.',
  ),
  topic(
    '{place}新到一批共享雨伞',
    '门口扫码即取，任意门店归还；二十四小时内不计费。',
    'New umbrellas to share in {place}',
    'Scan at the door, return at any branch. The first twenty-four hours cost nothing.',
  ),
  topic(
    '{day}起{place}开通无障碍通道',
    '坡道与电梯已通过验收，轮椅和婴儿车可以直达二楼。',
    'Step-free access in {place} from {day}',
    'Ramp and lift have passed inspection: wheelchairs and prams reach the second floor.',
  ),
  topic(
    '{place}夜跑团{day}集合',
    '五公里慢跑，配速七分钟；领跑员带灯，终点有姜茶。',
    'Night run from {place} on {day}',
    'Five easy kilometres at seven minutes each. Leaders carry lights, and ginger tea waits at the end.',
  ),
  topic(
    '充值到账时间说明',
    '一般在付款后数秒内到账。若超过十分钟未到账，请在订单页点“同步”，系统会向支付方核对。',
    'When a top-up arrives',
    'Usually within seconds of paying. After ten minutes, tap “sync” on the order: we then ask the payment provider.',
  ),
  topic(
    '请勿向任何人透露验证码',
    '工作人员不会索要密码或验证码。遇到可疑来电，请直接挂断并在“我的”页面修改密码。',
    'Never tell anyone your code',
    'Our staff will not ask for a password or a code. Hang up, then change your password under “Me”.',
  ),
  topic(
    '{place}{day}急救课招募',
    '两小时学会心肺复苏与海姆立克法，结课发放证书，名额二十。',
    'First-aid course in {place} on {day}',
    'Two hours for CPR and the Heimlich manoeuvre, with a certificate. Twenty places.',
  ),
  topic(
    '{place}旧衣回收箱已清空',
    '本次共收到衣物四百余件，八成送往乡村小学，其余再生成隔音棉。',
    'The clothes bank in {place} is empty again',
    'Over four hundred pieces: most went to village schools, the rest becomes sound insulation.',
  ),
  topic(
    '{day}系统维护公告',
    '凌晨两点至三点升级，期间可浏览，暂不能下单；余额与券不受影响。',
    'Maintenance on {day}',
    'From two to three at night you can browse but not order. Balances and vouchers are not touched.',
  ),
  topic(
    '{place}樱花步道摄影展',
    '四十幅作品均由街坊投稿，投票第一名获得全年自习座位。',
    'Photo show on the {place} cherry walk',
    'Forty pictures, all sent in by neighbours. The winner studies here free for a year.',
  ),
  topic(
    '{place}亲子阅读角{day}换新书',
    '上架绘本一百二十册，捐书一本可多借两本。',
    'New books in the {place} reading corner on {day}',
    'A hundred and twenty picture books. Give one, and borrow two more.',
  ),
  topic(
    '{place}门店试行无纸小票',
    '小票自动存入订单页，需要纸质版仍可当面打印。',
    '{place} tries paperless receipts',
    'Receipts go to your orders page. Paper is still printed for anyone who asks.',
  ),
  topic(
    '雷雨天气服务提醒',
    '{day}有雷雨，骑手安全优先，上门服务可能晚到半小时；取消不收费。',
    'Thunderstorms ahead',
    'Storms are likely on {day}. Riders’ safety comes first: visits may be half an hour late, cancelling is free.',
  ),
  topic(
    '{place}宠物友好日',
    '{day}可带宠物进店，请牵绳；门口备有饮水碗和拾便袋。',
    'Pets welcome in {place}',
    'Bring them along on {day}, on a lead. Bowls and bags are by the door.',
  ),
  topic(
    '{place}长者手机课堂',
    '{day}上午教大字模式、挂号与防骗，可带家人一起来。',
    'Phone lessons for elders in {place}',
    'On the morning of {day}: large text, clinic bookings and how to spot a scam. Family welcome.',
  ),
  topic(
    '{place}自习室延长至凌晨',
    '考试季每天开放到一点，保安巡楼，热水不断。',
    'The {place} study room stays open late',
    'Until one at night through exam season, with a guard on rounds and hot water throughout.',
  ),
  topic(
    '{place}咖啡渣免费领取',
    '每人两袋，种花除味都好用；{day}前领完为止。',
    'Free coffee grounds in {place}',
    'Two bags each, good for flowers and smells. While they last, until {day}.',
  ),
  topic(
    '{place}充电桩扩容完成',
    '新增快充八个，夜间半价；占位超过三十分钟才计占位费。',
    'More charging points in {place}',
    'Eight fast chargers more, half price at night. Idle fees start after thirty minutes only.',
  ),
  topic(
    '{place}失物招领',
    '拾到蓝色围巾一条、单只手套两只，请于{day}前凭描述认领。',
    'Lost and found in {place}',
    'A blue scarf and two single gloves are waiting. Describe yours and collect it by {day}.',
  ),
  topic(
    '{place}合唱团招新',
    '不考试，只要爱唱；每周三晚排练，{day}可旁听。',
    'The {place} choir is looking for voices',
    'No audition, just the wish to sing. Wednesdays at seven; listen in on {day}.',
  ),
  topic(
    '{place}电梯年检结果公示',
    '三部电梯全部合格，下次检验为明年同期，报告可在前台查阅。',
    'Lift inspection in {place}: passed',
    'All three are in order until this time next year. The report is at the front desk.',
  ),
  topic(
    '{place}春耕菜园认领',
    '一平方米起租，种子和水壶都备好；{day}统一翻土。',
    'Garden plots in {place}',
    'From one square metre, seeds and cans included. We dig together on {day}.',
  ),
  topic(
    '{place}露天电影夜',
    '{day}日落后放映，自带坐垫；下雨改到次日。',
    'Open-air film in {place}',
    'On {day} after sunset. Bring a cushion; if it rains, come the day after.',
  ),
];

const closings: readonly Text[] = [
  { zh: '感谢您与我们同住这座小城。', en: 'Thank you for sharing this town with us.' },
  { zh: '有问题请在小程序内留言，当天回复。', en: 'Questions? Write to us in the app; we answer the same day.' },
  { zh: '转发给可能需要的邻居吧。', en: 'Pass it on to a neighbour who may need it.' },
  { zh: '名额以系统确认为准。', en: 'A place is yours once the app confirms it.' },
];

const HOUR = 3_600_000;
const firstPublished = Date.UTC(2024, 0, 8, 1);
const COUNT = 1000;

/** Ids 1 to 1000, one every 16 hours from 8 January 2024 on, the same on every machine. */
export function sampleNotices(): Notice[] {
  return Array.from({ length: COUNT }, (_, index) => {
    const round = Math.floor(index / topics.length);
    const chosen = pick(topics, index);
    const place = pick(places, index + round);
    const language: Language = index % 2 === 0 ? 'zh' : 'en';
    const publishedAt = new Date(firstPublished + index * 16 * HOUR);
    const day = dayName(new Date(publishedAt.getTime() + 72 * HOUR), language);
    const fill = (text: Text) => text[language].replaceAll('{place}', place[language]).replaceAll('{day}', day);
    const sentences = [fill(chosen.body), pick(closings, index + round)[language]];
    return {
      id: index + 1,
      title: fill(chosen.title),
      body: sentences.join(language === 'zh' ? '' : ' '),
      publishedAt,
    };
  });
}

function dayName(date: Date, language: Language): string {
  const [month, day] = [date.getUTCMonth(), date.getUTCDate()];
  return language === 'zh' ? `${month + 1}月${day}日` : `${day} ${monthNames[month]}`;
}

const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
