/** What people see of a text that somebody typed. */
const SEEN = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
const UNSEEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/** false: the text is empty, or only looks empty. */
export const hasVisibleText = (text: string): boolean => SEEN.test(text);

/** One form of all spellings of a name that look the same, and of upper and lower case: ß is ss. */
export const nameForm = (name: string): string =>
  name
    .normalize('NFKC')
    .replace(UNSEEN, '')
    .replace(/\s+/g, ' ')
    .trim()
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC');
