export interface ApiAnswer {
  status: number;
  text: string;
  /** By name in lower case; null: the answer does not have it. */
  header(name: string): string | null;
}
