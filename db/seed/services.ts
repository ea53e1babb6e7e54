import type { ServiceCategory } from '../../shared/data/service-categories.ts';
import { type Language, pick, places, type Text } from './places.ts';
import { kinds } from './service-kinds.ts';

type Service = { id: number; name: string; description: string; priceFen: number; category: ServiceCategory };

const formats = [
  { zh: '体验', en: 'taster', percent: 60, about: { zh: '适合第一次来。', en: 'Made for a first visit.' } },
  { zh: '标准', en: 'standard', percent: 100, about: { zh: '大多数客人的选择。', en: 'What most guests choose.' } },
  { zh: '尊享', en: 'signature', percent: 180, about: { zh: '由资深师傅负责。', en: 'By our senior staff.' } },
] as const;

const promises: readonly Text[] = [
  { zh: '提前两小时可免费改期。', en: 'Free to move up to two hours ahead.' },
  { zh: '不满意七天内重做。', en: 'Done again within seven days if you are not happy.' },
  { zh: '价格含材料，没有隐藏费用。', en: 'Materials included, no hidden fees.' },
  { zh: '周末同价。', en: 'The same price at weekends.' },
  { zh: '支持开具电子发票。', en: 'An electronic invoice on request.' },
  { zh: '邻里拼单再减一成。', en: 'Ten per cent off when a neighbour joins.' },
  { zh: '平台先行赔付。', en: 'Covered by the platform guarantee.' },
];

const languages: readonly Language[] = ['zh', 'en'];

/** Every kind in every quarter, format and language once: ids 1 to 1200, the same on every machine. */
export function sampleServices(): Service[] {
  const variants = places.length * formats.length;
  return Array.from({ length: kinds.length * variants * languages.length }, (_, index) => {
    const round = Math.floor(index / kinds.length);
    const position = index % kinds.length;
    const chosen = pick(kinds, position);
    const place = pick(places, position + round);
    const format = pick(formats, position + Math.floor(round / places.length));
    const language = pick(languages, position + Math.floor(round / variants));
    const name =
      language === 'zh'
        ? `${place.zh}·${chosen.name.zh}（${format.zh}）`
        : `${chosen.name.en}, ${place.en} (${format.en})`;
    const sentences = [chosen.about, format.about, pick(promises, position + round)];
    return {
      id: index + 1,
      name,
      description: sentences.map((sentence) => sentence[language]).join(language === 'zh' ? '' : ' '),
      priceFen: Math.round((chosen.priceFen * format.percent) / 10_000) * 100,
      category: chosen.category,
    };
  });
}
