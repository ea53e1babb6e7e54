/**
 * L1: what a warm instance remembers, bounded in entries, bytes and age, checked on read (timers do not run in a frozen
 * Lambda). At most 5 s old; the authorizer's app record alone 60 s. Never for balances and sessions.
 */
export class LocalCache<T> {
  private readonly entries = new Map<string, { value: T; endsAt: number; bytes: number }>();
  private bytes = 0;
  constructor(
    private readonly maxEntries: number,
    private readonly maxAgeMs: number,
    private readonly maxBytes = Number.POSITIVE_INFINITY,
  ) {}

  get(key: string, now = Date.now()): T | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.endsAt <= now) {
      this.delete(key);
      return undefined;
    }
    return entry.value;
  }

  /** `since`: when its load began, so that age counts from what was true, not from when it arrived. */
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
