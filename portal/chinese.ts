import type { Catalogue } from './catalogue.ts';
import { chineseHelp } from './chinese-help.ts';
import { chineseParts, chineseSentences } from './chinese-sentences.ts';

export const chinese: Catalogue = {
  sentences: { ...chineseHelp, ...chineseSentences, ...chineseParts },
  parts: chineseParts,
};
