/**
 * Stops asking an engine that does not answer: after three failures in a row calls fail at once for two seconds,
 * then one call at a time probes.
 */
export class Breaker {
  private failures = 0;
  private openUntil = 0;

  /** false: do not call. */
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
