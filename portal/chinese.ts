import { chineseHelp } from './chinese-help.ts';
import { chineseParts, chineseSentences } from './chinese-sentences.ts';
import type { Catalogue } from './language.ts';

export const chinese: Catalogue = {
  sentences: { ...chineseHelp, ...chineseSentences, ...chineseParts },
  parts: chineseParts,
};
