/** The languages of help, headings and sentences. JSON, names of commands and states are the same in all. */
export const LANGUAGES = ['en', 'zh'];

/** English sentence -> the same in another language. `{}` stands for a value; `{1}` is the first of them. */
export type Sentences = Readonly<Record<string, string>>;

let sentences: Sentences = {};
let patterns: Array<{ form: RegExp; text: string }> = [];

/** For everything that this process prints from now on. An unknown language is English. */
export async function useLanguage(language: string): Promise<void> {
  sentences = language === 'zh' ? (await import('./chinese.ts')).chinese : {};
  patterns = Object.entries(sentences)
    .filter(([english]) => english.includes('{}'))
    // The longest first: a short form might fit a part of a long sentence.
    .sort(([a], [b]) => b.length - a.length)
    .map(([english, text]) => ({ form: formOf(english), text }));
}

const formOf = (english: string): RegExp =>
  new RegExp(`^${english.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll('{}', '(.*?)')}$`, 's');

/** The text in the language in use; a text that has no translation stays as it is. */
export function translated(text: string): string {
  const exact = sentences[text];
  if (exact !== undefined) return exact;
  for (const { form, text: template } of patterns) {
    const [, ...values] = form.exec(text) ?? [];
    if (values.length > 0) return template.replace(/\{(\d)\}/g, (_, place) => inner(values[Number(place) - 1] ?? ''));
  }
  return text;
}

/** A value inside a sentence may be a word of ours, such as `everybody`. */
const inner = (value: string): string => sentences[value] ?? value;
