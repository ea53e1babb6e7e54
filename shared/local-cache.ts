/**
 * L1: the memory of one process, limited in entries, bytes and age. The age is checked on read, because timers do not
 * run in a frozen Lambda. Entries are at most 5 s old; only the authorizer's app record may be 60 s old, and what
 * WeChat accepts (a secret, an access_token) is kept while it does. Balances and sessions are never kept here.
 */
export class LocalCache<T> {
  private readonly entries = new Map<string, { value: T; endsAt: number; bytes: number }>();
  private bytes = 0;
  constructor(
    private readonly maxEntries: number,
    private readonly maxAgeMs: number,
    private readonly maxBytes = Number.POSITIVE_INFINITY,
  ) {}

  /** undefined: not known, or too old. `now`: Unix milliseconds. */
  get(key: string, now = Date.now()): T | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.endsAt <= now) {
      this.delete(key);
      return undefined;
    }
    return entry.value;
  }

  /**
   * `since`: Unix milliseconds at which the load began. The age counts from there: the value may have changed since.
   */
  set(key: string, value: T, since = Date.now(), ageMs = this.maxAgeMs): void {
    this.delete(key);
    const bytes = this.maxBytes === Number.POSITIVE_INFINITY ? 0 : 2 * (key.length + JSON.stringify(value).length);
    this.entries.set(key, { value, endsAt: since + Math.min(ageMs, this.maxAgeMs), bytes });
    this.bytes += bytes;
    while (this.entries.size > this.maxEntries || this.bytes > this.maxBytes) {
      this.delete(this.entries.keys().next().value as string);
    }
  }

  delete(key: string): void {
    this.bytes -= this.entries.get(key)?.bytes ?? 0;
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }
}
