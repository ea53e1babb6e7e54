import type { Sentences } from './catalogue.ts';

/** The languages of help, headings and sentences. JSON, names of commands and states are the same in all. */
export const LANGUAGES = ['en', 'zh'];

type Translate = (text: string) => string;

const unchanged: Translate = (text) => text;
let translate: Translate = unchanged;

/** For everything that this process prints from now on. An unknown language is English. */
export async function useLanguage(language: string): Promise<void> {
  if (language !== 'zh') translate = unchanged;
  else {
    const { sentences, parts } = (await import('./chinese.ts')).chinese;
    translate = translator(sentences, translator(parts, unchanged));
  }
}

/** The text in the language in use; a text that has no translation stays as it is. */
export const translated: Translate = (text) => translate(text);

function translator(sentences: Sentences, translatePart: Translate): Translate {
  const patterns = Object.entries(sentences)
    .filter(([english]) => english.includes('{}'))
    // The longest first: a short form might fit a part of a long sentence.
    .sort(([a], [b]) => b.length - a.length)
    .map(([english, text]) => ({ form: formOf(english), text }));
  return (text) => {
    const exact = Object.hasOwn(sentences, text) ? sentences[text] : undefined;
    if (exact !== undefined) return exact;
    for (const { form, text: template } of patterns) {
      const [, ...values] = form.exec(text) ?? [];
      if (values.length === 0) continue;
      return template.replace(/\{(\d)\}/g, (_, place) => translatePart(values[Number(place) - 1] ?? ''));
    }
    return text;
  };
}

const formOf = (english: string): RegExp =>
  new RegExp(`^${english.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll('{}', '(.*?)')}$`, 's');
