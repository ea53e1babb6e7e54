import type { Sentences } from './language.ts';
export const chinese: Sentences = {};
