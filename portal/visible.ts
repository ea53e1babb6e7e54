/**
 * Characters that change what a terminal shows instead of being shown: controls (escape sequences clear lines and move
 * the cursor), marks that turn the direction of text, and halves of surrogate pairs. Stored texts hold what users
 * typed.
 */
const HIDDEN = /(?![\t\n])\p{Cc}|\p{Bidi_Control}|\p{Cs}|[\u2028\u2029\ufeff]/gu;

const hex = (character: string): string => (character.codePointAt(0) ?? 0).toString(16);

/** The text with escapes such as `\u{1b}` in place of them. */
export const visible = (text: string): string => text.replace(HIDDEN, (character) => `\\u{${hex(character)}}`);

/** The same for JSON, which stays the same value. */
export const visibleJson = (value: object): string =>
  JSON.stringify(value).replace(HIDDEN, (character) => `\\u${hex(character).padStart(4, '0')}`);
