/**
 * Stops calling an engine that does not answer. After three failures in a row calls fail at once, and only one call in
 * two seconds tries the engine, until one succeeds.
 */
export class Breaker {
  private failures = 0;
  private openUntil = 0;

  /** false: do not call the engine now. `now`: Unix milliseconds. */
  admits(now = Date.now()): boolean {
    if (this.failures < 3) return true;
    if (now < this.openUntil) return false;
    this.openUntil = now + 2_000;
    return true;
  }

  succeeded(): void {
    this.failures = 0;
  }

  failed(now = Date.now()): void {
    this.failures++;
    if (this.failures >= 3) this.openUntil = now + 2_000;
  }
}
