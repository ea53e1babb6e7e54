/** English sentence -> the same in another language. `{}` stands for a value; `{1}` is the first of them. */
export type Sentences = Readonly<Record<string, string>>;

export interface Catalogue {
  sentences: Sentences;
  /** Those that stand inside others. All other values are names and data, which are never translated. */
  parts: Sentences;
}
